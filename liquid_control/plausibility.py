"""Ranges outside which a measurement or a feature cannot be right, whatever the vehicle does."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, isfinite

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError
from liquid_control.types import Floats, ImuWindow

AXES = ("x", "y", "z")
ROUNDING = 1.001
"""Factor by which a value that is computed in float32 may pass its bound."""
NOT_MEASURED = -1.0
"""First element of the covariance of a quantity that was not measured (REP 145)."""
UNIT_TOLERANCE = 0.1
"""Largest deviation of an orientation's norm from 1; drivers that have none may send zeros."""


@dataclass(frozen=True, slots=True)
class ImuRange:
    """Range of an IMU, with margin.

    Attributes:
        max_rate_radps: largest angular rate about an axis, rad/s.
        max_accel_mps2: largest specific force along an axis, m/s^2.
    """

    max_rate_radps: float
    max_accel_mps2: float

    def check(self, window: ImuWindow) -> None:
        """Check the samples of a window.

        Raises:
            ObservationError: a sample is out of range; NaN is out of every range.
        """
        quantities = (
            ("angular velocity", window.angular_velocity, self.max_rate_radps, "rad/s"),
            ("acceleration", window.linear_acceleration, self.max_accel_mps2, "m/s^2"),
        )
        for name, values, limit, unit in quantities:
            if not np.all(np.abs(values) <= limit):
                row, axis = np.argwhere(~(np.abs(values) <= limit))[0]
                raise ObservationError(
                    f"expected an IMU {name} of at most {limit:g} {unit}, "
                    f"got {values[row, axis]:g} {unit} on {AXES[axis]}"
                )


def check_features(
    features: NDArray[np.float32], image: int, image_limit: float, imu_limit: float
) -> None:
    """Check the range of a frame's features; NaN, which marks an unusable frame, passes.

    Args:
        features: float32 [F], those of the picture first.
        image: number of features of the picture.
        image_limit: largest magnitude of a feature of the picture; 1 for tanh.
        imu_limit: largest magnitude of a feature of the IMU.

    Raises:
        ObservationError: a feature is out of range.
    """
    if np.isnan(features).any():
        return
    parts = (("picture", features[:image], image_limit), ("IMU", features[image:], imu_limit))
    for name, values, limit in parts:
        if not np.all(np.abs(values) <= limit * ROUNDING):
            worst = float(values[np.argmax(np.abs(values))])
            raise ObservationError(
                f"expected features of the {name} of at most {limit:g}, got {worst:g}"
            )


def measured_orientation(quaternion: Sequence[float], covariance: float) -> Floats | None:
    """Return the orientation of a `sensor_msgs/Imu`, float64 [4]; None if it is not measured.

    Args:
        quaternion: (x, y, z, w).
        covariance: the first element of its covariance.
    """
    is_unit = abs(hypot(*quaternion) - 1.0) <= UNIT_TOLERANCE
    if covariance == NOT_MEASURED or not is_unit:
        return None
    return np.array(quaternion, np.float64)


def measured_range(distance_m: float, least_m: float, most_m: float) -> float | None:
    """Return the distance of a `sensor_msgs/Range`; None outside of its limits (REP 117).

    Args:
        distance_m: the reading, m.
        least_m: smallest distance that the sensor states, m.
        most_m: largest one, m; without effect unless it is above the smallest.
    """
    limited = least_m < most_m
    valid = isfinite(distance_m) and (not limited or least_m <= distance_m <= most_m)
    return distance_m if valid else None
