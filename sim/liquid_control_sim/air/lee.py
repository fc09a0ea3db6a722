"""Wakes behind trunks and crowns, and accelerated flow between trunks.

`wind_factors` gives the wind relative to the undisturbed wind, in coordinates along it and to its
left:

- A trunk of diameter d has a plane wake, a crown of frontal area A a round one. Both have a
  Gaussian deficit whose width grows linearly, s = k x + s_0, and whose depth conserves the
  momentum of the drag (Bastankhah & Porte-Agel 2014, doi 10.1016/j.renene.2014.01.002, there for
  round wakes):

      trunk  c = (1 - sqrt(1 - C_D d / (sqrt(pi) s))) / sqrt(2)
      crown  c = 1 - sqrt(1 - C_T A / (2 pi s_y s_z))

  Deficits add as the root of the sum of their squares (Katic et al. 1986).
- The flow around a trunk is that around a cylinder (a doublet, a^2 / r^2) with the displacement of
  the wake (a source of strength C_D d U / 2, Batchelor 1967, section 5.12).
- The root mean square of the turbulence in a wake is `ROUGHNESS` times the deficit.

`Lee` evaluates it for the mean wind direction and the flight height on tiles, each when it is
first entered, and interpolates. Eddies are drawn from the stream `wind.lee`.
"""

import math
from typing import TypeAlias

import numpy as np

from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.air.turbulence import Vector, markov
from liquid_control_sim.place.forest import Forest
from liquid_control_sim.schedule import PHYSICS_HZ

TRUNK_DRAG = 1.0
"""C_D of a rough cylinder, 1."""
CROWN_DRAG = 0.4
"""C_T of porous foliage, 1; measured crowns have 0.3 to 0.5."""
SPREAD = 0.1
"""k, 0.38 I + 0.004 (Niayifar & Porte-Agel 2016, doi 10.3390/en9090741) at intensity I = 0.25."""
ROUGHNESS = 0.35
"""Turbulence per velocity deficit, 1: assumed, close to measurements in plane far wakes."""
REACH_M = 60.0
"""Length of the modelled wakes."""
PLANE_M = 3.0
"""Decay length of the plane flow around a trunk, of the order of its height."""
_TRUNK_START = 0.6
_CROWN_START = 0.25
_CLOSEST = 1e-3


def wind_factors(points: Floats, trunks: Floats, crowns: Floats, height_m: float) -> Floats:
    """Return along, across and roughness of the wind, relative to the undisturbed, float64 [P, 3].

    Args:
        points: float64 [P, 2], m: along the wind and to its left.
        trunks: float64 [N, 3]: position in the same coordinates, and radius, m.
        crowns: float64 [N, 3]: width, lower and upper end above ground, m; one row per trunk.
        height_m: height above ground, for the wakes of the crowns; trunks are taller.
    """
    away = points[:, None, :] - trunks[None, :, :2]
    x, y, radius = away[..., 0], away[..., 1], trunks[:, 2]
    squares = _trunk_deficit(x, y, 2.0 * radius) ** 2
    squares += _crown_deficit(x, y, crowns, height_m) ** 2
    deficit = np.sqrt(squares.sum(axis=1))
    aside = _around(x, y, radius)
    along = np.clip((1.0 + aside[0].sum(axis=1)) * (1.0 - deficit), 0.0, 2.0)
    across = np.clip(aside[1].sum(axis=1) * (1.0 - deficit), -1.0, 1.0)
    return np.stack([along, across, ROUGHNESS * deficit], axis=1)


def _trunk_deficit(x: Floats, y: Floats, diameter: Floats) -> Floats:
    behind = np.maximum(x, 0.0)
    width = SPREAD * behind + _TRUNK_START * diameter
    thrust_ratio = TRUNK_DRAG * diameter / (math.sqrt(math.pi) * width)
    depth = (1.0 - np.sqrt(np.maximum(1.0 - thrust_ratio, 0.0))) / math.sqrt(2.0)
    within = (x > 0.0) & (x < REACH_M)
    return np.asarray(np.where(within, depth * np.exp(-0.5 * (y / width) ** 2), 0.0))


def _crown_deficit(x: Floats, y: Floats, crowns: Floats, height_m: float) -> Floats:
    across, low, high = crowns.T
    tall, middle = high - low, 0.5 * (high + low)
    behind = np.maximum(x, 0.0)
    width = SPREAD * behind + _CROWN_START * across
    rise = SPREAD * behind + _CROWN_START * tall
    area = 0.25 * math.pi * across * tall
    thrust_ratio = CROWN_DRAG * area / (2.0 * math.pi * width * rise)
    depth = 1.0 - np.sqrt(np.maximum(1.0 - thrust_ratio, 0.0))
    shape = np.exp(-0.5 * (y / width) ** 2 - 0.5 * ((height_m - middle) / rise) ** 2)
    return np.asarray(np.where((x > 0.0) & (x < REACH_M), depth * shape, 0.0))


def _around(x: Floats, y: Floats, radius: Floats) -> tuple[Floats, Floats]:
    """Return the velocity of doublet and source, along and across the wind."""
    square = np.maximum(x * x + y * y, np.maximum(radius, _CLOSEST) ** 2)
    near = np.exp(-np.sqrt(square) / PLANE_M)
    doublet = radius**2 / square**2
    source = 0.5 * TRUNK_DRAG * radius / math.pi / square
    along = near * (doublet * (y * y - x * x) + source * x)
    across = near * (-2.0 * doublet * x * y + source * y)
    return along, across


CELL_M = 0.25
"""Distance between interpolated values."""
TILE = 16
"""Cells along the side of a tile."""
EDDY_M = 0.4
"""Size of the eddies behind trunks, which the wind advects."""
SLOWEST_SWEEP_MPS = 1.0

_Tile: TypeAlias = list[list[list[float]]]


class Lee:
    """Effect of the trees on the wind of one flight."""

    def __init__(
        self,
        strength: float,
        forest: Forest,
        direction_rad: float,
        height_m: float,
        speed_mps: float,
        seed: int,
    ) -> None:
        """Transform the trees to wind coordinates; factors are computed on demand.

        Args:
            strength: 0 for an open field, 1 for the full effect of the trees.
            forest: trunks and crowns.
            direction_rad: direction that the mean wind blows to, counter-clockwise from east.
            height_m: flight height above ground.
            speed_mps: mean wind speed at that height.
            seed: seed of the flight.
        """
        self._strength, self._height = strength, height_m
        self._cosine, self._sine = math.cos(direction_rad), math.sin(direction_rad)
        c, s = self._cosine, self._sine
        trunks, trees = forest.trunks, forest.trees
        places = trunks[:, :2] @ np.array([[c, -s], [s, c]])
        self._trunks: Floats = np.column_stack([places, trunks[:, 2]])
        self._crowns: Floats = np.column_stack(
            [2.0 * trees.crown_radius_m, trees.crown_base_m, trees.height_m]
        )
        self._tiles: dict[tuple[int, int], _Tile] = {}
        rate = max(speed_mps, SLOWEST_SWEEP_MPS) / EDDY_M
        self._samples = markov(stream(seed, "wind.lee"), rate, 1.0 / PHYSICS_HZ)
        self._eddies: list[Vector] = []

    def deflect(self, tick: int, x: float, y: float, speed_mps: float) -> Vector:
        """Return the wind along its mean direction, to the left and up, m/s.

        Args:
            tick: physics step, >= 0.
            x: m, map.
            y: m, map.
            speed_mps: wind speed at that position without trees.
        """
        while tick >= len(self._eddies):
            self._eddies.append(next(self._samples))
        along, across, rough = self.factors(x, y)
        size, (u, v, w) = rough * speed_mps, self._eddies[tick]
        return along * speed_mps + size * u, across * speed_mps + size * v, size * w

    def factors(self, x: float, y: float) -> Vector:
        """Return along, across and roughness at a position of the map; see `wind_factors`."""
        c, s, strength = self._cosine, self._sine, self._strength
        column, a = divmod((c * x + s * y) / CELL_M, TILE)
        row, b = divmod((c * y - s * x) / CELL_M, TILE)
        tile = self._tile(int(column), int(row))
        i, j = int(a), int(b)
        a, b = a - i, b - j
        near, far = tile[i], tile[i + 1]
        along, across, rough = (
            (1.0 - a) * ((1.0 - b) * p + b * q) + a * ((1.0 - b) * r + b * t)
            for p, q, r, t in zip(near[j], near[j + 1], far[j], far[j + 1], strict=True)
        )
        return 1.0 + strength * (along - 1.0), strength * across, strength * rough

    def _tile(self, column: int, row: int) -> _Tile:
        if (column, row) not in self._tiles:
            self._tiles[column, row] = self._compute_tile(column, row)
        return self._tiles[column, row]

    def _compute_tile(self, column: int, row: int) -> _Tile:
        steps = CELL_M * np.arange(TILE + 1)
        left, low = CELL_M * TILE * column, CELL_M * TILE * row
        grid = np.stack(np.meshgrid(left + steps, low + steps, indexing="ij"), axis=-1)
        x = left - self._trunks[:, 0]
        y = low - self._trunks[:, 1]
        # Trees farther away have no effect: four widths of the widest wake, and the tile itself.
        matters = (x > -20.0) & (x < REACH_M) & (abs(y) < 40.0)
        factors = wind_factors(
            grid.reshape(-1, 2), self._trunks[matters], self._crowns[matters], self._height
        )
        tile: _Tile = factors.reshape(TILE + 1, TILE + 1, 3).tolist()
        return tile
