"""Control barrier function filter: the nearest command that keeps a vehicle inside its bounds.

Model: a velocity loop of first order with a dead time d in the map frame,

    p' = v,    v'(t) = k(t) (u(t - d) - v(t)),

whose gain k(t) > 0 is not known, but brakes at least as well as the settings state:
k (r + |v| / a) >= 1, with the reaction time r and the deceleration a. The filter acts on the point
at which the vehicle stops,

    P = p + v (r + |v| / (2 a)) + integral of the commands that do not act yet.

With k = 1 / r and a large it is a single integrator, P' = u. The bounds are
h(P) = n . (P - e) - margin >= 0, one for each edge e with the inner normal n. The filter solves

    minimise |u - u_wanted|^2   subject to   n . u >= -alpha h(P) for each bound, |u| <= speed,

the quadratic program of control barrier functions (Ames et al. 2017, doi
10.1109/TAC.2016.2638961; Ames et al. 2019, doi 10.23919/ECC.2019.8796030, Theorem 2).

Held for a time T, u gives h(P + T u) >= (1 - alpha T) h(P), the condition of a discrete-time
control barrier function (Agrawal & Sreenath 2017, doi 10.15607/RSS.2017.XIII.073). For
alpha T <= 1, h(P) >= 0 follows for all later commands by induction; from h < 0 the filter leads
back. Where P' = u + w with n . w >= -w_max, the induction has the fixed point -w_max / alpha: the
set h >= -w_max / alpha is invariant (input-to-state safety, Kolathaya & Ames 2019, doi
10.1109/LCSYS.2018.2853698). The margin stands for w_max / alpha, that is for wind and for errors
of the model. It is not derived but measured (docs/guard.md).

For other gains without dead time: where h(P) = 0, u does not point outwards. If v does, the rate
n . P' = n . v - k s n . (v - u), with the derivative s = r + |v| / a of the way to a stop, is not
negative for k s >= 1 while v keeps its direction; if v does not, p moves inwards, and P follows.

The bound of an edge is the line through its point nearest to the segment from p to P, across the
shortest connection. It has the whole segment on its inner side, so these bounds are a convex
region inside any polygon, also one with inner corners. p moves towards P and stays in that region.

The heading frame turns. A yaw rate w turns the way to a stop, by w z x (P - p) a second, in a
vehicle whose loop works in the heading frame, and not at all where it works in the map. The yaw
rate is limited so that each bound holds in both cases.

Heights and horizontal velocities are independent, so the program is one in the plane and one on a
line. Both are solved exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import cos, hypot, inf, sin, sqrt
from typing import NamedTuple

from liquid_control.command.geofence import Fence, Point, crosses, nearest_point
from liquid_control.types import NANOSECONDS, Command

Vector = tuple[float, float, float]
_PARALLEL = 1e-12
"""Sine of the angle below which two lines are parallel."""
_TOLERANCE_MPS = 1e-12
"""A bound that is missed by less holds."""
_LEAST_M = 1e-6
"""Distance from an edge below which its direction is unknown."""


class HalfPlane(NamedTuple):
    """Bound of a velocity u in the heading frame: forward u_f + left u_l >= least.

    Attributes:
        forward: component of the unit normal, which points to the allowed side; `left` likewise.
        left: see `forward`.
        least_mps: least speed along the normal, m/s; above 0 the vehicle must come back.
        turning_m: by how much a yaw rate of 1 rad/s moves the stopping point along the normal, m.
    """

    forward: float
    left: float
    least_mps: float
    turning_m: float = 0.0


class SentVelocity(NamedTuple):
    """A command from its time on: velocity in the map, m/s."""

    stamp_ns: int
    velocity: Vector


class VehicleMotion(NamedTuple):
    """State of the vehicle that the filter needs.

    Attributes:
        position: m, map.
        velocity: m/s, map.
        yaw_rad: heading, counter-clockwise from east.
        pending: displacement of the commands that were sent and do not act yet, m, map.
    """

    position: Vector
    velocity: Vector
    yaw_rad: float
    pending: Vector = (0.0, 0.0, 0.0)


def pending_displacement(sent: Sequence[SentVelocity], since_ns: int, until_ns: int) -> Vector:
    """Return the integral of sent velocities over an interval, m, map.

    Args:
        sent: commands in order, each in force until the next one.
        since_ns: begin of the interval: stamp of the odometry less the dead time.
        until_ns: its end, at which the next command comes into force.
    """
    x = y = z = 0.0
    for stamp_ns, (east, north, up) in reversed(sent):
        if until_ns > since_ns:
            elapsed_s = max(0, until_ns - max(stamp_ns, since_ns)) / NANOSECONDS
            x, y, z = x + elapsed_s * east, y + elapsed_s * north, z + elapsed_s * up
        until_ns = min(until_ns, stamp_ns)
        if stamp_ns <= since_ns:
            break
    return x, y, z


def in_map(command: Command, yaw_rad: float) -> Vector:
    """Return the velocity of a command in the map, m/s."""
    c, s = cos(yaw_rad), sin(yaw_rad)
    forward, left = command.forward_mps, command.left_mps
    return c * forward - s * left, s * forward + c * left, command.up_mps


def nearest_velocity(
    wanted: Point, bounds: Sequence[HalfPlane], speed_mps: float = inf
) -> Point | None:
    """Return the point of half-planes and a disc nearest to a point; None where there is none.

    Incremental and exact, after the linear program of Seidel (1991, doi 10.1007/BF02574699): where
    the nearest point of the first bounds violates the next one, the nearest point of all of them
    lies on its line, since the objective is convex.

    Args:
        wanted: (forward, left), m/s.
        bounds: half-planes with unit normals.
        speed_mps: radius of the disc about 0, m/s.
    """
    x, y = wanted
    size = hypot(x, y)
    if size > speed_mps:
        x, y = x * speed_mps / size, y * speed_mps / size
    for number, bound in enumerate(bounds):
        if bound.forward * x + bound.left * y >= bound.least_mps - _TOLERANCE_MPS:
            continue
        found = _nearest_on_line(wanted, bound, bounds[:number], speed_mps)
        if found is None:
            return None
        x, y = found
    return x, y


def _nearest_on_line(
    wanted: Point, line: HalfPlane, bounds: Sequence[HalfPlane], speed_mps: float
) -> Point | None:
    """Return the point of a line within bounds and disc nearest to a point."""
    nx, ny, offset, _ = line
    if abs(offset) > speed_mps:
        return None
    x, y = nx * offset, ny * offset
    high = sqrt(speed_mps * speed_mps - offset * offset)
    low = -high
    for mx, my, least, _ in bounds:
        slope = my * nx - mx * ny
        missing = least - mx * x - my * y
        if abs(slope) < _PARALLEL:
            if missing > _TOLERANCE_MPS:
                return None
        elif slope > 0.0:
            low = max(low, missing / slope)
        else:
            high = min(high, missing / slope)
    if low > high:
        return None
    along = min(max(wanted[1] * nx - wanted[0] * ny, low), high)
    return x - ny * along, y + nx * along


@dataclass(frozen=True, slots=True)
class BarrierFilter:
    """Filter of commands by control barrier functions; see the module for model and theorems.

    Attributes:
        fence: polygon and heights, m, map.
        limits: largest magnitude of each of `Command.values`.
        margin_m: distance from the fence for wind and errors of the model, m.
        decel_mps2: deceleration a of the vehicle, m/s^2.
        reaction_s: reaction time r, s.
        rate_per_s: alpha, 1/s: a bound is approached at most by this fraction of its distance a
            second. Its inverse is the longest time for which a command may be held.
        speed_mps: largest horizontal speed, m/s.
        min_forward_m: least distance of an obstacle ahead, m.
        min_ground_m: least distance of the ground, m.
    """

    fence: Fence
    limits: tuple[float, float, float, float]
    margin_m: float
    decel_mps2: float
    reaction_s: float
    rate_per_s: float
    speed_mps: float = inf
    min_forward_m: float = 0.0
    min_ground_m: float = 0.0
    _edges: tuple[tuple[Point, Point, Point, float], ...] = field(
        init=False, repr=False, compare=False
    )
    _box: tuple[HalfPlane, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        corners, (forward, left, _, _) = self.fence.corners, self.limits
        edges = [
            (start, end, (end[0] - start[0], end[1] - start[1]))
            for start, end in pairwise((*corners, *corners[:1]))
        ]
        squared = [dx * dx + dy * dy for _, _, (dx, dy) in edges]
        found = tuple((*edge, size) for edge, size in zip(edges, squared, strict=True))
        object.__setattr__(self, "_edges", found)
        box = ((1.0, 0.0, -forward), (-1.0, 0.0, -forward), (0.0, 1.0, -left), (0.0, -1.0, -left))
        object.__setattr__(self, "_box", tuple(HalfPlane(*bound) for bound in box))

    def stop(self, motion: VehicleMotion) -> Vector:
        """Return the displacement until the vehicle stops, m, map: P - p of the module."""
        (vx, vy, vz), (x, y, z) = motion.velocity, motion.pending
        per_speed = 0.5 / self.decel_mps2
        level = self.reaction_s + per_speed * hypot(vx, vy)
        return (
            x + level * vx,
            y + level * vy,
            z + (self.reaction_s + per_speed * abs(vz)) * vz,
        )

    def command(
        self,
        wanted: Command,
        motion: VehicleMotion,
        ahead_m: float = inf,
        below_m: float = inf,
    ) -> Command | None:
        """Return the nearest command that keeps all bounds; None where there is none: brake.

        A command that keeps them is returned unchanged.

        Args:
            wanted: command within `limits`.
            motion: of the vehicle.
            ahead_m: distance of the obstacle ahead, m; infinite for none.
            below_m: distance of the ground, m; infinite where it is not measured.
        """
        bounds = self.bounds(motion, wanted.yaw_rate_radps, ahead_m)
        heights = self.heights(motion, below_m)
        if bounds is None or heights is None:
            return None
        level = nearest_velocity(
            (wanted.forward_mps, wanted.left_mps), (*bounds, *self._box), self.speed_mps
        )
        if level is None:
            return None
        up = min(max(wanted.up_mps, heights[0]), heights[1])
        turn = wanted.yaw_rate_radps
        for nx, ny, least, turning_m in bounds:
            spare = max(0.0, nx * level[0] + ny * level[1] - least)
            if turning_m * turn < -spare:
                turn = -spare / turning_m
        return Command(*level, up, turn)

    def bounds(
        self, motion: VehicleMotion, yaw_rate_radps: float = 0.0, ahead_m: float = inf
    ) -> list[HalfPlane] | None:
        """Return the bounds that can matter of the horizontal velocity, heading frame.

        None where no bound is known: the vehicle is outside, on an edge, or will stop behind one.

        Args:
            motion: of the vehicle.
            yaw_rate_radps: largest yaw rate for which the bounds are used.
            ahead_m: distance of the obstacle ahead, m; infinite for none.
        """
        if not self.fence.contains(motion.position):
            return None
        (x, y, _), (sx, sy, _) = motion.position, self.stop(motion)
        c, s = cos(motion.yaw_rad), sin(motion.yaw_rad)
        ahead, aside = c * sx + s * sy, c * sy - s * sx
        length_m = hypot(sx, sy)
        fastest = min(self.speed_mps, hypot(*self.limits[:2])) + abs(yaw_rate_radps) * length_m
        reach_m = length_m + self.margin_m + fastest / self.rate_per_s
        stop = x + sx, y + sy
        found = []
        for start, end, (dx, dy), squared in self._edges:
            # `nearest_point` in line: most edges of a large polygon end here.
            along = ((x - start[0]) * dx + (y - start[1]) * dy) / squared
            along = 0.0 if along < 0.0 else min(along, 1.0)
            if hypot(start[0] + along * dx - x, start[1] + along * dy - y) > reach_m:
                continue
            normal = _shortest((x, y), stop, start, end)
            if normal is None:
                return None
            east, north, edge = normal
            distance_m = east * (stop[0] - edge[0]) + north * (stop[1] - edge[1]) - self.margin_m
            nx, ny = c * east + s * north, c * north - s * east
            found.append(HalfPlane(nx, ny, -self.rate_per_s * distance_m, ny * ahead - nx * aside))
        if self.min_forward_m > 0.0 and ahead_m < inf:
            spare_m = ahead_m - self.min_forward_m - ahead
            found.append(HalfPlane(-1.0, 0.0, -self.rate_per_s * spare_m))
        return found

    def heights(self, motion: VehicleMotion, below_m: float = inf) -> tuple[float, float] | None:
        """Return the least and largest climb speed, m/s; None where there is none."""
        most = self.limits[2]
        rate, stop = self.rate_per_s, self.stop(motion)[2]
        height = motion.position[2] + stop
        low, high = -most, most
        if self.fence.floor_m is not None:
            low = max(low, -rate * (height - self.fence.floor_m - self.margin_m))
        if self.fence.ceiling_m is not None:
            high = min(high, rate * (self.fence.ceiling_m - self.margin_m - height))
        if self.min_ground_m > 0.0 and below_m < inf:
            low = max(low, -rate * (below_m + stop - self.min_ground_m))
        low, high = min(low, most), max(high, -most)
        return (low, high) if low <= high else None


def _shortest(
    place: Point, stop: Point, start: Point, end: Point
) -> tuple[float, float, Point] | None:
    """Return the shortest connection of an edge to the segment from the vehicle to its stop.

    Returns:
        Unit vector from the edge (east, north), and the point of the edge; None where they meet.
    """
    if crosses(place, stop, start, end):
        return None
    pairs = [
        (place, nearest_point(start, end, *place)),
        (stop, nearest_point(start, end, *stop)),
    ]
    if hypot(stop[0] - place[0], stop[1] - place[1]) > _LEAST_M:
        pairs += [(nearest_point(place, stop, *corner), corner) for corner in (start, end)]
    best, found = inf, None
    for (px, py), edge in pairs:
        east, north = px - edge[0], py - edge[1]
        distance_m = hypot(east, north)
        if distance_m < best:
            best, found = distance_m, (east, north, edge)
    if found is None or best < _LEAST_M:
        return None
    return found[0] / best, found[1] / best, found[2]
