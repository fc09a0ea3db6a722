"""Compute six features from the IMU samples between two frames."""

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError
from liquid_control.types import ImuWindow

GRAVITY_MPS2 = 9.81
ANGULAR_RATE_UNIT_RADPS = 2.0
IMU_LIMIT = 3.0
IMU_FEATURES = 6

MIRRORED_IMU = np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0], np.float32)
"""Signs of the features when mirrored: rates are axial vectors, accelerations are not."""


def imu_features(window: ImuWindow) -> NDArray[np.float32]:
    """Return mean angular rate and mean specific force, scaled to about one.

    Rates are in units of 2 rad/s. Forces are in g, minus the 1 g on z that an IMU at rest
    measures. All values are clipped to +-3. A window without samples yields zeros, as does an IMU
    at rest: the policy then depends on its camera. A caller that requires samples checks
    `len(window.stamps_ns)`.

    Args:
        window: samples since the previous frame.

    Returns:
        float32 [6]: angular rate x, y, z, then force x, y, z, base_link.

    Raises:
        ObservationError: a sample is NaN or infinite.
    """
    if len(window.stamps_ns) == 0:
        return np.zeros(IMU_FEATURES, dtype=np.float32)
    rate = window.angular_velocity.mean(axis=0)
    force = window.linear_acceleration.mean(axis=0)
    for name, mean in (("angular_velocity", rate), ("linear_acceleration", force)):
        if not np.isfinite(mean).all():
            raise ObservationError(f"expected finite IMU samples, got {name} with mean {mean}")
    features = np.concatenate([rate / ANGULAR_RATE_UNIT_RADPS, force / GRAVITY_MPS2])
    features[5] -= 1.0
    clipped: NDArray[np.float32] = np.clip(features, -IMU_LIMIT, IMU_LIMIT).astype(np.float32)
    return clipped
