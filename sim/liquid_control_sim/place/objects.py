"""Objects of a forest and their collision geometry: obstacles, coloured objects, posts, boards.

Trunks are upright cylinders; everything else that can be hit consists of capsules.
"""

import math
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from liquid_control.types import Floats
from liquid_control_sim.place.palette import Colour


@dataclass(frozen=True)
class Obstacles:
    """Everything that a vehicle can collide with except the ground.

    Attributes:
        trunks: float64 [N, 3], x, y and radius, m, map; upright, above any flight altitude.
        capsules: float64 [M, 7], both ends and the radius, m, map: branches, posts, objects.
    """

    trunks: Floats = field(default_factory=lambda: np.empty((0, 3)))
    capsules: Floats = field(default_factory=lambda: np.empty((0, 7)))

    def clearance(self, x: float, y: float, z: float) -> float:
        """Return the distance from a point to the nearest surface, m; infinite without any."""
        nearest = math.inf
        if len(self.trunks):
            gaps = np.hypot(self.trunks[:, 0] - x, self.trunks[:, 1] - y) - self.trunks[:, 2]
            nearest = float(gaps.min())
        if len(self.capsules):
            gaps = capsule_gaps(self.capsules, np.array([x, y, z]))
            nearest = min(nearest, float(gaps.min()))
        return nearest


def capsule_gaps(capsules: Floats, points: Floats) -> Floats:
    """Return the distances from points to the surfaces of capsules; negative inside.

    Args:
        capsules: float64 [M, 7].
        points: float64 [..., 3].

    Returns:
        float64 [..., M], m.
    """
    offsets = capsule_offsets(capsules, points)
    return np.asarray(np.linalg.norm(offsets, axis=-1) - capsules[:, 6])


def capsule_offsets(capsules: Floats, points: Floats) -> Floats:
    """Return the vectors from the nearest point of each capsule's axis, float64 [..., M, 3], m."""
    start, along = capsules[:, :3], capsules[:, 3:6] - capsules[:, :3]
    length = np.maximum((along * along).sum(axis=1), 1e-12)
    from_start = points[..., None, :] - start
    part = np.clip((from_start * along).sum(axis=-1) / length, 0.0, 1.0)
    return np.asarray(from_start - part[..., None] * along)


Place = tuple[float, float, float]

COLOURS: dict[str, Colour] = {
    "red": (0.82, 0.06, 0.08),
    "orange": (0.95, 0.45, 0.04),
    "yellow": (0.95, 0.82, 0.08),
    "blue": (0.08, 0.20, 0.80),
    "violet": (0.50, 0.10, 0.68),
    "white": (0.94, 0.94, 0.92),
}
"""Colours of objects, sRGB."""
POST_RADIUS_M = 0.06


class Shape(str, Enum):
    """Shape of an object; `size_m` is its diameter, edge, or height and width."""

    BALL = "ball"
    BOX = "box"
    CONE = "cone"


@dataclass(frozen=True)
class ForestObject:
    """A coloured object, on the ground or on a thin post.

    Attributes:
        shape: rendered shape.
        colour: a key of `COLOURS`.
        centre: x, y and z of its centre, m, map.
        size_m: extent. Collisions and distances use the sphere of this diameter.
        turn_rad: rotation about the vertical.
        post_m: length of the post between the ground and its lower side; 0 without a post.
    """

    shape: Shape
    colour: str
    centre: Place
    size_m: float
    turn_rad: float
    post_m: float

    @property
    def radius_m(self) -> float:
        """Radius of the sphere used for collisions and distances."""
        return 0.5 * self.size_m

    @property
    def capsules(self) -> Floats:
        """Collision shapes, float64 [1 or 2, 7]: two ends and a radius, m, map."""
        x, y, z = self.centre
        rows = [(x, y, z, x, y, z, self.radius_m)]
        if self.post_m > 0.0:
            rows.append((x, y, z, x, y, z - self.radius_m - self.post_m, POST_RADIUS_M))
        return np.array(rows)


@dataclass(frozen=True)
class Band:
    """A painted ring around a post, between two heights above its foot, m."""

    from_m: float
    until_m: float
    colour: Colour


BLAZE = (
    Band(1.0, 1.35, COLOURS["red"]),
    Band(1.35, 1.65, COLOURS["white"]),
    Band(1.65, 2.0, COLOURS["red"]),
)
"""Red, white, red between 1 and 2 m: the mark of the correct branch."""


@dataclass(frozen=True)
class Post:
    """An upright wooden post.

    Attributes:
        foot: x, y and z of its lower end, m, map.
        height_m: height above the foot.
        radius_m: radius.
        bands: painted rings.
    """

    foot: Place
    height_m: float
    radius_m: float
    bands: tuple[Band, ...] = BLAZE

    @property
    def capsule(self) -> tuple[float, ...]:
        """Collision shape: two ends and a radius, m, map."""
        x, y, z = self.foot
        return x, y, z, x, y, z + self.height_m, self.radius_m


@dataclass(frozen=True)
class Board:
    """A panel that hides a target for a limited time. It is rendered but is not an obstacle.

    Attributes:
        centre: x, y and z of its centre, m, map.
        facing_rad: heading of its normal, towards the approaching vehicle.
        width_m, height_m: size.
        from_s, until_s: interval of simulated time in which it is present, end excluded.
    """

    centre: Place
    facing_rad: float
    width_m: float
    height_m: float
    from_s: float
    until_s: float

    def is_up(self, time_s: float) -> bool:
        """Return whether the board is present at a time."""
        return self.from_s <= time_s < self.until_s
