"""Six features from the IMU samples between two frames."""

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError
from liquid_control.types import ImuWindow

GRAVITY_MPS2 = 9.81
ANGULAR_RATE_UNIT_RADPS = 2.0
LIMIT = 3.0
FEATURES = 6


def imu_features(window: ImuWindow) -> NDArray[np.float32]:
    """Return mean angular rate and mean specific force, scaled to about one.

    The rates are in units of 2 rad/s; the forces in g, less the 1 g on z that a vehicle at rest
    feels; all held to +-3. A window without samples gives zeros, what an IMU at rest gives: the
    policy then flies by its camera. Whether samples should have come is for the caller to know,
    who can look at `len(window.stamps_ns)`.

    Args:
        window: the samples since the previous frame.

    Returns:
        float32 [6]: angular rate x, y, z, then force x, y, z, base_link.

    Raises:
        ObservationError: a sample is NaN or infinite.
    """
    if len(window.stamps_ns) == 0:
        return np.zeros(FEATURES, dtype=np.float32)
    rate = window.angular_velocity.mean(axis=0)
    force = window.linear_acceleration.mean(axis=0)
    for name, mean in (("angular_velocity", rate), ("linear_acceleration", force)):
        if not np.isfinite(mean).all():
            raise ObservationError(f"expected finite IMU samples, got {name} with mean {mean}")
    features = np.concatenate([rate / ANGULAR_RATE_UNIT_RADPS, force / GRAVITY_MPS2])
    features[5] -= 1.0
    clipped: NDArray[np.float32] = np.clip(features, -LIMIT, LIMIT).astype(np.float32)
    return clipped
