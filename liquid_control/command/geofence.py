"""Fence of a flight: a polygon in the map with a band of heights, and the speeds it allows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, hypot, isfinite, sin, sqrt
from typing import NamedTuple

from liquid_control.types import Command

Point = tuple[float, float]
MAX_CORNERS = 100
_LEAST_M = 1e-6
"""Distance below which two points are one."""


class SpeedLimit(NamedTuple):
    """Largest speed in one direction of the heading frame, horizontal or vertical.

    Attributes:
        forward: component of the unit vector of the direction; `left` and `up` likewise.
        left: see `forward`.
        up: see `forward`; the other two are 0 where it is not.
        speed_mps: largest speed in the direction, m/s, at least 0.
    """

    forward: float
    left: float
    up: float
    speed_mps: float


def allowed_speed(distance_m: float, decel_mps2: float, reaction_s: float) -> float:
    """Return the speed from which a vehicle stops within a distance, m/s.

    It solves v t + v^2 / (2 a) = d for v, with the reaction time t and the deceleration a. Without
    distance it is 0.
    """
    if distance_m <= 0.0:
        return 0.0
    lag_mps = decel_mps2 * reaction_s
    return sqrt(lag_mps * lag_mps + 2.0 * decel_mps2 * distance_m) - lag_mps


def slowed(command: Command, limits: Sequence[SpeedLimit]) -> Command:
    """Return a command within speed limits; no component grows, and none changes its sign.

    Limits of horizontal directions scale the horizontal velocity, so that its direction stays and
    each limit holds, whatever the angles between them. Those of vertical ones limit `up_mps`.
    """
    factor, up = 1.0, command.up_mps
    for limit in limits:
        if limit.up != 0.0:
            up = min(up, limit.speed_mps) if limit.up > 0.0 else max(up, -limit.speed_mps)
            continue
        toward = command.forward_mps * limit.forward + command.left_mps * limit.left
        if toward > limit.speed_mps:
            factor = min(factor, limit.speed_mps / toward)
    if factor == 1.0 and up == command.up_mps:
        return command
    return Command(
        command.forward_mps * factor, command.left_mps * factor, up, command.yaw_rate_radps
    )


@dataclass(frozen=True, slots=True)
class Fence:
    """Polygon and band of heights that a vehicle must stay in.

    Attributes:
        corners: (east, north) of each corner in order, m, map; empty for no polygon.
        floor_m: lowest height, m, map; None for none.
        ceiling_m: largest height; None for none.

    Raises:
        ValueError: fewer than three corners, corners that coincide, edges that cross, or a ceiling
            that is not above the floor.
    """

    corners: tuple[Point, ...] = ()
    floor_m: float | None = None
    ceiling_m: float | None = None

    def __post_init__(self) -> None:
        floor_m, ceiling_m = self.floor_m, self.ceiling_m
        if floor_m is not None and ceiling_m is not None and not floor_m < ceiling_m:
            raise ValueError(
                f"expected a fence with its ceiling above its floor, got {ceiling_m:g} m above "
                f"{floor_m:g} m"
            )
        if self.corners:
            _check_polygon(self.corners)

    @classmethod
    def of(
        cls, coordinates: Sequence[float], floor_m: float | None, ceiling_m: float | None
    ) -> "Fence":
        """Return the fence of flat coordinates: x1, y1, x2, y2 and so on.

        Raises:
            ValueError: see the class; or the number of coordinates is odd.
        """
        if len(coordinates) % 2:
            raise ValueError(
                f"expected x and y of each corner of the fence, got {len(coordinates)} numbers"
            )
        corners = zip(coordinates[::2], coordinates[1::2], strict=True)
        return cls(tuple((float(x), float(y)) for x, y in corners), floor_m, ceiling_m)

    @property
    def exists(self) -> bool:
        """Whether it limits anything."""
        return bool(self.corners) or self.floor_m is not None or self.ceiling_m is not None

    def contains(self, position: tuple[float, float, float]) -> bool:
        """Return whether a position, m, map, is inside; the edges are not inside for certain."""
        x, y, z = position
        if self.floor_m is not None and z < self.floor_m:
            return False
        if self.ceiling_m is not None and z > self.ceiling_m:
            return False
        return not self.corners or self._surrounds(x, y)

    def limits(
        self,
        position: tuple[float, float, float],
        yaw_rad: float,
        margin_m: float,
        decel_mps2: float,
        reaction_s: float,
    ) -> tuple[SpeedLimit, ...]:
        """Return the speeds towards each edge, floor and ceiling from which the vehicle stops.

        Args:
            position: of the vehicle, m, map, inside.
            yaw_rad: its heading, counter-clockwise from east.
            margin_m: distance from the fence at which it is to stand.
            decel_mps2: with which it brakes.
            reaction_s: after which it brakes.
        """
        x, y, z = position

        def speed(distance_m: float) -> float:
            return allowed_speed(distance_m - margin_m, decel_mps2, reaction_s)

        found = []
        c, s = cos(yaw_rad), sin(yaw_rad)
        for start, end in self._edges():
            near_x, near_y = nearest_point(start, end, x, y)
            east, north = near_x - x, near_y - y
            distance_m = hypot(east, north)
            if distance_m < _LEAST_M:
                # On the edge its direction is unknown: no motion at all.
                found += [SpeedLimit(c * e + s * n, c * n - s * e, 0.0, 0.0) for e, n in _AXES]
                continue
            east, north = east / distance_m, north / distance_m
            found.append(
                SpeedLimit(c * east + s * north, c * north - s * east, 0.0, speed(distance_m))
            )
        if self.floor_m is not None:
            found.append(SpeedLimit(0.0, 0.0, -1.0, speed(z - self.floor_m)))
        if self.ceiling_m is not None:
            found.append(SpeedLimit(0.0, 0.0, 1.0, speed(self.ceiling_m - z)))
        return tuple(found)

    def _edges(self) -> Iterator[tuple[Point, Point]]:
        return pairwise((*self.corners, *self.corners[:1]))

    def _surrounds(self, x: float, y: float) -> bool:
        """Return whether a ray to the east crosses an odd number of edges."""
        inside = False
        for (ax, ay), (bx, by) in self._edges():
            if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
                inside = not inside
        return inside


_AXES = ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0))


def nearest_point(start: Point, end: Point, x: float, y: float) -> Point:
    """Return the point of an edge nearest to (x, y)."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy)
    along = min(1.0, max(0.0, along))
    return start[0] + along * dx, start[1] + along * dy


def _check_polygon(corners: Sequence[Point]) -> None:
    """Check a polygon: at least three corners, all apart, and no edges that meet elsewhere."""
    if not 3 <= len(corners) <= MAX_CORNERS:
        raise ValueError(
            f"expected a fence of 3 to {MAX_CORNERS} corners, got {len(corners)} "
            f"corner{'s' if len(corners) != 1 else ''}"
        )
    if not all(isfinite(value) for corner in corners for value in corner):
        raise ValueError("expected finite corners of the fence")
    number = len(corners)
    for first in range(number):
        for second in range(first + 1, number):
            if _distance(corners[first], corners[second]) < _LEAST_M:
                raise ValueError(f"corners {first + 1} and {second + 1} of the fence are the same")
    for first in range(number):
        a, b = corners[first], corners[(first + 1) % number]
        before = corners[first - 1]
        if _on_segment(a, b, before) or _on_segment(before, a, b):
            raise ValueError(f"the fence turns back on itself at corner {first + 1}")
        for second in range(first + 2, number - (first == 0)):
            c, d = corners[second], corners[(second + 1) % number]
            if _meet(a, b, c, d):
                raise ValueError(
                    f"the fence crosses itself: its edges {first + 1} and {second + 1} meet"
                )


def _distance(a: Point, b: Point) -> float:
    return hypot(a[0] - b[0], a[1] - b[1])


def _turn(a: Point, b: Point, c: Point) -> float:
    """Return twice the area of a triangle, positive if it is counter-clockwise."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _on_segment(a: Point, b: Point, point: Point) -> bool:
    near = nearest_point(a, b, *point)
    return _distance(near, point) < _LEAST_M


def crosses(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Return whether two segments cross at an inner point of both."""
    return _turn(a, b, c) * _turn(a, b, d) < 0.0 and _turn(c, d, a) * _turn(c, d, b) < 0.0


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Return whether two segments have a point in common."""
    if crosses(a, b, c, d):
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(_on_segment(*three) for three in ends)
