"""Obstacles in the corridor of a trail: trees inside it and branches that reach into it.

A passage line that sways about the centre of the trail is drawn first. Every obstacle is placed at
least `PASSAGE_M` from that line. A vehicle with a radius of up to 0.4 m can therefore always pass,
with 0.3 m of clearance on either side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from liquid_control.config import ForestSettings, Scenario
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.place.forks import SideTrail
from liquid_control_sim.place.objects import Obstacles, capsule_gaps
from liquid_control_sim.place.terrain import Terrain
from liquid_control_sim.place.trail import TrailCurve

PASSAGE_M = 0.7
"""Half width of the passage that is free of trunks, branches and posts."""
_SWAY_M = 0.55
_FIRST_M, _LAST_M = 8.0, 2.5
"""Minimum distance of obstacles from start and finish."""
_BETWEEN_M = 1.6
_OFF_SIDE_TRAILS_M = 0.8
_OFF_OTHERS_M = 0.3
_TALL_M = 1000.0
_TRIES = 150
"""Number of consecutive failed attempts after which drawing stops."""
_STEP_M = 0.25


@dataclass(frozen=True)
class Corridor:
    """The corridor between the trees, with its free passage.

    Attributes:
        trail: centre line.
        clear_m: minimum distance of the regular trees from the centre line.
        altitude_m: flight altitude above ground.
        terrain: height of the ground.
        passage: float64 [K, 3], line that is kept free, m, map, at flight altitude.
        sway_m: float64 [K], distance of the passage from the centre line, left positive.
        side_trails: float64 [L, 2], points of side trails, which are kept free.
    """

    trail: TrailCurve
    clear_m: float
    altitude_m: float
    terrain: Terrain
    passage: Floats
    sway_m: Floats
    side_trails: Floats

    @property
    def usable_length_m(self) -> float:
        """Arc length that is available for obstacles."""
        return self.trail.length_m - _FIRST_M - _LAST_M


@dataclass(frozen=True)
class Branch:
    """A branch and the trunk that carries it.

    Attributes:
        trunk: x, y and radius of the trunk, m, map.
        capsule: both ends and the radius, m, map.
    """

    trunk: tuple[float, float, float]
    capsule: tuple[float, ...]


@dataclass(frozen=True)
class CorridorObstacles:
    """Trees and branches that were placed in a corridor.

    Attributes:
        inside: float64 [I, 3], x, y and radius of trees in the corridor, m, map.
        hosts: float64 [B, 3], x, y and radius of the trees that carry branches, m, map.
        branches: float64 [B, 7], capsules, m, map.
    """

    inside: Floats = field(default_factory=lambda: np.empty((0, 3)))
    hosts: Floats = field(default_factory=lambda: np.empty((0, 3)))
    branches: Floats = field(default_factory=lambda: np.empty((0, 7)))

    @property
    def trunks(self) -> Floats:
        """All added trees, float64 [I + B, 3]."""
        return np.concatenate([self.inside, self.hosts])


def draw_obstacles(
    corridor: Corridor, settings: ForestSettings, existing: Obstacles, seed: int
) -> CorridorObstacles:
    """Draw trees and branches in a corridor, up to the requested numbers, as many as fit.

    Args:
        corridor: corridor to place them in.
        settings: requested numbers, without null keys.
        existing: obstacles to keep away from.
        seed: seed of the flight.
    """
    inside = _draw_inside(corridor, settings.inside or 0, existing, seed)
    existing = Obstacles(np.concatenate([existing.trunks, inside]), existing.capsules)
    branches = _draw_branches(corridor, settings.branches or 0, existing, seed)
    return CorridorObstacles(
        inside,
        np.array([branch.trunk for branch in branches]).reshape(-1, 3),
        np.array([branch.capsule for branch in branches]).reshape(-1, 7),
    )


def draw_corridor(
    trail: TrailCurve,
    forks: Sequence[SideTrail],
    scenario: Scenario,
    terrain: Terrain,
    seed: int,
) -> Corridor:
    """Draw the passage of a corridor, from the stream "forest.passage"."""
    rng = stream(seed, "forest.passage")
    clear_m = scenario.forest.clear_m
    along = np.arange(0.0, trail.length_m + _STEP_M, _STEP_M)
    sway = np.zeros_like(along)
    for least, most, part in ((22.0, 34.0, 0.6), (12.0, 18.0, 0.4)):
        wave = 2.0 * math.pi / rng.uniform(least, most)
        sway += part * np.sin(wave * along + rng.uniform(0.0, 2.0 * math.pi))
    sway *= min(_SWAY_M, max(clear_m - PASSAGE_M - 0.3, 0.0))
    passage = np.array([_beside(trail, s, w) for s, w in zip(along, sway, strict=True)])
    height = terrain.height(passage[:, 0], passage[:, 1]) + scenario.altitude_m
    passage = np.column_stack([passage, height])
    side_trails = np.concatenate([np.empty((0, 2)), *(fork.points for fork in forks)])
    return Corridor(trail, clear_m, scenario.altitude_m, terrain, passage, sway, side_trails)


def _draw_inside(corridor: Corridor, count: int, existing: Obstacles, seed: int) -> Floats:
    """Draw up to `count` trees inside a corridor, as many as fit.

    Args:
        corridor: corridor to place them in.
        count: requested number.
        existing: obstacles to keep away from.
        seed: seed of the flight; the stream is "forest.inside".

    Returns:
        float64 [<= count, 3], x, y and radius, m, map.
    """
    rng = stream(seed, "forest.inside")
    kept: list[tuple[float, float, float]] = []
    tries = _TRIES if corridor.usable_length_m > 0.0 else 0
    while len(kept) < count and tries > 0:
        tries -= 1
        along, side = _FIRST_M + corridor.usable_length_m * rng.random(), rng.choice((-1.0, 1.0))
        radius, extra = rng.uniform(0.08, 0.15), rng.uniform(0.02, 0.35)
        left = _sway(corridor, along) + side * (PASSAGE_M + radius + extra)
        x, y = _beside(corridor.trail, along, left)
        feet = [other[:2] for other in kept]
        if abs(left) < corridor.clear_m and _fits(
            corridor, np.array([_upright(x, y, radius)]), existing, feet, (x, y)
        ):
            kept.append((x, y, radius))
            tries = _TRIES
    return np.array(kept).reshape(-1, 3)


def _draw_branches(
    corridor: Corridor, count: int, existing: Obstacles, seed: int
) -> tuple[Branch, ...]:
    """Draw up to `count` branches with their trunks next to a corridor, as many as fit.

    Args:
        corridor: corridor that they reach into.
        count: requested number.
        existing: obstacles to keep away from.
        seed: seed of the flight; the stream is "forest.branches".
    """
    rng = stream(seed, "forest.branches")
    kept: list[Branch] = []
    tries = _TRIES if corridor.usable_length_m > 0.0 else 0
    while len(kept) < count and tries > 0:
        tries -= 1
        branch = _draw_branch(corridor, rng)
        tips = [other.capsule[3:5] for other in kept]
        x, y, radius = branch.trunk
        shapes = np.array([branch.capsule, _upright(x, y, radius)])
        if _fits(corridor, shapes, existing, tips, branch.capsule[3:5]):
            kept.append(branch)
            tries = _TRIES
    return tuple(kept)


def _draw_branch(corridor: Corridor, rng: np.random.Generator) -> Branch:
    along, side = _FIRST_M + corridor.usable_length_m * rng.random(), rng.choice((-1.0, 1.0))
    radius, thick = rng.uniform(0.12, 0.22), rng.uniform(0.03, 0.06)
    left = side * (corridor.clear_m + radius + rng.uniform(0.05, 0.8))
    x, y = _beside(corridor.trail, along + rng.uniform(-0.6, 0.6), left)
    reach = _sway(corridor, along) + side * (PASSAGE_M + thick + rng.uniform(0.02, 0.35))
    tip_x, tip_y = _beside(corridor.trail, along, reach)
    flight = corridor.altitude_m
    z = corridor.terrain.height_at(x, y) + flight + rng.uniform(-0.3, 0.4)
    tip_z = corridor.terrain.height_at(tip_x, tip_y) + flight + rng.uniform(-0.25, 0.25)
    return Branch((x, y, radius), (x, y, z, tip_x, tip_y, tip_z, thick))


def _upright(x: float, y: float, radius: float) -> tuple[float, ...]:
    return x, y, -_TALL_M, x, y, _TALL_M, radius


def _fits(
    corridor: Corridor,
    shapes: Floats,
    existing: Obstacles,
    kept: Sequence[tuple[float, ...]],
    position: tuple[float, ...],
) -> bool:
    """Return whether shapes leave the passage free and keep away from existing obstacles."""
    if any(math.dist(position, other) < _BETWEEN_M for other in kept):
        return False
    if float(capsule_gaps(shapes, corridor.passage).min()) < PASSAGE_M:
        return False
    feet = shapes[:, :2]
    if len(corridor.side_trails):
        apart = np.linalg.norm(feet[:, None] - corridor.side_trails, axis=2)
        if float(apart.min()) < _OFF_SIDE_TRAILS_M:
            return False
    return all(existing.clearance(x, y, 0.0) >= _OFF_OTHERS_M for x, y in feet.tolist())


def _sway(corridor: Corridor, along_m: float) -> float:
    return float(np.interp(along_m / _STEP_M, np.arange(len(corridor.sway_m)), corridor.sway_m))


def _beside(trail: TrailCurve, along_m: float, left_m: float) -> tuple[float, float]:
    (x, y), heading = trail.point(along_m), trail.heading(along_m)
    return x - left_m * math.sin(heading), y + left_m * math.cos(heading)
