"""Height of the ground: smooth hills drawn from a seed, or exactly flat.

The height is a sum of sine waves of random direction, scaled to the requested maximum slope
around the course. Trees and objects stand on the terrain. Altitude limits, the range sensor and
the experts measure from it.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from liquid_control.seeding import stream
from liquid_control.types import Floats

_WAVES = 6
_SHORTEST_M, _LONGEST_M = 18.0, 45.0
"""Wavelengths: long compared with a vehicle and its camera's view of the ground."""
_GRID_M = 1.0
_MARGIN_M = 14.0


@dataclass(frozen=True)
class Terrain:
    """Height of the ground, z = sum of a (sin(kx x + ky y + p) - sin p), so 0 at the origin.

    Attributes:
        waves: float64 [W, 4], one row a wave: kx and ky, rad/m, phase p, rad, amplitude a, m. No
            rows mean flat ground.
    """

    waves: Floats = field(default_factory=lambda: np.empty((0, 4)))
    _rows: tuple[tuple[float, float, float, float, float], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = tuple((kx, ky, p, a, math.sin(p)) for kx, ky, p, a in self.waves.tolist())
        object.__setattr__(self, "_rows", rows)

    @property
    def rows(self) -> Floats:
        """Return the waves for compiled code, float64 [W, 5]: k x, k y, phase, a, sin(phase)."""
        return np.array(self._rows, np.float64).reshape(-1, 5)

    @property
    def is_flat(self) -> bool:
        """Whether the height is 0 everywhere."""
        return not self._rows

    def height(self, x: Floats, y: Floats) -> Floats:
        """Return the height, m, at arrays of positions of the same shape."""
        z = np.zeros(np.broadcast(x, y).shape)
        for kx, ky, phase, amplitude, offset in self._rows:
            z += amplitude * (np.sin(kx * x + ky * y + phase) - offset)
        return z

    def height_at(self, x: float, y: float) -> float:
        """Return the height at one position, m."""
        z = 0.0
        for kx, ky, phase, amplitude, offset in self._rows:
            z += amplitude * (math.sin(kx * x + ky * y + phase) - offset)
        return z

    def gradient(self, x: Floats, y: Floats) -> Floats:
        """Return d(height)/d(x, y), [..., 2]."""
        slope = np.zeros((*np.broadcast(x, y).shape, 2))
        for kx, ky, phase, amplitude, _ in self._rows:
            steep = amplitude * np.cos(kx * x + ky * y + phase)
            slope[..., 0] += kx * steep
            slope[..., 1] += ky * steep
        return slope


FLAT = Terrain()
"""Ground at z = 0."""


def draw_terrain(slope_deg: float, course: Floats, seed: int) -> Terrain:
    """Draw the terrain around a course.

    Args:
        slope_deg: steepest slope within 14 m of the bounding box of the course; 0 is flat.
        course: float64 [K, 2], m, map: points to fly along.
        seed: seed of the flight; the stream is "forest.terrain".
    """
    if slope_deg == 0.0:
        return FLAT
    rng = stream(seed, "forest.terrain")
    length = rng.uniform(_SHORTEST_M, _LONGEST_M, _WAVES)
    direction = rng.uniform(0.0, 2.0 * math.pi, _WAVES)
    phase = rng.uniform(0.0, 2.0 * math.pi, _WAVES)
    weight = rng.uniform(0.5, 1.0, _WAVES)
    number = 2.0 * math.pi / length
    rows = (number * np.cos(direction), number * np.sin(direction), phase, weight / number)
    waves = np.stack(rows, axis=1)
    waves[:, 3] *= math.tan(math.radians(slope_deg)) / _steepest(Terrain(waves), course)
    return Terrain(waves)


def _steepest(terrain: Terrain, course: Floats) -> float:
    """Return the largest norm of the gradient on a grid around a course."""
    low, high = course.min(axis=0) - _MARGIN_M, course.max(axis=0) + _MARGIN_M
    x, y = np.meshgrid(
        *(np.arange(a, b + _GRID_M, _GRID_M) for a, b in zip(low, high, strict=True))
    )
    return float(np.linalg.norm(terrain.gradient(x, y), axis=-1).max())
