"""Background of a picture (sky, sun glow and distant forest) and fog.

A panorama is painted once per flight, by azimuth (columns) and by the vertical component of the
unit ray (rows), and every frame samples it. Fog is a layer of depth `FOG_LAYER_M`: the sky above
is visible through thin fog and hidden by thick fog.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.picture.shot import Radiance, Shot
from liquid_control_sim.place.palette import Palette
from liquid_control_sim.render.sunlight import Sun, colour_at

FOG_LAYER_M = 25.0
LOWEST = -0.05
"""Vertical component of the ray in the panorama's last row."""
_TREE_LINES = ((13.5 / 110.0, 0.50, 160.0), (9.5 / 55.0, 0.22, 110.0))
"""Distant tree lines: height over distance, fraction of the horizon's colour mixed in, and the
distance in m for the fog: larger than that of the far ground, which must not be brighter."""
_ZENITH = (
    (0.16, 0.19, 0.36),
    (0.30, 0.36, 0.58),
    (0.42, 0.54, 0.78),
    (0.44, 0.62, 0.88),
    (0.44, 0.64, 0.92),
)
_HORIZON = (
    (0.52, 0.40, 0.44),
    (0.80, 0.50, 0.36),
    (0.92, 0.70, 0.52),
    (0.90, 0.88, 0.82),
    (0.84, 0.90, 0.95),
)


@dataclass(frozen=True)
class Panorama:
    """Radiance of the surroundings by direction.

    Attributes:
        pixels: float32 [R, C, 3]; row 0 is straight up, column 0 is azimuth -pi.
    """

    pixels: Radiance

    def sample(self, directions: NDArray[np.float32]) -> Radiance:
        """Return the radiance, float32 [M, 3], along unit vectors [M, 3] of the map frame."""
        rows, columns, _ = self.pixels.shape
        azimuth = np.arctan2(directions[:, 1], directions[:, 0])
        column = ((azimuth + math.pi) * (columns / (2.0 * math.pi))).astype(np.int32) % columns
        row = ((1.0 - directions[:, 2]) * (rows / (1.0 - LOWEST))).astype(np.int32)
        place = np.minimum(row, rows - 1) * np.int32(columns) + column
        return np.asarray(self.pixels.reshape(-1, 3).take(place, axis=0))


def horizon_colour(sun: Sun) -> Floats:
    """Return the radiance of the sky at the horizon, float64 [3]."""
    return np.asarray(colour_at(sun.elevation_deg, _HORIZON) * (0.2 + 0.8 * sun.daylight) ** 1.3)


def airlight_colour(sun: Sun) -> Floats:
    """Return the radiance of infinitely deep fog, float64 [3].

    It is a little darker and greyer than the horizon: fog mixes light from all directions.
    """
    horizon = horizon_colour(sun)
    return np.asarray(0.85 * (horizon + 0.6 * (horizon.mean() - horizon)))


def paint_panorama(
    sun: Sun, palette: Palette, extinction_per_m: float, seed: int, columns: int
) -> Panorama:
    """Paint the sky and the distant forest.

    Args:
        sun: light of the flight.
        palette: colours of the forest.
        extinction_per_m: extinction coefficient of the fog, 1/m.
        seed: seed of the flight; clouds and crowns are drawn from the stream "sky".
        columns: resolution in azimuth; it affects detail only.
    """
    rng = stream(seed, "sky")
    azimuth = np.linspace(-math.pi, math.pi, columns, endpoint=False, dtype=np.float32)
    vertical = np.linspace(1.0, LOWEST, columns // 4, dtype=np.float32)[:, None]
    picture = _paint_sky(sun, azimuth, vertical, rng)
    airlight = airlight_colour(sun).astype(np.float32)
    path = FOG_LAYER_M / np.maximum(vertical, 1e-3)
    picture = _veil(picture, airlight, np.exp(-extinction_per_m * path))
    leaf = np.array(palette.floor_dark) * np.array(palette.leaves)
    for slope, faded, distance in _TREE_LINES:
        lit = leaf * (sun.sky + 0.25 * sun.direct)
        colour = (lit + faded * 0.6 * (airlight - lit)).astype(np.float32)
        shape = _tree_line(azimuth, vertical, slope, rng)
        trees = _shade(colour, azimuth, vertical, slope, rng)
        trees = _veil(trees, airlight, math.exp(-extinction_per_m * distance))
        picture += shape[..., None] * (trees - picture)
    return Panorama(np.ascontiguousarray(picture, dtype=np.float32))


def _paint_sky(
    sun: Sun, azimuth: Radiance, vertical: Radiance, rng: np.random.Generator
) -> Radiance:
    level = (0.2 + 0.8 * sun.daylight) ** 1.3
    zenith = (colour_at(sun.elevation_deg, _ZENITH) * level).astype(np.float32)
    horizon = horizon_colour(sun).astype(np.float32)
    height = np.sqrt(np.clip(vertical, 0.0, 1.0))[..., None]
    picture = horizon + height * (zenith - horizon)
    picture = np.repeat(picture, len(azimuth), axis=1)
    clouds = 0.5 + _waves(azimuth, rng, (2, 3, 5, 8))[None] * 0.25
    clouds = clouds * (0.5 + 0.5 * np.sin(9.0 * vertical + 4.0 * clouds))
    picture += (0.35 * clouds * np.clip(vertical * 4.0, 0.0, 1.0))[..., None] * (horizon - picture)
    level_part = np.sqrt(np.maximum(1.0 - vertical**2, 0.0))
    toward = math.atan2(sun.direction[1], sun.direction[0])
    flat = math.hypot(sun.direction[0], sun.direction[1])
    cosine = level_part * flat * np.cos(azimuth - toward) + vertical * sun.direction[2]
    glow = np.exp(3.0 * (cosine - 1.0)) * 0.45 + np.exp(40.0 * (cosine - 1.0)) * 0.9
    tint = sun.direct + 0.15 * horizon_colour(sun)
    return np.asarray(picture + glow[..., None].astype(np.float32) * tint.astype(np.float32))


def _tree_line(
    azimuth: Radiance, vertical: Radiance, slope: float, rng: np.random.Generator
) -> Radiance:
    """Return the opacity of a tree line with crowns of uneven height, float32 [R, C]."""
    top = slope * (1.0 + 0.16 * _waves(azimuth, rng, (5, 11, 17, 29)))
    top = top + slope * 0.18 * np.abs(_waves(azimuth, rng, (43, 61, 97, 131)))
    soft = 0.02 * slope
    return np.clip((top[None] - vertical) / soft, 0.0, 1.0).astype(np.float32)


def _shade(
    colour: Radiance, azimuth: Radiance, vertical: Radiance, slope: float, rng: np.random.Generator
) -> Radiance:
    """Return mottled colours, lighter at crowns, darker at trunks, float32 [R, C, 3]."""
    part = np.clip(vertical / slope, 0.0, 1.0)
    blotches = np.zeros((len(vertical), len(azimuth)), dtype=np.float32)
    for order in (41, 67, 103, 149):
        bend, start = rng.uniform(-260.0, 260.0), rng.uniform(0.0, 2.0 * math.pi)
        blotches += np.sin(np.float32(order) * azimuth + np.float32(start) + bend * vertical)
    tone = 0.6 + 0.55 * part + 0.05 * blotches
    return np.asarray(np.maximum(tone, 0.2)[..., None] * colour, dtype=np.float32)


def _waves(azimuth: Radiance, rng: np.random.Generator, orders: tuple[int, ...]) -> Radiance:
    """Return a periodic random curve of unit size, float32 [C]."""
    curve = np.zeros_like(azimuth)
    for order in orders:
        curve += np.sin(order * azimuth + np.float32(rng.uniform(0.0, 2.0 * math.pi)))
    return curve / np.float32(math.sqrt(len(orders) / 2.0))


def _veil(picture: Radiance, airlight: Radiance, through: float | Radiance) -> Radiance:
    through = np.asarray(through, dtype=np.float32)
    if through.ndim:
        through = through[..., None]
    return np.asarray(airlight + (picture - airlight) * through)


class Backdrop:
    """Fills pixels without a surface from the panorama."""

    def __init__(self, panorama: Panorama) -> None:
        self._panorama = panorama

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the picture with its sky pixels filled."""
        empty = np.flatnonzero(shot.is_sky)
        pixels = picture.reshape(-1, 3)
        pixels[empty] = self._panorama.sample(shot.rays.take(empty, axis=0) @ shot.rotation.T)
        return pixels.reshape(picture.shape)


class Fog:
    """Fog after Koschmieder's law, I exp(-b d) + A (1 - exp(-b d)), with d along the ray.

    Args:
        extinction_per_m: b, 1/m.
        airlight: A, float64 [3], radiance of infinitely deep fog.
    """

    def __init__(self, extinction_per_m: float, airlight: Floats) -> None:
        self._extinction = extinction_per_m
        self._airlight = np.append(airlight, 0.0)

    def __call__(self, picture: Radiance, shot: Shot) -> Radiance:
        """Return the picture seen through the fog."""
        through = cv2.exp(shot.range_m * np.float32(-self._extinction))
        veiled = cv2.subtract(picture, self._airlight)
        veiled = cv2.multiply(veiled, cv2.merge((through, through, through)))
        return np.asarray(cv2.add(veiled, self._airlight))
