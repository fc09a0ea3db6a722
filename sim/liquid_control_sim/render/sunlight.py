"""Light of a flight: direction of the sun, direct and sky light, and exposure.

The model serves pictures, not photometry. Light is linear in display values: a white surface on
the ground under the default sun (50 degrees, strength 1) receives about 1.2 and is exposed to 1.3.

- Direct light fades as the sun approaches the horizon and turns from white to orange.
- Sky light fades from 12 degrees above to 6 degrees below the horizon, and turns from neutral over
  warm to blue.
- The automatic exposure is partial: it compensates for 60 % of a loss of light on a logarithmic
  scale, exposure = 1.2 level ** -0.6: dusk remains darker than noon. `light.gain` multiplies it.
"""

import math
from dataclasses import dataclass

import numpy as np

from liquid_control.config import LightSettings
from liquid_control.seeding import stream
from liquid_control.types import Floats

_EXPOSURE, _EXPOSURE_POWER = 1.2, 0.6
_SKY_LIGHT = 0.60
_DIRECT_LIGHT = 0.85
_KNOTS_DEG = (-5.0, 0.0, 8.0, 18.0, 35.0)
_DIRECT_COLOURS = (
    (1.0, 0.45, 0.20),
    (1.0, 0.52, 0.25),
    (1.0, 0.70, 0.42),
    (1.0, 0.88, 0.70),
    (1.0, 0.97, 0.90),
)
_SKY_COLOURS = (
    (0.74, 0.76, 0.96),
    (0.94, 0.82, 0.84),
    (1.02, 0.91, 0.84),
    (1.0, 0.97, 0.94),
    (0.96, 1.0, 1.05),
)


@dataclass(frozen=True)
class Sun:
    """Light of a flight.

    Attributes:
        direction: float64 [3], unit vector from the ground to the sun, map.
        elevation_deg: elevation above the horizon, degrees.
        direct: float64 [3], RGB, light on a surface that faces the sun.
        sky: float64 [3], RGB, ambient light.
        daylight: brightness of the sky, from 0 at night to 1.
        exposure: factor from light to picture, including `light.gain`.
    """

    direction: Floats
    elevation_deg: float
    direct: Floats
    sky: Floats
    daylight: float
    exposure: float

    @property
    def direct_fraction(self) -> float:
        """Fraction of direct light in the light on the ground: the darkness of shadows."""
        direct = float(self.direct.mean()) * max(float(self.direction[2]), 0.0)
        return direct / (direct + float(self.sky.mean()))


def make_sun(settings: LightSettings, seed: int) -> Sun:
    """Return the light of a flight; a null azimuth is drawn from the stream "light"."""
    azimuth_deg = stream(seed, "light").uniform(-180.0, 180.0)
    if settings.sun_azimuth_deg is not None:
        azimuth_deg = settings.sun_azimuth_deg
    elevation_deg, strength = settings.sun_elevation_deg, settings.sun_strength
    elevation, azimuth = math.radians(elevation_deg), math.radians(azimuth_deg)
    direction = np.array(
        [
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ]
    )
    daylight = 0.06 + 0.94 * _smooth(elevation_deg, -6.0, 12.0)
    overcast = 1.0 + 0.3 * max(1.0 - strength, 0.0)
    sky = _SKY_LIGHT * overcast * daylight * colour_at(elevation_deg, _SKY_COLOURS)
    fade = _smooth(elevation_deg, -1.0, 18.0)
    direct = _DIRECT_LIGHT * strength * fade * colour_at(elevation_deg, _DIRECT_COLOURS)
    level = float(sky.mean() + direct.mean() * max(direction[2], 0.0))
    return Sun(
        direction=direction,
        elevation_deg=elevation_deg,
        direct=direct,
        sky=sky,
        daylight=daylight,
        exposure=settings.gain * _EXPOSURE * level**-_EXPOSURE_POWER,
    )


def _smooth(value: float, low: float, high: float) -> float:
    part = min(max((value - low) / (high - low), 0.0), 1.0)
    return part * part * (3.0 - 2.0 * part)


def colour_at(elevation_deg: float, colours: tuple[tuple[float, float, float], ...]) -> Floats:
    """Interpolate colours given at the elevations -5, 0, 8, 18 and 35 degrees, float64 [3]."""
    return np.array(
        [np.interp(elevation_deg, _KNOTS_DEG, channel) for channel in zip(*colours, strict=True)]
    )
