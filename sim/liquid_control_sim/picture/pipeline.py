"""Picture pipeline: air, lens, exposure, sensor, quantisation and transport.

All steps are chosen at construction from the scenario; steps at their defaults are omitted. The
state between frames is explicit: a `Memory` is passed in with a frame and returned with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from liquid_control.config import Scenario
from liquid_control.perception.deltas import PixelStep, published_changes
from liquid_control.types import Floats, Pixels
from liquid_control_sim.picture import lens, precipitation, sky
from liquid_control_sim.picture.light import (
    NEUTRAL_K,
    AutomaticExposure,
    ColourTemperature,
    Exposure,
    Flicker,
    Metering,
)
from liquid_control_sim.picture.sensor import (
    Blackout,
    Freezer,
    MotionBlur,
    SensorNoise,
    compression,
)
from liquid_control_sim.picture.shot import Radiance, Shot, Step, View, compiled
from liquid_control_sim.place.palette import Palette
from liquid_control_sim.render.sunlight import Sun

_DROP_BRIGHTNESS = 0.95
"""Radiance of a raindrop relative to the horizon: it collects light from 165 degrees, Garg & Nayar
2007 (doi 10.1007/s11263-006-0028-6)."""
_FLAKE_ALBEDO = 0.9
_FLAKE_SUN = 0.3
"""Fraction of the direct light that the visible side of a flake scatters."""
_FLUTTER_MPS = 0.2

Expose = Callable[[Radiance, float, Metering | None], tuple[Radiance, Metering | None]]


@dataclass(frozen=True, slots=True)
class Memory:
    """State of the pipeline between frames.

    Attributes:
        time_s: time of the last frame; None before the first.
        air_moved_m: displacement of the air by the wind up to that time, m, map.
        metering: state of the automatic exposure.
        delivered: uint8 [H, W, 3], the last frame.
    """

    time_s: float | None = None
    air_moved_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    metering: Metering | None = None
    delivered: Pixels | None = None

    def at(self, time_s: float, wind: Floats) -> "Memory":
        """Return the memory at the time of the next frame, with the air moved by the wind."""
        elapsed_s = 0.0 if self.time_s is None else time_s - self.time_s
        x, y, z = (a + elapsed_s * float(b) for a, b in zip(self.air_moved_m, wind, strict=True))
        return Memory(time_s, (x, y, z), self.metering, self.delivered)


@dataclass(frozen=True)
class Pipeline:
    """Forms pictures from rendered radiance.

    Attributes:
        optics: steps in the air and in the lens, at the resolution of the renderer.
        oversample: number of rendered pixels averaged into one, in each direction.
        exposure: exposure step.
        sensor: steps after the exposure.
        transport: steps on uint8 pictures.
        freezer: selects the frames that repeat the previous one.
        blackout: period of black frames, if any.
    """

    optics: tuple[Step, ...]
    oversample: int
    exposure: Expose
    sensor: tuple[Step, ...]
    transport: tuple[PixelStep, ...]
    freezer: Freezer
    blackout: Blackout | None

    def form(self, picture: Radiance, shot: Shot, memory: Memory) -> tuple[Pixels, Memory]:
        """Form a picture.

        Args:
            picture: radiance of the surfaces, float32 [H, W, 3]; may be overwritten.
            shot: frame data.
            memory: state after the previous frame, advanced by `Memory.at` to this frame's time.

        Returns:
            The finished picture, uint8 [H, W, 3] RGB, and the new state.
        """
        for step in self.optics:
            picture = step(picture, shot)
        picture = shrink(picture, self.oversample)
        picture, metering = self.exposure(picture, shot.time_s, memory.metering)
        for step in self.sensor:
            picture = step(picture, shot)
        pixels = self._deliver(quantise(picture), shot, memory.delivered)
        return pixels, Memory(memory.time_s, memory.air_moved_m, metering, pixels)

    def _deliver(self, pixels: Pixels, shot: Shot, before: Pixels | None) -> Pixels:
        if before is not None and self.freezer.freezes(shot.frame_index):
            pixels = before
        else:
            for step in self.transport:
                pixels = step(pixels, shot.frame_index)
        if self.blackout is not None and self.blackout.covers(shot.time_s):
            return np.zeros_like(pixels)
        return pixels


def make_pipeline(
    scenario: Scenario,
    sun: Sun,
    palette: Palette,
    view: View,
    seed: int,
    oversample: int = 1,
) -> Pipeline:
    """Return the pipeline of a flight.

    Args:
        scenario: its `light`, `fog`, `rain`, `snow`, `camera` and `delta` are used.
        sun: light of the flight.
        palette: colours of the distant forest.
        view: geometry of the rendered picture, whose size is `oversample` times the camera's.
        seed: seed of the flight.
        oversample: number of rendered pixels per picture pixel, in each direction.
    """
    light, camera = scenario.light, scenario.camera
    exposure: Expose = Exposure(sun.exposure)
    if light.exposure_lag_s > 0.0:
        exposure = AutomaticExposure(sun.exposure, light.exposure_lag_s)
    sensor: tuple[Step, ...] = ()
    if camera.noise_sigma > 0.0 or camera.shot_noise > 0.0:
        sensor = (SensorNoise(camera.shot_noise, camera.noise_sigma, seed, light.level),)
    blackout = Blackout(camera.blackout_from_s, camera.blackout_s, seed)
    return Pipeline(
        optics=(
            *_air(scenario, sun, palette, seed),
            *_moving(scenario, sun, view, seed),
            *lens_steps(scenario, view, seed, _glare(scenario, sun, view)),
            *light_factors(scenario, seed),
        ),
        oversample=oversample,
        exposure=exposure,
        sensor=sensor,
        transport=(*compression(camera), *published_changes(scenario.delta, seed)),
        freezer=Freezer(camera.freeze_rate, seed),
        blackout=blackout if camera.blackout_s > 0.0 else None,
    )


def shrink(picture: Radiance, factor: int) -> Radiance:
    """Return the picture with squares of `factor` by `factor` pixels averaged into one."""
    if factor == 1:
        return picture
    part = 1.0 / factor
    return np.asarray(cv2.resize(picture, None, fx=part, fy=part, interpolation=cv2.INTER_AREA))


def quantise(picture: Radiance) -> Pixels:
    """Clip to [0, 1] and round to uint8 [H, W, 3], halves to even."""
    pixels = np.empty(picture.shape, np.uint8)
    _round(np.ascontiguousarray(picture, np.float32).reshape(-1), pixels.reshape(-1))
    return pixels


@compiled
def _round(values: Radiance, pixels: Pixels) -> None:
    """Fill `pixels` with 255 times the values, clipped and rounded, in double precision.

    A float64 above 2^52 has no fraction: adding such a number and subtracting it again rounds.
    """
    whole = 1.5 * 2.0**52
    for index in range(len(pixels)):
        value = min(max(np.float64(values[index]) * 255.0, 0.0), 255.0)
        pixels[index] = np.uint8((value + whole) - whole)


def haze_per_m(scenario: Scenario) -> float:
    """Return the total extinction coefficient of fog, rain and snow, 1/m."""
    total = scenario.fog.extinction_per_m
    for falling in _falling(scenario):
        total += falling.extinction_per_m
    return total


def _falling(scenario: Scenario) -> list[precipitation.SizeSpectrum]:
    rain, snow = scenario.rain.rate_mmph, scenario.snow.rate_mmph
    kinds = [precipitation.rain_spectrum(rain)] if rain > 0.0 else []
    return [*kinds, precipitation.snow_spectrum(snow)] if snow > 0.0 else kinds


def _air(scenario: Scenario, sun: Sun, palette: Palette, seed: int) -> list[Step]:
    extinction = haze_per_m(scenario)
    columns = min(max(4 * scenario.camera.width, 512), 2048)
    backdrop = sky.Backdrop(sky.paint_panorama(sun, palette, extinction, seed, columns))
    fog = sky.Fog(extinction, sky.airlight_colour(sun))
    return [fog, backdrop] if extinction > 0.0 else [backdrop]


def _moving(scenario: Scenario, sun: Sun, view: View, seed: int) -> list[Step]:
    """Return the steps that depend on the shutter time: motion blur, then rain and snow."""
    exposure_s, rain, snow = scenario.camera.exposure_s, scenario.rain, scenario.snow
    steps: list[Step] = [MotionBlur(exposure_s, view)] if exposure_s > 0.0 else []
    if rain.rate_mmph > 0.0:
        spectrum = precipitation.rain_spectrum(rain.rate_mmph)
        colour = _DROP_BRIGHTNESS * sky.horizon_colour(sun)
        falling = (spectrum, 0.0, colour, view, exposure_s, seed, "weather.rain")
        steps.append(precipitation.Precipitation(*falling))
    if snow.rate_mmph > 0.0:
        spectrum = precipitation.snow_spectrum(snow.rate_mmph)
        colour = _FLAKE_ALBEDO * (sun.sky + _FLAKE_SUN * sun.direct)
        falling = (spectrum, _FLUTTER_MPS, colour, view, exposure_s, seed, "weather.snow")
        steps.append(precipitation.Precipitation(*falling))
    return steps


def _glare(scenario: Scenario, sun: Sun, view: View) -> list[Step]:
    strength = scenario.light.glare
    return [lens.Glare(strength, sun.direction, sun.direct, view)] if strength > 0.0 else []


def lens_steps(
    scenario: Scenario, view: View, seed: int, glare: Sequence[Step] = ()
) -> list[Step]:
    """Return the steps of the lens, in the order of its surfaces.

    Args:
        scenario: its `camera` is used.
        view: geometry of the picture.
        seed: seed of the flight.
        glare: glare step, if any; it needs the sun.
    """
    camera = scenario.camera
    steps: list[Step] = []
    if camera.drops > 0:
        steps.append(lens.LensDrops(camera.drops, view.shape, seed))
    if camera.dirt > 0.0:
        steps.append(lens.Dirt(camera.dirt, view.shape, seed))
    if camera.defocus > 0.0:
        steps.append(lens.Defocus(camera.defocus * view.shape[1]))
    steps += glare
    if camera.vignetting > 0.0:
        steps.append(lens.Vignetting(camera.vignetting, view))
    return steps


def light_factors(scenario: Scenario, seed: int) -> list[Step]:
    """Return the factors on all light; being linear, they can be applied after the lens."""
    light = scenario.light
    steps: list[Step] = []
    if light.temperature_k != NEUTRAL_K:
        steps.append(ColourTemperature(light.temperature_k))
    if light.flicker > 0.0:
        steps.append(Flicker(light.flicker, light.flicker_hz, scenario.camera.exposure_s, seed))
    return steps
