"""What light falls into the forest: the sun's direction, direct and sky light, and the exposure.

A model for pictures, not for photometry. Light is linear in display values; a white surface on the
ground under the default sun (50 degrees, strength 1) receives about 1.2, and is exposed to 1.3.

- Direct light fades as the sun nears the horizon and turns from white to orange.
- Sky light fades from 12 degrees above to 6 below the horizon, and turns from neutral over warm to
  blue.
- The automatic exposure is partial: it makes good 60 % of a loss of light on a logarithmic scale,
  exposure = 1.2 level ** -0.6, so that dusk remains darker than noon. `light.gain` multiplies it.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from liquid_control.config.scenario import LightSettings
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.picture.shot import Radiance, Shot

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
    """The light of one flight.

    Attributes:
        direction: float64 [3], unit, map, from the ground to the sun.
        elevation_deg: above the horizon.
        direct: float64 [3], RGB, light on a surface that faces the sun.
        sky: float64 [3], RGB, light that comes from everywhere.
        daylight: 0 at night to 1, how bright the sky itself is.
        exposure: factor from light to picture, `light.gain` included.
    """

    direction: Floats
    elevation_deg: float
    direct: Floats
    sky: Floats
    daylight: float
    exposure: float

    @property
    def ground_share(self) -> float:
        """Share of the direct light in what reaches the ground: how dark shadows are."""
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
    sky = _SKY_LIGHT * overcast * daylight * _at(elevation_deg, _SKY_COLOURS)
    fade = _smooth(elevation_deg, -1.0, 18.0)
    direct = _DIRECT_LIGHT * strength * fade * _at(elevation_deg, _DIRECT_COLOURS)
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


def _at(elevation_deg: float, colours: tuple[tuple[float, float, float], ...]) -> Floats:
    return np.array(
        [np.interp(elevation_deg, _KNOTS_DEG, channel) for channel in zip(*colours, strict=True)]
    )


NEUTRAL_K = 6500.0
DISPLAY_GAMMA = 2.2
_X_LOW = (-0.2661239e9, -0.2343589e6, 0.8776956e3, 0.179910)
_X_HIGH = (-3.0258469e9, 2.1070379e6, 0.2226347e3, 0.240390)
"""Coefficients of 1/T^3, 1/T^2, 1/T and 1, up to 4000 K and above."""
_Y_LOW = (-1.1063814, -1.34811020, 2.18555832, -0.20219683)
_Y_MIDDLE = (-0.9549476, -1.37418593, 2.09137015, -0.16748867)
_Y_HIGH = (3.0817580, -5.87338670, 3.75112997, -0.37001483)
"""Coefficients of x^3, x^2, x and 1, up to 2222 K, up to 4000 K and above."""
_XYZ_TO_RGB = np.array(
    [
        [3.2404542, -1.5371385, -0.4985314],
        [-0.9692660, 1.8760108, 0.0415560],
        [0.0556434, -0.2040259, 1.0572252],
    ]
)


def planckian_chromaticity(temperature_k: float) -> tuple[float, float]:
    """Return CIE 1931 (x, y) of a black body between 1667 and 25000 K."""
    x = float(np.polyval(_X_LOW if temperature_k <= 4000.0 else _X_HIGH, 1.0 / temperature_k))
    if temperature_k <= 2222.0:
        return x, float(np.polyval(_Y_LOW, x))
    return x, float(np.polyval(_Y_MIDDLE if temperature_k <= 4000.0 else _Y_HIGH, x))


def temperature_factor(temperature_k: float) -> Floats:
    """Return float64 [3], the factor on linear RGB; ones at 6500 K."""
    return np.asarray(_white(temperature_k) / _white(NEUTRAL_K))


def _white(temperature_k: float) -> Floats:
    """Return linear RGB of light of unit luminance."""
    x, y = planckian_chromaticity(temperature_k)
    return np.asarray(_XYZ_TO_RGB @ np.array([x / y, 1.0, (1.0 - x - y) / y]))


class ColourTemperature:
    """Tints everything."""

    def __init__(self, temperature_k: float) -> None:
        self._factor = np.append(temperature_factor(temperature_k) ** (1.0 / DISPLAY_GAMMA), 1.0)

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the tinted picture."""
        return np.asarray(cv2.multiply(picture, self._factor))


class Flicker:
    """A sine of brightness in time, sampled by the frames and averaged over the shutter.

    The factor is 1 + m s sin(2 pi f t + phase), with s = sin(pi f T) / (pi f T) for a shutter
    open for T: a frequency near a multiple of the frame rate aliases to slow waves, and a long
    shutter smooths. The phase is drawn from the stream "light.flicker".

    Args:
        depth: m, (max - min) / (max + min), 0 to 1.
        frequency_hz: f.
        exposure_s: T.
        seed: the flight's.
    """

    def __init__(self, depth: float, frequency_hz: float, exposure_s: float, seed: int) -> None:
        self._depth = depth * float(np.sinc(frequency_hz * exposure_s))
        self._omega = 2.0 * math.pi * frequency_hz
        self._phase = stream(seed, "light.flicker").uniform(0.0, 2.0 * math.pi)

    def factor(self, time_s: float) -> float:
        """Return the brightness at a time, 1 on average."""
        return 1.0 + self._depth * math.sin(self._omega * time_s + self._phase)

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the picture as bright as at its time."""
        return np.asarray(cv2.multiply(picture, np.full(4, self.factor(shot.time_s))))
