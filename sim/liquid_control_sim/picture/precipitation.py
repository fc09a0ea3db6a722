"""Rain and snow in the air: bodies that fall, drift with the wind and pass the camera.

The bodies are drawn once a flight and then follow from time alone. Those of one size fill a box
that repeats through space and is centred on the camera, as wide as they can be seen; each falls
at its own speed and is carried by the wind, so that what is seen in consecutive frames belongs
together, whatever the frame rate. Bodies too small or far to be told apart are in the haze, which
`drop_sizes.SizeSpectrum.extinction_per_m` gives to `fog.Fog`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.picture.shot import Radiance, Shot, View
from liquid_control_sim.picture.streaks import draw_streaks

SMALLEST_MM = 0.3
"""Melted diameter of the smallest drops and flakes that are drawn one by one."""
RAIN_LARGEST_MM = 5.5
"""Larger drops break up."""
SNOW_LARGEST_MM = 5.0


@dataclass(frozen=True)
class SizeSpectrum:
    """What falls at one rate.

    Attributes:
        intercept: N0, 1/(m^3 mm).
        slope_per_mm: L, 1/mm.
        swelling: s, width over melted diameter.
        largest_mm: melted diameter at which the spectrum is cut off.
        fall_mps: speed of fall by melted diameter in mm.
    """

    intercept: float
    slope_per_mm: float
    swelling: float
    largest_mm: float
    fall_mps: Callable[[Floats], Floats]

    @property
    def extinction_per_m(self) -> float:
        """Extinction coefficient of the haze, 1/m."""
        return math.pi * self.intercept * self.swelling**2 / self.slope_per_mm**3 * 1e-6

    def number_per_m3(self, low_mm: float, high_mm: float) -> float:
        """Return how many lie between two melted diameters."""
        between = math.exp(-self.slope_per_mm * low_mm) - math.exp(-self.slope_per_mm * high_mm)
        return self.intercept / self.slope_per_mm * between

    def draw_mm(self, low_mm: float, high_mm: float, uniform: Floats) -> Floats:
        """Return melted diameters between two, from uniform numbers in [0, 1)."""
        share = -math.expm1(-self.slope_per_mm * (high_mm - low_mm))
        return np.asarray(low_mm - np.log1p(-uniform * share) / self.slope_per_mm)


def rain_spectrum(rate_mmph: float) -> SizeSpectrum:
    """Return the drops of rain at a rate in mm/h."""
    return SizeSpectrum(8000.0, 4.1 * rate_mmph**-0.21, 1.0, RAIN_LARGEST_MM, drop_speed)


def snow_spectrum(rate_mmph: float) -> SizeSpectrum:
    """Return the flakes of snow at a rate in mm/h of water."""
    intercept, slope = 3800.0 * rate_mmph**-0.87, 2.55 * rate_mmph**-0.48
    return SizeSpectrum(intercept, slope, FLAKE_SWELLING, SNOW_LARGEST_MM, flake_speed)


FLAKE_SWELLING = 20.0 ** (1.0 / 3.0)


def drop_speed(diameter_mm: Floats) -> Floats:
    """Return the terminal velocity of raindrops, m/s; the smallest hardly fall."""
    return np.asarray(np.maximum(9.65 - 10.3 * np.exp(-0.6 * diameter_mm), 0.1))


def flake_speed(melted_mm: Floats) -> Floats:
    """Return the speed of fall of flakes, m/s, from their melted diameter."""
    return np.asarray(0.8 * (FLAKE_SWELLING * melted_mm) ** 0.16)


SHUTTER_S = 0.002
"""Shutter time of the streaks where `camera.exposure_s` is 0: a camera in daylight."""
_CLASSES = 12
_FAINTEST_PX = 0.12
"""Apparent width below which a body is left to the haze."""
_MOST_BODIES = 45
"""For each column of pixels."""


@dataclass(frozen=True)
class Bodies:
    """What falls around the camera.

    Attributes:
        start: float64 [N, 3], m, place in the box at the beginning.
        box_m: float64 [N], side of the box that repeats.
        velocity: float64 [N, 3], m/s, map, through the air.
        width_m: float64 [N].
    """

    start: Floats
    box_m: Floats
    velocity: Floats
    width_m: Floats


class Precipitation:
    """Bodies that fall between camera and scene.

    Args:
        spectrum: their sizes.
        flutter_mps: standard deviation of their own horizontal velocity.
        colour: float64 [3], their radiance.
        view: geometry of the picture.
        exposure_s: shutter time; `SHUTTER_S` if 0.
        seed: the flight's.
        name: of the random stream.
    """

    def __init__(
        self,
        spectrum: SizeSpectrum,
        flutter_mps: float,
        colour: Floats,
        view: View,
        exposure_s: float,
        seed: int,
        name: str,
    ) -> None:
        self._bodies = draw_bodies(spectrum, flutter_mps, view, stream(seed, name))
        self._colour = colour
        self._focal_px = view.focal_px
        self._shutter_s = exposure_s or SHUTTER_S

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the picture with the bodies' streaks in front."""
        bodies = self._bodies
        drawn = np.array(picture, dtype=np.float32, order="C")
        draw_streaks(
            drawn,
            shot.range_m,
            bodies.start,
            bodies.velocity,
            bodies.box_m,
            bodies.width_m,
            np.stack(
                (
                    shot.air_moved_m - shot.position,
                    shot.wind - shot.velocity,
                    shot.angular_velocity,
                )
            ),
            shot.rotation.astype(np.float64),
            shot.time_s,
            self._shutter_s,
            self._focal_px,
            self._colour,
        )
        return drawn


def draw_bodies(
    spectrum: SizeSpectrum, flutter_mps: float, view: View, rng: np.random.Generator
) -> Bodies:
    """Draw the bodies of all sizes, each size in a box as wide as it can be seen.

    Half the box is the distance at which the largest of its class appears `_FAINTEST_PX` wide, or
    less where they would be more than `_MOST_BODIES`.
    """
    edges = np.geomspace(SMALLEST_MM, spectrum.largest_mm, _CLASSES + 1)
    reach_per_px = spectrum.swelling * 1e-3 * view.focal_px * edges[1:]
    density = np.array([spectrum.number_per_m3(low, high) for low, high in pairwise(edges)])
    full = float(np.sum(density * (2.0 * reach_per_px / _FAINTEST_PX) ** 3))
    faintest_px = _FAINTEST_PX * max(full / (_MOST_BODIES * view.shape[1]), 1.0) ** (1.0 / 3.0)
    boxes = 2.0 * reach_per_px / faintest_px
    start, box, melted = [], [], []
    for (low, high), side, number in zip(pairwise(edges), boxes, density, strict=True):
        count = math.floor(number * side**3 + rng.random())
        start.append(side * rng.random((count, 3)))
        box.append(np.full(count, side))
        melted.append(spectrum.draw_mm(low, high, rng.random(count)))
    melted_mm = np.concatenate(melted)
    velocity = np.zeros((len(melted_mm), 3))
    velocity[:, :2] = flutter_mps * rng.standard_normal((len(melted_mm), 2))
    velocity[:, 2] = -spectrum.fall_mps(melted_mm)
    width_m = 1e-3 * spectrum.swelling * melted_mm
    return Bodies(np.concatenate(start), np.concatenate(box), velocity, width_m)
