"""What a disturbance of the camera would have made of pictures that were recorded without it.

The same steps as in flight, in the same order and from the same random streams, act on finished
pictures instead of on rendered light. What has to be assumed for that:

- **A value is light.** The simulator's light is linear in display values, without a gamma, so a
  recorded value over 255 stands for light at exposure 1. Every optical step that is accepted is
  linear in light and so commutes with the exposure that the recorded picture already has.
- **What was clipped is white.** Light above full scale was lost in recording: where a step darkens
  or spreads it, the overlaid picture is darker than the one taken in flight.
- **The recorded noise stays.** It was added after the lens in flight and lies before it here, and
  a gain amplifies it. `light.level` adds just the shot noise that the recorded one, taken to be
  that of the default camera, lacks: s^2 value (1 / level - 1).
- **The recorded exposure was fixed.** `light.exposure_lag_s` meters the recorded picture.
- **Only recorded frames exist.** Latency shows the recorded frame nearest to its time; a lower
  rate keeps, of the recorded frames, the first at or after each due time.

Fog, rain and snow need distances, motion blur the vehicle's motion too, glare the sun's direction,
and seasons or another sun another scene: they are refused.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from math import floor, radians, tan

import cv2
import numpy as np

from liquid_control.config.recorded_pictures import flat_keys, overlaid_disturbances, refusals
from liquid_control.config.scenario import CameraSettings, Scenario
from liquid_control.errors import ConfigError, ObservationError
from liquid_control.interfaces import PictureChange
from liquid_control.perception.deltas import published_changes
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS, Pixels
from liquid_control_sim.picture.pipeline import Expose, Memory, Pipeline, lens_steps, light_factors
from liquid_control_sim.picture.sensor import AutomaticExposure, Exposure, SensorNoise
from liquid_control_sim.picture.shot import Radiance, Shot, Step, View, make_view
from liquid_control_sim.picture.transport import BLACKOUT_WITHIN_S, Blackout, Freezer, compression
from liquid_control_sim.render.optics import Intrinsics

_DUE_EARLY_S = 1.0 / 240.0
"""A frame that is early by less is on time: stamps lie on ticks of the simulator, or jitter."""


class Delivery:
    """Decides which recorded frames are taken, and which of those arrive.

    Losses are drawn frame by frame from the stream "camera.drops", as in flight; the first frame
    always arrives.
    """

    def __init__(self, camera: CameraSettings, seed: int) -> None:
        usual_hz = Scenario().camera.rate_hz
        self._rate_hz = camera.rate_hz if camera.rate_hz < usual_hz else None
        self._drop_rate = camera.drop_rate
        self._losses = stream(seed, "camera.drops")
        self._due = -1

    def delivers(self, time_s: float) -> bool:
        """Return whether the frame at a time since the first one arrives."""
        first = self._due < 0
        due = self._due + 1
        if self._rate_hz is not None:
            due = floor((time_s + _DUE_EARLY_S) * self._rate_hz)
        if due == self._due:
            return False
        self._due = due
        return first or bool(self._losses.random() >= self._drop_rate)


class Past:
    """Keeps as many recorded frames as the latency spans."""

    def __init__(self, latency_s: float) -> None:
        self._late_ns = round(latency_s * NANOSECONDS)
        self._kept: deque[tuple[int, Pixels]] = deque()

    def see(self, image: Pixels, stamp_ns: int) -> tuple[Pixels, int]:
        """Take a frame; return the one nearest to `latency_s` ago, and its stamp.

        In the beginning that is the first, as in flight.
        """
        self._kept.append((stamp_ns, image))
        wanted_ns = stamp_ns - self._late_ns
        while len(self._kept) > 1 and (
            abs(self._kept[1][0] - wanted_ns) < abs(self._kept[0][0] - wanted_ns)
        ):
            self._kept.popleft()
        shown_ns, shown = self._kept[0]
        return shown, shown_ns


_CALM = np.zeros(3)
_TO_LIGHT = np.full(4, 1.0 / 255.0)


def overlay(
    scenario: Scenario,
    seed: int,
    width: int,
    height: int,
    horizontal_fov_deg: float | None = None,
    duration_s: float | None = None,
) -> PictureChange:
    """Return what the scenario's disturbances make of recorded pictures, one flight's.

    Args:
        scenario: keys that differ from the defaults must be among `config.overlaid.ACCEPTED_KEYS`.
        seed: of the random streams, which are the simulator's: the same seed gives the same drops.
        width: of the recorded pictures.
        height: of the recorded pictures.
        horizontal_fov_deg: of the recorded pictures; the default camera's if None. Vignetting
            alone asks for it.
        duration_s: of the recording: a blackout without a time is then drawn from what of it the
            blackout fits into, if that is shorter than the first 20 s.

    Raises:
        ConfigError: the scenario changes what cannot be changed in a recorded picture.
    """
    refused = refusals(scenario)
    if refused:
        raise ConfigError(
            f"{'; '.join(refused)}: this cannot be done to a recorded picture; "
            f"these disturbances can: {', '.join(overlaid_disturbances())}"
        )
    return Overlay(
        _with_blackout(scenario, seed, duration_s), seed, width, height, horizontal_fov_deg
    )


def _with_blackout(scenario: Scenario, seed: int, duration_s: float | None) -> Scenario:
    """Return the scenario with the time of its blackout, where the recording is short."""
    camera = scenario.camera
    if duration_s is None or camera.blackout_s == 0.0 or camera.blackout_from_s is not None:
        return scenario
    within_s = min(max(duration_s - camera.blackout_s, 0.0), BLACKOUT_WITHIN_S)
    drawn = Blackout(None, camera.blackout_s, seed).from_s / BLACKOUT_WITHIN_S
    placed = camera.model_copy(update={"blackout_from_s": drawn * within_s})
    return scenario.model_copy(update={"camera": placed})


class Overlay:
    """A `PictureChange`: one flight's camera, disturbed; see `overlay`."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        width: int,
        height: int,
        horizontal_fov_deg: float | None,
    ) -> None:
        self._unchanged = flat_keys(scenario) == flat_keys(Scenario())
        fov_deg = horizontal_fov_deg or scenario.camera.horizontal_fov_deg
        focal_px = 0.5 * width / tan(0.5 * radians(fov_deg))
        view = make_view(Intrinsics(width, height, focal_px))
        self._shape = (height, width, 3)
        self._pipeline = _pipeline(scenario, seed, lens_steps(scenario, view, seed))
        self._delivery = Delivery(scenario.camera, seed)
        self._past = Past(scenario.camera.latency_s)
        self._memory = Memory()
        self._start_ns: int | None = None
        self._shot = _unknown(view)

    def __call__(self, image: Pixels, stamp_ns: int, index: int) -> Pixels | None:
        """Return the picture as the disturbed camera delivers it, or None where it is lost.

        Raises:
            ObservationError: the picture is no uint8 RGB one of the size that was told.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ObservationError(
                f"expected pictures of uint8 {self._shape}, got {image.dtype} {image.shape}"
            )
        if self._unchanged:
            return image
        self._start_ns = stamp_ns if self._start_ns is None else self._start_ns
        shown, shown_ns = self._past.see(image, stamp_ns)
        if not self._delivery.delivers((stamp_ns - self._start_ns) / NANOSECONDS):
            return None
        time_s = (shown_ns - self._start_ns) / NANOSECONDS
        shot = replace(self._shot, frame_index=index, time_s=time_s)
        light: Radiance = np.asarray(cv2.multiply(shown, _TO_LIGHT, dtype=cv2.CV_32F), np.float32)
        formed, self._memory = self._pipeline.form(light, shot, self._memory.at(time_s, _CALM))
        return formed


def _unknown(view: View) -> Shot:
    """Return a shot of which only the rays are known: no accepted step asks for more."""
    return Shot(
        range_m=np.full(view.shape, np.nan, np.float32),
        is_sky=np.zeros(view.shape, np.bool_),
        rays=view.rays,
        rotation=np.eye(3, dtype=np.float32),
        frame_index=0,
    )


def _pipeline(scenario: Scenario, seed: int, lens: Sequence[Step]) -> Pipeline:
    light, camera = scenario.light, scenario.camera
    exposure: Expose = Exposure(light.gain)
    if light.exposure_lag_s > 0.0:
        exposure = AutomaticExposure(light.gain, light.exposure_lag_s)
    lacking = camera.shot_noise * (1.0 / light.level - 1.0) ** 0.5
    noise = SensorNoise(lacking, camera.noise_sigma, seed)
    return Pipeline(
        optics=(*lens, *light_factors(scenario, seed)),
        oversample=1,
        exposure=exposure,
        sensor=(noise,) if lacking > 0.0 or camera.noise_sigma > 0.0 else (),
        transport=(*compression(camera), *published_changes(scenario.delta, seed)),
        freezer=Freezer(camera.freeze_rate, seed),
        blackout=Blackout(camera.blackout_from_s, camera.blackout_s, seed)
        if camera.blackout_s > 0.0
        else None,
    )
