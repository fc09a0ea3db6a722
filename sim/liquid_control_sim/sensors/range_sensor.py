"""Range sensor: distance to the ground along -z of the body."""

from liquid_control.config import RangeSettings
from liquid_control.frames import rotation_from_quaternion
from liquid_control.interfaces import Ground
from liquid_control.seeding import stream
from liquid_control.types import VehicleState
from liquid_control_sim.place.terrain import FLAT

_LEAST_COSINE = 0.2
"""Beyond about 78 degrees of tilt there is no measurement."""
_LONGEST_M = 60.0
_STEPS = 12


class RangeSensor:
    """A beam along -z of base_link onto the ground; the stream of its noise is `range`."""

    def __init__(self, settings: RangeSettings, seed: int, ground: Ground = FLAT) -> None:
        """Create the sensor of one flight."""
        self._settings = settings
        self._ground = ground
        self._generator = stream(seed, "range")

    def measure(self, state: VehicleState) -> float | None:
        """Return the distance, m; None without a sensor or when the beam misses the ground."""
        if not self._settings.enabled:
            return None
        noise = self._settings.noise_m * float(self._generator.standard_normal())
        distance = self._distance(state)
        return None if distance is None else max(0.0, distance + noise)

    def _distance(self, state: VehicleState) -> float | None:
        """Return the distance along the beam, iterating d <- d + (height above ground) / cosine.

        On flat ground the first step is exact. On a slope each step multiplies the error by
        tan(slope) tan(tilt). None if the iteration does not converge.
        """
        qx, qy = float(state.quaternion[0]), float(state.quaternion[1])
        cosine = 1.0 - 2.0 * (qx * qx + qy * qy)
        if cosine < _LEAST_COSINE:
            return None
        x, y, z = (float(value) for value in state.position)
        down_x, down_y, _ = (-rotation_from_quaternion(state.quaternion)[:, 2]).tolist()
        distance = (z - self._ground.height_at(x, y)) / cosine
        for _ in range(_STEPS):
            ground = self._ground.height_at(x + distance * down_x, y + distance * down_y)
            above = z - distance * cosine - ground
            if abs(above) < 1e-6:
                return distance
            distance += above / cosine
        return distance if abs(above) < 0.05 and distance < _LONGEST_M else None
