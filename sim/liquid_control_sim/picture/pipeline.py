"""The way of a picture: air, lens, exposure, sensor, eight bits, transport.

Every step is chosen at construction from the scenario, and steps at their defaults are left out.
Only two things outlast a frame, what the automatic exposure metered and the frame that a frozen
one repeats; both are in `Memory`, which goes in with a frame and comes out with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from liquid_control.config.scenario import Scenario
from liquid_control.perception.deltas import PixelStep, published_changes
from liquid_control.types import Floats, Pixels
from liquid_control_sim.picture.lens import Defocus, Dirt, Glare, LensDrops, Vignetting
from liquid_control_sim.picture.motion_blur import MotionBlur
from liquid_control_sim.picture.precipitation import (
    Precipitation,
    SizeSpectrum,
    rain_spectrum,
    snow_spectrum,
)
from liquid_control_sim.picture.sensor import AutomaticExposure, Exposure, Metering, SensorNoise
from liquid_control_sim.picture.shot import Radiance, Shot, Step, View
from liquid_control_sim.picture.sky import (
    Backdrop,
    Fog,
    airlight_colour,
    horizon_colour,
    paint_panorama,
)
from liquid_control_sim.picture.sunlight import NEUTRAL_K, ColourTemperature, Flicker, Sun
from liquid_control_sim.picture.transport import Blackout, Freezer, compression
from liquid_control_sim.place.palette import Palette

_FULL_SCALE = np.full(4, 255.0)
_DROP_BRIGHTNESS = 0.95
"""Radiance of a raindrop over the horizon's: it gathers light from 165 degrees, Garg & Nayar 2007
(doi 10.1007/s11263-006-0028-6)."""
_FLAKE_ALBEDO = 0.9
_FLAKE_SUN = 0.3
"""Share of the direct light that the side of a flake that is seen scatters."""
_FLUTTER_MPS = 0.2

Expose = Callable[[Radiance, float, Metering | None], tuple[Radiance, Metering | None]]


@dataclass(frozen=True, slots=True)
class Memory:
    """What a flight's frames leave to those after them.

    Attributes:
        time_s: of the last frame; None before the first.
        air_moved_m: float64 [3], how far the wind has carried the air up to then, m, map.
        metering: of the automatic exposure.
        delivered: uint8 [H, W, 3], the last frame.
    """

    time_s: float | None = None
    air_moved_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    metering: Metering | None = None
    delivered: Pixels | None = None

    def at(self, time_s: float, wind: Floats) -> "Memory":
        """Return the memory at the time of the next frame, with the air moved on."""
        elapsed_s = 0.0 if self.time_s is None else time_s - self.time_s
        x, y, z = (a + elapsed_s * float(b) for a, b in zip(self.air_moved_m, wind, strict=True))
        return replace(self, time_s=time_s, air_moved_m=(x, y, z))


@dataclass(frozen=True)
class Pipeline:
    """Forms pictures from what was rendered.

    Attributes:
        optics: steps in the air and in the lens, at the renderer's resolution.
        oversample: pixels that are then averaged into one, in each direction.
        exposure: from light to picture.
        sensor: steps after the exposure.
        transport: steps on uint8 pictures.
        freezer: decides which frames repeat the one before.
        blackout: when the picture is black, if ever.
    """

    optics: tuple[Step, ...]
    oversample: int
    exposure: Expose
    sensor: tuple[Step, ...]
    transport: tuple[PixelStep, ...]
    freezer: Freezer
    blackout: Blackout | None

    def form(self, picture: Radiance, shot: Shot, memory: Memory) -> tuple[Pixels, Memory]:
        """Return the finished picture, uint8 [H, W, 3] RGB, and what to remember of it.

        Args:
            picture: lit surfaces, float32 [H, W, 3]; may be overwritten.
            shot: what is known of the frame.
            memory: of the frames before, already `at` this one's time.
        """
        for step in self.optics:
            picture = step(picture, shot)
        picture = shrink(picture, self.oversample)
        picture, metering = self.exposure(picture, shot.time_s, memory.metering)
        for step in self.sensor:
            picture = step(picture, shot)
        pixels = self._deliver(quantise(picture), shot, memory.delivered)
        return pixels, replace(memory, metering=metering, delivered=pixels)

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
        scenario: `light`, `fog`, `rain`, `snow`, `camera` and `delta` are read.
        sun: the flight's light.
        palette: of the far forest.
        view: of the rendered picture, `oversample` times the camera's.
        seed: the flight's.
        oversample: rendered pixels in one, in each direction.
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
    """Return the picture with squares of pixels averaged into one."""
    if factor == 1:
        return picture
    part = 1.0 / factor
    return np.asarray(cv2.resize(picture, None, fx=part, fy=part, interpolation=cv2.INTER_AREA))


def quantise(picture: Radiance) -> Pixels:
    """Clip to [0, 1] and round to uint8 [H, W, 3]."""
    return np.asarray(cv2.multiply(picture, _FULL_SCALE, dtype=cv2.CV_8U))


def haze_per_m(scenario: Scenario) -> float:
    """Return the extinction coefficient of fog, rain and snow together, 1/m."""
    total = scenario.fog.extinction_per_m
    for falling in _falling(scenario):
        total += falling.extinction_per_m
    return total


def _falling(scenario: Scenario) -> list[SizeSpectrum]:
    rain, snow = scenario.rain.rate_mmph, scenario.snow.rate_mmph
    kinds = [rain_spectrum(rain)] if rain > 0.0 else []
    return [*kinds, snow_spectrum(snow)] if snow > 0.0 else kinds


def _air(scenario: Scenario, sun: Sun, palette: Palette, seed: int) -> list[Step]:
    extinction = haze_per_m(scenario)
    columns = min(max(4 * scenario.camera.width, 512), 2048)
    backdrop = Backdrop(paint_panorama(sun, palette, extinction, seed, columns))
    return [Fog(extinction, airlight_colour(sun)), backdrop] if extinction > 0.0 else [backdrop]


def _moving(scenario: Scenario, sun: Sun, view: View, seed: int) -> list[Step]:
    """Return what the shutter time acts on: the scene, then what falls in front of it."""
    camera = scenario.camera
    steps: list[Step] = []
    if camera.exposure_s > 0.0:
        steps.append(MotionBlur(camera.exposure_s, view))
    if scenario.rain.rate_mmph > 0.0:
        spectrum, colour = rain_spectrum(scenario.rain.rate_mmph), horizon_colour(sun)
        steps.append(
            Precipitation(
                spectrum,
                0.0,
                _DROP_BRIGHTNESS * colour,
                view,
                camera.exposure_s,
                seed,
                "weather.rain",
            )
        )
    if scenario.snow.rate_mmph > 0.0:
        spectrum = snow_spectrum(scenario.snow.rate_mmph)
        colour = _FLAKE_ALBEDO * (sun.sky + _FLAKE_SUN * sun.direct)
        steps.append(
            Precipitation(
                spectrum,
                _FLUTTER_MPS,
                colour,
                view,
                camera.exposure_s,
                seed,
                "weather.snow",
            )
        )
    return steps


def _glare(scenario: Scenario, sun: Sun, view: View) -> list[Step]:
    strength = scenario.light.glare
    return [Glare(strength, sun.direction, sun.direct, view)] if strength > 0.0 else []


def lens_steps(
    scenario: Scenario, view: View, seed: int, glare: Sequence[Step] = ()
) -> list[Step]:
    """Return what the lens does, in the order of its surfaces.

    Args:
        scenario: `camera` is read.
        view: of the picture.
        seed: the flight's.
        glare: what scatters in the lens, for which a sun is needed.
    """
    camera = scenario.camera
    steps: list[Step] = []
    if camera.drops > 0:
        steps.append(LensDrops(camera.drops, view.shape, seed))
    if camera.dirt > 0.0:
        steps.append(Dirt(camera.dirt, view.shape, seed))
    if camera.defocus > 0.0:
        steps.append(Defocus(camera.defocus * view.shape[1]))
    steps += glare
    if camera.vignetting > 0.0:
        steps.append(Vignetting(camera.vignetting, view))
    return steps


def light_factors(scenario: Scenario, seed: int) -> list[Step]:
    """Return factors on all light: being linear, they may come after the lens."""
    light = scenario.light
    steps: list[Step] = []
    if light.temperature_k != NEUTRAL_K:
        steps.append(ColourTemperature(light.temperature_k))
    if light.flicker > 0.0:
        steps.append(Flicker(light.flicker, light.flicker_hz, scenario.camera.exposure_s, seed))
    return steps
