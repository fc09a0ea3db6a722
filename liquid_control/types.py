"""Types shared by all packages: sensor readings, commands, vehicle states, flight records.

Stamps are integer nanoseconds, so equal instants compare equal. Elapsed time is a difference of
stamps. Units are SI, frames as in `liquid_control.frames`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Command:
    """A velocity command in the heading frame: output of a policy, input of an autopilot."""

    forward_mps: float = 0.0
    left_mps: float = 0.0
    up_mps: float = 0.0
    yaw_rate_radps: float = 0.0

    @property
    def values(self) -> tuple[float, float, float, float]:
        """(forward, left, up) in m/s and yaw rate in rad/s, counter-clockwise."""
        return self.forward_mps, self.left_mps, self.up_mps, self.yaw_rate_radps

    @property
    def is_finite(self) -> bool:
        """Whether all four values are finite."""
        return all(isfinite(value) for value in self.values)


HOVER = Command()
"""Zero velocity and zero yaw rate: the fallback command."""


@dataclass(frozen=True, slots=True)
class ImuWindow:
    """The IMU samples of one interval, oldest first.

    Attributes:
        stamps_ns: int64 [K].
        angular_velocity: float64 [K, 3], rad/s, base_link.
        linear_acceleration: float64 [K, 3], m/s^2, base_link: specific force, +9.81 on z at rest.
    """

    stamps_ns: NDArray[np.int64]
    angular_velocity: Floats
    linear_acceleration: Floats

    def __post_init__(self) -> None:
        count = len(self.stamps_ns)
        for name in ("angular_velocity", "linear_acceleration"):
            shape = getattr(self, name).shape
            if shape != (count, 3):
                raise ObservationError(f"IMU {name} must have shape ({count}, 3), got {shape}")

    @classmethod
    def empty(cls) -> "ImuWindow":
        """Return a window without samples."""
        return cls(np.empty(0, np.int64), np.empty((0, 3)), np.empty((0, 3)))

    @classmethod
    def joined(cls, windows: "Sequence[ImuWindow]") -> "ImuWindow":
        """Return consecutive windows as one."""
        if not windows:
            return cls.empty()
        return cls(
            np.concatenate([window.stamps_ns for window in windows]),
            np.concatenate([window.angular_velocity for window in windows]),
            np.concatenate([window.linear_acceleration for window in windows]),
        )


@dataclass(frozen=True, slots=True)
class Observation:
    """Input of a policy at one instant.

    Attributes:
        stamp_ns: the camera frame's stamp.
        image: uint8 [H, W, 3], RGB.
        imu: the samples since the previous frame that was processed, this stamp included.
        range_m: height above ground from a range sensor, m; None without one.
        orientation: float64 [4], (x, y, z, w), base_link to map, as the IMU estimates it; None
            where it does not.
        cruise_mps: cruise speed that the vehicle is asked to hold, m/s; None if not set.
        mount: horizontal field of view and pitch of the camera, degrees, the pitch positive
            downwards; None if unknown.
    """

    stamp_ns: int
    image: Pixels
    imu: ImuWindow
    range_m: float | None = None
    orientation: Floats | None = None
    cruise_mps: float | None = None
    mount: tuple[float, float] | None = None


class PictureHealth(NamedTuple):
    """Health of one picture.

    Attributes:
        stamp_ns: of the frame.
        repeats: number of pictures in succession, up to this one, that equal the one before.
        brightness: mean of all values, of 255.
        contrast: standard deviation of all values, of 255.
        score: distance from the training pictures, standard deviations; 0 where it is not known.
    """

    stamp_ns: int
    repeats: int
    brightness: float
    contrast: float
    score: float


@dataclass(frozen=True, slots=True)
class VehicleState:
    """True kinematic state of the vehicle, for experts, evaluation and plots.

    Attributes:
        position: float64 [3], m, map (ENU).
        quaternion: float64 [4], (x, y, z, w), base_link to map.
        velocity: float64 [3], m/s, map.
        angular_velocity: float64 [3], rad/s, base_link.
    """

    position: Floats
    quaternion: Floats
    velocity: Floats
    angular_velocity: Floats


@dataclass(frozen=True, slots=True)
class FlightResult:
    """Result of one flight: a row of `results.json`.

    Attributes:
        reason: `completed`, or the reason of the failure: `left_trail` (trail task: farther than
            `trail.lateral_limit_m` from its centre), `left_area` (target and hike: more than 10 m
            from the way to the next target), `collision`, `altitude`, `timeout`, `guard_stop`
            (only hover commands for 3 s, other than at a target).
    """

    success: bool
    reason: str
    distance_m: float
    cross_track_rms_m: float
    min_clearance_m: float
    duration_s: float

    def sentence(self) -> str:
        """Return how the flight ended, as text."""
        ended = self.reason.replace("_", " ")
        if not self.success:
            ended = f"failed: {ended}"
        return f"{ended} after {self.duration_s:.2f} s and {self.distance_m:.1f} m"


TRUTH_VARIANCE = 1e-9
"""Variance of each component of a simulated vehicle's odometry; the state is exact, but 0 means
that the variance is not known."""

SIMULATED_REACH_M = 1000.0
"""Largest range that a simulated sensor states, m; it has no limit of its own."""


@dataclass(frozen=True, slots=True)
class FlightRecord:
    """One flight, a row per control tick.

    Attributes:
        stamp_ns: int64 [T].
        position: float64 [T, 3], m, map.
        quaternion: float64 [T, 4], (x, y, z, w).
        velocity: float64 [T, 3], m/s, map.
        command: float64 [T, 4], as `Command.values`: in force from this tick on.
        framed: bool [T], whether a camera frame was delivered at this tick.
        wind: float64 [T, 3], m/s, map, at the vehicle.
        progress_m: float64 [T], along the trail or the course.
        cross_track_m: float64 [T], signed, left of it positive.
        clearance_m: float64 [T], distance to the nearest obstacle, minus the vehicle's radius.
        result: of the flight.
    """

    stamp_ns: NDArray[np.int64]
    position: Floats
    quaternion: Floats
    velocity: Floats
    command: Floats
    framed: NDArray[np.bool_]
    wind: Floats
    progress_m: Floats
    cross_track_m: Floats
    clearance_m: Floats
    result: FlightResult
