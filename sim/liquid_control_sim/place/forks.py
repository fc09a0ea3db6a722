"""Side trails that branch off and look like the trail, and posts that mark the correct branch."""

import math
from dataclasses import dataclass

import numpy as np

from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.place.objects import Post
from liquid_control_sim.place.terrain import Terrain
from liquid_control_sim.place.trail import TrailCurve, visible_course

STEP_M = 0.25
_FIRST_M, _LAST_M = 10.0, 6.0
"""Minimum distance of forks from start and finish."""
_BETWEEN_M = 10.0
_TURN_M = 3.5
"""Length over which a side trail turns to its own heading."""
_APART_M = 3.5
_TRIES = 150
"""Number of consecutive failed attempts after which drawing stops."""
_POST_HEIGHT_M, _POST_RADIUS_M = 2.1, 0.12
_POST_FROM_SIDE_TRAIL_M = 1.2


@dataclass(frozen=True)
class SideTrail:
    """A trail that branches off and fades.

    Attributes:
        points: float64 [K, 2], m, map, every 0.25 m from the fork.
        half_width_m: float64 [K].
        strength: float64 [K], opacity from 1, painted like the trail, to 0, faded.
        fork_m: arc length of the trail at the fork.
        side: 1 for left, -1 for right.
    """

    points: Floats
    half_width_m: Floats
    strength: Floats
    fork_m: float
    side: int


def draw_forks(
    trail: TrailCurve, half_width_m: float, count: int, seed: int
) -> tuple[SideTrail, ...]:
    """Draw up to `count` side trails, as many as fit.

    They branch off at 35 to 60 degrees, are 15 to 25 m long and fade over the last 40 %. They keep
    3.5 m from the trail, once they have reached that distance, and from each other.

    Args:
        trail: trail to branch off from.
        half_width_m: half width of the trail.
        count: requested number.
        seed: seed of the flight; the stream is "forest.forks".
    """
    rng = stream(seed, "forest.forks")
    _, course, _ = visible_course(trail)
    found: list[SideTrail] = []
    tries = _TRIES if trail.length_m > _FIRST_M + _LAST_M else 0
    while len(found) < count and tries > 0:
        tries -= 1
        side = _draw(trail, half_width_m, rng)
        apart = all(abs(side.fork_m - other.fork_m) >= _BETWEEN_M for other in found)
        others = [other.points for other in found]
        if apart and _leaves(side, course) and all(_is_far(side, other) for other in others):
            found.append(side)
            tries = _TRIES
    return tuple(sorted(found, key=lambda side: side.fork_m))


def _draw(trail: TrailCurve, half_width_m: float, rng: np.random.Generator) -> SideTrail:
    fork_m = rng.uniform(_FIRST_M, max(trail.length_m - _LAST_M, _FIRST_M))
    side = int(rng.choice((-1, 1)))
    along = np.arange(0.0, rng.uniform(15.0, 25.0), STEP_M)
    turned = np.clip(along / _TURN_M, 0.0, 1.0)
    turned = turned * turned * (3.0 - 2.0 * turned)
    sway = 0.25 * np.sin(2.0 * math.pi * along / rng.uniform(10.0, 18.0))
    bend = turned * (math.radians(rng.uniform(35.0, 60.0)) + sway)
    heading = trail.heading(fork_m) + side * bend
    steps = STEP_M * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    points = np.array(trail.point(fork_m)) + np.cumsum(steps, axis=0) - steps[0]
    part = along / along[-1]
    return SideTrail(
        points=points,
        half_width_m=half_width_m * (1.0 - 0.35 * np.clip((part - 0.5) / 0.5, 0.0, 1.0)),
        strength=np.clip((1.0 - part) / 0.4, 0.0, 1.0),
        fork_m=fork_m,
        side=side,
    )


def _leaves(side: SideTrail, course: Floats) -> bool:
    """Return whether the distance to the trail grows by 0.35 m a metre, up to 3.5 m."""
    along = STEP_M * np.arange(len(side.points))
    apart = np.linalg.norm(side.points[:, None] - course, axis=2).min(axis=1)
    return bool((apart >= np.minimum(0.35 * (along - 2.0), _APART_M)).all())


def _is_far(side: SideTrail, points: Floats) -> bool:
    apart = np.linalg.norm(side.points[:, None] - points, axis=2)
    return float(apart.min()) >= _APART_M


def blaze_forks(
    trail: TrailCurve, forks: tuple[SideTrail, ...], beside_m: float, terrain: Terrain
) -> tuple[Post, ...]:
    """Return two posts a fork next to the correct branch, 2 and 6 m after the fork.

    The first stands on the outer side. The second stands between the branches where these are far
    enough apart, otherwise on the outer side too.
    """
    posts = []
    for fork in forks:
        for on, side in ((2.0, -fork.side), (6.0, fork.side)):
            x, y = _beside(trail, fork.fork_m + on, side * beside_m)
            if np.hypot(*(fork.points - (x, y)).T).min() < _POST_FROM_SIDE_TRAIL_M:
                x, y = _beside(trail, fork.fork_m + on, -fork.side * beside_m)
            foot = (x, y, terrain.height_at(x, y))
            posts.append(Post(foot, _POST_HEIGHT_M, _POST_RADIUS_M))
    return tuple(posts)


def _beside(trail: TrailCurve, along_m: float, left_m: float) -> tuple[float, float]:
    (x, y), heading = trail.point(along_m), trail.heading(along_m)
    return x - left_m * math.sin(heading), y + left_m * math.cos(heading)
