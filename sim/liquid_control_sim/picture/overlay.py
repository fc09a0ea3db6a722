"""Camera disturbances applied to recorded pictures.

The same steps as in flight, in the same order and with the same random streams, are applied to
finished pictures instead of rendered light. This rests on the following assumptions:

- **Values are light.** Light in the simulator is linear in display values, without a gamma: a
  recorded value over 255 is light at exposure 1. All accepted optical steps are linear in light
  and commute with the exposure of the recorded picture.
- **Clipped values are white.** The recording has lost light above full scale: where a step darkens
  or spreads it, the result is darker than a picture taken in flight.
- **Recorded noise remains.** In flight, noise is added after the lens; here it is added before,
  and a gain amplifies it. `light.level` adds only the difference to the recorded shot noise, which
  is assumed to be that of the default camera: s^2 value (1 / level - 1).
- **The recorded exposure is fixed.** `light.exposure_lag_s` meters the recorded picture.
- **Only recorded frames exist.** Latency shows the recorded frame closest in time; a lower rate
  keeps the first recorded frame at or after each due time.

Fog, rain and snow need distances, motion blur also the vehicle's motion, glare the direction of
the sun, and another season or sun another scene: they are refused.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import floor, radians, tan
from typing import Any

import cv2
import numpy as np

from liquid_control.config import CameraSettings, Scenario
from liquid_control.config.recorded_pictures import flat_keys, overlaid_disturbances, refusals
from liquid_control.errors import ConfigError, ObservationError
from liquid_control.interfaces import PictureChange
from liquid_control.perception.deltas import published_changes
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS, Pixels
from liquid_control_sim.picture.light import AutomaticExposure, Exposure, Metering
from liquid_control_sim.picture.pipeline import Expose, Memory, Pipeline, lens_steps, light_factors
from liquid_control_sim.picture.sensor import (
    BLACKOUT_WITHIN_S,
    Blackout,
    Freezer,
    SensorNoise,
    compression,
)
from liquid_control_sim.picture.shot import Radiance, Shot, Step, View, make_view
from liquid_control_sim.render.optics import Intrinsics

_DUE_EARLY_S = 1.0 / 240.0
"""Tolerance for early frames: stamps are on ticks of the simulator, or have jitter."""


class Delivery:
    """Selects the recorded frames that the camera takes and that arrive.

    Losses are drawn per frame from the stream "camera.drops", as in flight. The first frame always
    arrives.
    """

    def __init__(self, camera: CameraSettings, seed: int) -> None:
        default_hz = Scenario().camera.rate_hz
        self._rate_hz = camera.rate_hz if camera.rate_hz < default_hz else None
        self._drop_rate = camera.drop_rate
        self._losses = stream(seed, "camera.drops")
        self._due = -1

    def delivers(self, time_s: float) -> bool:
        """Return whether a frame arrives, by its time since the first one."""
        first = self._due < 0
        due = self._due + 1
        if self._rate_hz is not None:
            due = floor((time_s + _DUE_EARLY_S) * self._rate_hz)
        if due == self._due:
            return False
        self._due = due
        return first or bool(self._losses.random() >= self._drop_rate)

    def state(self) -> dict[str, Any]:
        """Return the state, for `restore`."""
        return {"due": self._due, "losses": self._losses.bit_generator.state}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        self._due = state["due"]
        self._losses.bit_generator.state = state["losses"]


class DelayBuffer:
    """Buffer of the recorded frames within the latency."""

    def __init__(self, latency_s: float) -> None:
        self._late_ns = round(latency_s * NANOSECONDS)
        self._kept: deque[tuple[int, Pixels]] = deque()

    def push(self, image: Pixels, stamp_ns: int) -> tuple[Pixels, int]:
        """Add a frame; return the frame closest to `latency_s` before it, and its stamp.

        At the start this is the first frame, as in flight.
        """
        self._kept.append((stamp_ns, image))
        due_ns = stamp_ns - self._late_ns
        while len(self._kept) > 1 and (
            abs(self._kept[1][0] - due_ns) < abs(self._kept[0][0] - due_ns)
        ):
            self._kept.popleft()
        shown_ns, shown = self._kept[0]
        return shown, shown_ns

    def state(self) -> list[list[Any]]:
        """Return the state, for `restore`."""
        return [[stamp_ns, image] for stamp_ns, image in self._kept]

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Continue from a state."""
        self._kept = deque((stamp_ns, image) for stamp_ns, image in state)


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
    """Return a change of recorded pictures by the disturbances of a scenario, for one flight.

    Args:
        scenario: keys that differ from the defaults must be in `recorded_pictures.ACCEPTED_KEYS`.
        seed: seed of the random streams; as in the simulator, a seed gives the same lens drops.
        width: width of the recorded pictures, px.
        height: height of the recorded pictures, px.
        horizontal_fov_deg: horizontal field of view of the recorded pictures; that of the default
            camera if None. Only vignetting uses it.
        duration_s: length of the recording. A blackout without a given time is drawn such that it
            ends within the recording if that is shorter than the default range of 20 s.

    Raises:
        ConfigError: the scenario changes a key that cannot be applied to a recorded picture.
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
    """Return the scenario with the time of its blackout, drawn to fit a short recording."""
    camera = scenario.camera
    if duration_s is None or camera.blackout_s == 0.0 or camera.blackout_from_s is not None:
        return scenario
    within_s = min(max(duration_s - camera.blackout_s, 0.0), BLACKOUT_WITHIN_S)
    drawn = Blackout(None, camera.blackout_s, seed).from_s / BLACKOUT_WITHIN_S
    placed = camera.model_copy(update={"blackout_from_s": drawn * within_s})
    return scenario.model_copy(update={"camera": placed})


class Overlay:
    """`PictureChange` that applies the disturbed camera of one flight; see `overlay`."""

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
        self._delay = DelayBuffer(scenario.camera.latency_s)
        self._memory = Memory()
        self._start_ns: int | None = None
        self._shot = _shot_without_scene(view)

    def __call__(self, image: Pixels, stamp_ns: int, index: int) -> Pixels | None:
        """Return the picture that the disturbed camera delivers, or None if it is lost.

        Raises:
            ObservationError: the picture is not uint8 RGB, or has another size than expected.
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ObservationError(
                f"expected pictures of uint8 {self._shape}, got {image.dtype} {image.shape}"
            )
        if self._unchanged:
            return image
        self._start_ns = stamp_ns if self._start_ns is None else self._start_ns
        shown, shown_ns = self._delay.push(image, stamp_ns)
        if not self._delivery.delivers((stamp_ns - self._start_ns) / NANOSECONDS):
            return None
        time_s = (shown_ns - self._start_ns) / NANOSECONDS
        shot = replace(self._shot, frame_index=index, time_s=time_s)
        light: Radiance = np.asarray(cv2.multiply(shown, _TO_LIGHT, dtype=cv2.CV_32F), np.float32)
        formed, self._memory = self._pipeline.form(light, shot, self._memory.at(time_s, _CALM))
        return formed

    def state(self) -> dict[str, Any]:
        """Return the state between two pictures, for `restore`."""
        return {
            "start_ns": self._start_ns,
            "delivery": self._delivery.state(),
            "delay": self._delay.state(),
            "memory": {
                "time_s": self._memory.time_s,
                "air_moved_m": list(self._memory.air_moved_m),
                "metering": None
                if self._memory.metering is None
                else asdict(self._memory.metering),
                "delivered": self._memory.delivered,
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of an overlay that was made alike."""
        self._start_ns = state["start_ns"]
        self._delivery.restore(state["delivery"])
        self._delay.restore(state["delay"])
        self._memory = _memory(state["memory"])


def _memory(state: Mapping[str, Any]) -> Memory:
    """Return the memory of a stored state."""
    metering = state["metering"]
    return Memory(
        time_s=state["time_s"],
        air_moved_m=(*map(float, state["air_moved_m"]),),  # type: ignore[arg-type]
        metering=None if metering is None else Metering(**metering),
        delivered=state["delivered"],
    )


def _shot_without_scene(view: View) -> Shot:
    """Return a shot with rays only; the accepted steps use nothing else."""
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
    added = camera.shot_noise * (1.0 / light.level - 1.0) ** 0.5
    noise = SensorNoise(added, camera.noise_sigma, seed)
    return Pipeline(
        optics=(*lens, *light_factors(scenario, seed)),
        oversample=1,
        exposure=exposure,
        sensor=(noise,) if added > 0.0 or camera.noise_sigma > 0.0 else (),
        transport=(*compression(camera), *published_changes(scenario.delta, seed)),
        freezer=Freezer(camera.freeze_rate, seed),
        blackout=Blackout(camera.blackout_from_s, camera.blackout_s, seed)
        if camera.blackout_s > 0.0
        else None,
    )
