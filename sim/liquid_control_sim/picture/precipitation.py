"""Rain and snow: drops and flakes that fall, move with the wind and pass the camera as streaks.

Positions are drawn once per flight; afterwards they are a function of time. The bodies of a size
class fill a periodic box centred on the camera and as large as their visible distance. Each body
falls at its own speed and moves with the wind, so consecutive frames are consistent at any frame
rate. Bodies too small or too far to be distinguished contribute to the haze:
`SizeSpectrum.extinction_per_m` is added to the extinction of `sky.Fog`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.picture.shot import Radiance, Shot, View, compiled

SMALLEST_MM = 0.3
"""Melted diameter of the smallest drops and flakes drawn individually."""
RAIN_LARGEST_MM = 5.5
"""Melted diameter above which drops break up."""
SNOW_LARGEST_MM = 5.0


@dataclass(frozen=True)
class SizeSpectrum:
    """Exponential size distribution N0 exp(-L D) of drops or flakes over the melted diameter D.

    Extinction is geometric, with the efficiency 2 of bodies much larger than the wavelength:
    b = 2 pi / 4 integral N(D) d^2 dD = pi N0 s^2 / L^3 1e-6 1/m for widths d = s D.

    Attributes:
        intercept: N0, 1/(m^3 mm).
        slope_per_mm: L, 1/mm.
        swelling: ratio of width to melted diameter.
        largest_mm: melted diameter at which the distribution ends.
        fall_mps: function from melted diameter, mm, to speed of fall, m/s.
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
        """Return the number per cubic metre between two melted diameters."""
        between = math.exp(-self.slope_per_mm * low_mm) - math.exp(-self.slope_per_mm * high_mm)
        return self.intercept / self.slope_per_mm * between

    def draw_mm(self, low_mm: float, high_mm: float, uniform: Floats) -> Floats:
        """Return melted diameters in [low_mm, high_mm), from uniform numbers in [0, 1)."""
        mass = -math.expm1(-self.slope_per_mm * (high_mm - low_mm))
        return np.asarray(low_mm - np.log1p(-uniform * mass) / self.slope_per_mm)


def rain_spectrum(rate_mmph: float) -> SizeSpectrum:
    """Return the size distribution of rain at a rate R in mm/h: N0 = 8000, L = 4.1 R^-0.21.

    Marshall & Palmer 1948 (doi 10.1175/1520-0469(1948)005<0165:TDORWS>2.0.CO;2).
    """
    return SizeSpectrum(8000.0, 4.1 * rate_mmph**-0.21, 1.0, RAIN_LARGEST_MM, drop_speed)


def snow_spectrum(rate_mmph: float) -> SizeSpectrum:
    """Return the size distribution of snow at a rate R in mm/h of water.

    N0 = 3800 R^-0.87, L = 2.55 R^-0.48, Gunn & Marshall 1958
    (doi 10.1175/1520-0469(1958)015<0452:TDWSOA>2.0.CO;2). A flake of density 50 kg/m^3 is 20^(1/3)
    times as wide as its drop.
    """
    intercept, slope = 3800.0 * rate_mmph**-0.87, 2.55 * rate_mmph**-0.48
    return SizeSpectrum(intercept, slope, FLAKE_SWELLING, SNOW_LARGEST_MM, flake_speed)


FLAKE_SWELLING = 20.0 ** (1.0 / 3.0)


def drop_speed(diameter_mm: Floats) -> Floats:
    """Return the terminal velocity of raindrops, m/s, at least 0.1.

    v = 9.65 - 10.3 exp(-0.6 D), Atlas et al. 1973 (doi 10.1029/RG011i001p00001), a fit to Gunn &
    Kinzer 1949.
    """
    return np.asarray(np.maximum(9.65 - 10.3 * np.exp(-0.6 * diameter_mm), 0.1))


def flake_speed(melted_mm: Floats) -> Floats:
    """Return the speed of fall of flakes, m/s, from the melted diameter.

    0.8 d^0.16 with d the width in mm, aggregates of Locatelli & Hobbs 1974
    (doi 10.1029/JC079i015p02185).
    """
    return np.asarray(0.8 * (FLAKE_SWELLING * melted_mm) ** 0.16)


SHUTTER_S = 0.002
"""Shutter time of streaks if `camera.exposure_s` is 0: that of a camera in daylight."""
_CLASSES = 12
_FAINTEST_PX = 0.12
"""Apparent width below which a body is part of the haze."""
_MOST_BODIES = 45
"""Largest number of bodies per column of pixels."""


@dataclass(frozen=True)
class Bodies:
    """Falling bodies around the camera.

    Attributes:
        start: float64 [N, 3], position in the box at the start, m.
        box_m: float64 [N], side of the periodic box, m.
        velocity: float64 [N, 3], velocity relative to the air, m/s, map.
        width_m: float64 [N], width, m.
    """

    start: Floats
    box_m: Floats
    velocity: Floats
    width_m: Floats


class Precipitation:
    """Falling bodies between camera and scene.

    Args:
        spectrum: size distribution.
        flutter_mps: standard deviation of the horizontal velocity relative to the air, m/s.
        colour: float64 [3], radiance of the bodies.
        view: geometry of the picture.
        exposure_s: shutter time, s; `SHUTTER_S` if 0.
        seed: seed of the flight.
        name: name of the random stream.
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
        """Return the picture with the streaks of the bodies in front."""
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
    """Draw the bodies of all size classes, each class in a box as large as its visible distance.

    Half the side of a box is the distance at which the largest body of the class appears
    `_FAINTEST_PX` wide. All boxes are smaller if the total would exceed `_MOST_BODIES` per column.
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


NEAREST_M = 0.12
"""Smallest depth, m: nearer bodies are hidden by the rim of the lens."""
_DISC = math.pi / 4.0
"""Ratio of the mean chord of a disc to its diameter."""


@compiled
def draw_streaks(
    picture: NDArray[np.float32],
    range_m: NDArray[np.float32],
    start: Floats,
    velocity: Floats,
    box_m: Floats,
    width_m: Floats,
    motion: Floats,
    rotation: Floats,
    time_s: float,
    shutter_s: float,
    focal_px: float,
    colour: Floats,
) -> int:
    """Blend the streaks of bodies into a picture, in place.

    The function is compiled: thousands of bodies pass a frame, and each affects a few pixels.

    Args:
        picture: float32 [H, W, 3], modified.
        range_m: float32 [H, W], distance of the surface behind each pixel, m.
        start: float64 [N, 3], position in the box at time 0, m.
        velocity: float64 [N, 3], velocity relative to the air, m/s, map.
        box_m: float64 [N], side of the periodic box, twice the visible distance, m.
        width_m: float64 [N], width, m.
        motion: float64 [3, 3]: displacement of the air minus position of the camera, m, map; wind
            minus velocity of the camera, m/s, map; angular velocity of the camera, rad/s, optical
            frame.
        rotation: float64 [3, 3], optical frame to map.
        time_s: time since the start of the flight.
        shutter_s: shutter time, centred on the frame's time.
        focal_px: focal length, px.
        colour: float64 [3], radiance of a body.

    Returns:
        The number of bodies in view.
    """
    in_view = 0
    wrapped, passing, ends = np.empty(3), np.empty(3), np.empty(6)
    for i in range(len(width_m)):
        box, squared = box_m[i], 0.0
        for axis in range(3):
            moved = start[i, axis] + velocity[i, axis] * time_s + motion[0, axis]
            wrapped[axis] = moved - box * math.floor(moved / box + 0.5)
            passing[axis] = velocity[i, axis] + motion[1, axis]
            squared += wrapped[axis] * wrapped[axis]
        if squared >= 0.25 * box * box:
            continue
        _path(wrapped, passing, motion[2], rotation, 0.5 * shutter_s, ends)
        if ends[2] < NEAREST_M or ends[5] < NEAREST_M:
            continue
        distance = math.sqrt(squared)
        fade = min(10.0 * (0.5 - distance / box), 1.0)
        across = width_m[i] * focal_px / (0.5 * (ends[2] + ends[5]))
        in_view += _draw(picture, range_m, ends, across, distance, fade, focal_px, colour)
    return in_view


@compiled
def _path(
    place: Floats, passing: Floats, turn: Floats, rotation: Floats, half_s: float, ends: Floats
) -> None:
    """Write the positions at the start and end of the exposure, m, optical frame, to ends [6]."""
    x = rotation[0, 0] * place[0] + rotation[1, 0] * place[1] + rotation[2, 0] * place[2]
    y = rotation[0, 1] * place[0] + rotation[1, 1] * place[1] + rotation[2, 1] * place[2]
    z = rotation[0, 2] * place[0] + rotation[1, 2] * place[1] + rotation[2, 2] * place[2]
    u = rotation[0, 0] * passing[0] + rotation[1, 0] * passing[1] + rotation[2, 0] * passing[2]
    v = rotation[0, 1] * passing[0] + rotation[1, 1] * passing[1] + rotation[2, 1] * passing[2]
    w = rotation[0, 2] * passing[0] + rotation[1, 2] * passing[1] + rotation[2, 2] * passing[2]
    u = half_s * (u - (turn[1] * z - turn[2] * y))
    v = half_s * (v - (turn[2] * x - turn[0] * z))
    w = half_s * (w - (turn[0] * y - turn[1] * x))
    ends[0], ends[1], ends[2] = x - u, y - v, z - w
    ends[3], ends[4], ends[5] = x + u, y + v, z + w


@compiled
def _draw(
    picture: NDArray[np.float32],
    range_m: NDArray[np.float32],
    ends: Floats,
    across: float,
    distance: float,
    fade: float,
    focal_px: float,
    colour: Floats,
) -> int:
    """Blend one streak and return 1 if it is in view, otherwise 0.

    A body of apparent width w that moves by l pixels covers a pixel on its path for the fraction
    c / (c + l) of the time, c = pi / 4 w, and covers min(w, 1) of its width.
    """
    height, width = range_m.shape
    u = 0.5 * width + focal_px * ends[0] / ends[2]
    v = 0.5 * height + focal_px * ends[1] / ends[2]
    along_u = 0.5 * width + focal_px * ends[3] / ends[5] - u
    along_v = 0.5 * height + focal_px * ends[4] / ends[5] - v
    rim = max(0.5 * across, 0.5) + 0.5
    left, right = math.floor(min(u, u + along_u) - rim), math.ceil(max(u, u + along_u) + rim)
    top, bottom = math.floor(min(v, v + along_v) - rim), math.ceil(max(v, v + along_v) + rim)
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return 0
    squared = along_u * along_u + along_v * along_v
    dwell = fade * _DISC * across / (_DISC * across + math.sqrt(squared)) * min(across, 1.0)
    for row in range(max(top, 0), min(bottom, height)):
        for column in range(max(left, 0), min(right, width)):
            if range_m[row, column] < distance:
                continue
            du, dv = column + 0.5 - u, row + 0.5 - v
            if squared > 0.0:
                part = min(max((du * along_u + dv * along_v) / squared, 0.0), 1.0)
                du, dv = du - part * along_u, dv - part * along_v
            cover = dwell * min(max(rim - math.sqrt(du * du + dv * dv), 0.0), 1.0)
            for channel in range(3):
                value = picture[row, column, channel]
                picture[row, column, channel] = value + cover * (colour[channel] - value)
    return 1
