"""What stands in a forest besides trees: coloured objects, posts that mark the way, boards."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from liquid_control.types import Floats
from liquid_control_sim.place.palette import Colour

Place = tuple[float, float, float]

COLOURS: dict[str, Colour] = {
    "red": (0.82, 0.06, 0.08),
    "orange": (0.95, 0.45, 0.04),
    "yellow": (0.95, 0.82, 0.08),
    "blue": (0.08, 0.20, 0.80),
    "violet": (0.50, 0.10, 0.68),
    "white": (0.94, 0.94, 0.92),
}
"""Colours of things, sRGB."""
POST_RADIUS_M = 0.06


class Shape(str, Enum):
    """What a thing is built as; `size_m` is its diameter, edge, or height and width."""

    BALL = "ball"
    BOX = "box"
    CONE = "cone"


@dataclass(frozen=True)
class ForestObject:
    """A coloured object, on the ground or on a thin post.

    Attributes:
        shape: what it looks like.
        colour: a key of `COLOURS`.
        centre: x, y and z of its middle, m, map.
        size_m: its extent. What is hit and measured is the ball of this diameter.
        turn_rad: about the vertical.
        post_m: length of the post between the ground and its lower side, 0 on the ground.
    """

    shape: Shape
    colour: str
    centre: Place
    size_m: float
    turn_rad: float
    post_m: float

    @property
    def radius_m(self) -> float:
        """Radius of the ball that is hit and measured."""
        return 0.5 * self.size_m

    @property
    def capsules(self) -> Floats:
        """What is hit, float64 [1 or 2, 7]: two ends and a radius, m, map."""
        x, y, z = self.centre
        rows = [(x, y, z, x, y, z, self.radius_m)]
        if self.post_m > 0.0:
            rows.append((x, y, z, x, y, z - self.radius_m - self.post_m, POST_RADIUS_M))
        return np.array(rows)


@dataclass(frozen=True)
class Band:
    """A painted ring around a post: from and until heights above its foot, m."""

    from_m: float
    until_m: float
    colour: Colour


BLAZE = (
    Band(1.0, 1.35, COLOURS["red"]),
    Band(1.35, 1.65, COLOURS["white"]),
    Band(1.65, 2.0, COLOURS["red"]),
)
"""Red, white, red between 1 and 2 m: this way."""


@dataclass(frozen=True)
class Post:
    """A wooden post that stands upright.

    Attributes:
        foot: x, y and z of its lower end, m, map.
        height_m: above the foot.
        radius_m: of the wood.
        bands: painted rings.
    """

    foot: Place
    height_m: float
    radius_m: float
    bands: tuple[Band, ...] = BLAZE

    @property
    def capsule(self) -> tuple[float, ...]:
        """What is hit: two ends and a radius, m, map."""
        x, y, z = self.foot
        return x, y, z, x, y, z + self.height_m, self.radius_m


@dataclass(frozen=True)
class Board:
    """A sheet that hides a target for a while; for the eye only, it cannot be hit.

    Attributes:
        centre: x, y and z of its middle, m, map.
        facing_rad: heading of its normal, towards who comes.
        width_m, height_m: its size.
        from_s, until_s: when it is there, in simulated time, the end excluded.
    """

    centre: Place
    facing_rad: float
    width_m: float
    height_m: float
    from_s: float
    until_s: float

    def is_up(self, time_s: float) -> bool:
        """Return whether it is there at a time."""
        return self.from_s <= time_s < self.until_s
