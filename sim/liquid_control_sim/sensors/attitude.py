"""Attitude estimate of an autopilot: the true orientation with noise on roll and pitch."""

import math

import numpy as np

from liquid_control.frames import quaternion_product
from liquid_control.seeding import stream
from liquid_control.types import Floats, VehicleState


class AttitudeEstimate:
    """Orientation as an autopilot estimates it; the stream of its noise is `attitude`."""

    def __init__(self, noise_deg: float, seed: int) -> None:
        """Create the estimate of one flight; `noise_deg` is the deviation of roll and pitch."""
        self._noise_rad = math.radians(noise_deg)
        self._generator = stream(seed, "attitude")

    def measure(self, state: VehicleState) -> Floats:
        """Return the estimate, float64 [4], (x, y, z, w), base_link to map."""
        roll, pitch = 0.5 * self._noise_rad * self._generator.standard_normal(2)
        error = np.array([roll, pitch, 0.0, 1.0])
        estimate = quaternion_product(state.quaternion, error)
        return np.asarray(estimate / math.sqrt(estimate.dot(estimate)))
