"""Magnetometer, barometer and GPS of an autopilot's firmware, with seeded errors."""

import math

import numpy as np

from liquid_control.config import NavigationSettings
from liquid_control.seeding import stream
from liquid_control_sim.dynamics.vectors import Quaternion, Vector, to_body

HOME_LATITUDE_DEG, HOME_LONGITUDE_DEG, HOME_ALTITUDE_M = 47.397742, 8.545594, 488.0
"""Place on Earth of the origin of `map`; its altitude is above mean sea level."""
EARTH_FIELD: Vector = (0.00771, 0.21523, -0.42741)
"""Magnetic field there, east, north, up, gauss (World Magnetic Model, declination 2 degrees)."""
METRES_PER_DEGREE = 111_319.49
"""Of latitude, WGS 84 at the equator: 2 pi 6378137 m / 360."""
GPS_TIME_CONSTANT_S = 60.0
_VERTICAL = 1.5


def pressure_hpa(altitude_m: float) -> float:
    """Return the pressure of the standard atmosphere (ISO 2533) below 11 km, hPa."""
    return float(1013.25 * (1.0 - 2.25577e-5 * altitude_m) ** 5.25588)


def geodetic(position: Vector) -> tuple[float, float, float]:
    """Return latitude and longitude, degrees, and altitude, m, of a position in `map`, m."""
    east, north, up = position
    across = METRES_PER_DEGREE * math.cos(math.radians(HOME_LATITUDE_DEG))
    latitude = HOME_LATITUDE_DEG + north / METRES_PER_DEGREE
    return latitude, HOME_LONGITUDE_DEG + east / across, HOME_ALTITUDE_M + up


class NavigationSensors:
    """The three sensors; each has a stream of its own: `magnetometer`, `barometer`, `gps`.

    Errors are white noise, and: a turn-on bias of the magnetometer, a random walk of the
    barometer, a Gauss-Markov process of the GPS position.
    """

    def __init__(self, settings: NavigationSettings, seed: int) -> None:
        """Draw the turn-on errors of one flight."""
        self._settings = settings
        self._magnetometer = stream(seed, "magnetometer")
        self._barometer = stream(seed, "barometer")
        self._gps = stream(seed, "gps")
        self._mag_bias = settings.mag_bias_gauss * self._magnetometer.standard_normal(3)
        self._baro_bias = 0.0
        self._scales = np.array((1.0, 1.0, _VERTICAL))
        self._gps_error = settings.gps_drift_m * self._scales * self._gps.standard_normal(3)

    def magnetic_field(self, quaternion: Quaternion) -> Vector:
        """Return a reading of the magnetometer, gauss, base_link.

        Args:
            quaternion: attitude, (x, y, z, w), base_link to map.
        """
        noise = self._settings.mag_noise_gauss * self._magnetometer.standard_normal(3)
        x, y, z = (np.array(to_body(quaternion, EARTH_FIELD)) + self._mag_bias + noise).tolist()
        return x, y, z

    def altitude(self, up_m: float, dt: float) -> float:
        """Return a reading of the barometer as altitude above mean sea level, m.

        Args:
            up_m: height above the origin of `map`.
            dt: time since the reading before, s.
        """
        white, walk = self._barometer.standard_normal(2).tolist()
        self._baro_bias += self._settings.baro_drift_m * math.sqrt(dt) * walk
        noise = self._settings.baro_noise_m * white
        return float(HOME_ALTITUDE_M + up_m + self._baro_bias + noise)

    def fix(self, position: Vector, velocity: Vector, dt: float) -> tuple[Vector, Vector]:
        """Return a GPS reading: position, m, and velocity, m/s, in `map`.

        Args:
            position: true, m, map.
            velocity: true, m/s, map.
            dt: time since the reading before, s.
        """
        settings, draws = self._settings, self._gps.standard_normal((3, 3))
        kept = math.exp(-dt / GPS_TIME_CONSTANT_S)
        drift = settings.gps_drift_m * math.sqrt(1.0 - kept * kept)
        self._gps_error = kept * self._gps_error + drift * self._scales * draws[0]
        noise = settings.gps_noise_m * self._scales * draws[1]
        x, y, z = (np.array(position) + self._gps_error + noise).tolist()
        rates = np.array(velocity) + settings.gps_velocity_noise_mps * draws[2]
        vx, vy, vz = rates.tolist()
        return (x, y, z), (vx, vy, vz)
