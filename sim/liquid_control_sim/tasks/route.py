"""Route planning for the trail expert: a line around obstacles and a speed profile along it.

The route is planned once, at the start of a flight, by dynamic programming over arc length and
lateral offset (Bellman's recursion). The cost of a position is its nearness to obstacles and its
distance from the centre line; the cost of a step is its squared slope. The line is then smoothed
as far as the gaps allow. Speed is limited by lateral acceleration, v^2 |curvature| <= a, and by
the gap; braking and speeding up connect the limits.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from liquid_control.interfaces import Trail, World
from liquid_control.types import Floats
from liquid_control_sim.place.objects import capsule_gaps
from liquid_control_sim.place.trail import STEP_M, TrailCurve
from liquid_control_sim.tasks.steering import ExpertGains


class Route(Protocol):
    """Protocol for a line and the speed along it."""

    @property
    def line(self) -> Trail:
        """Line to follow."""
        ...

    def speed(self, along_m: float) -> float:
        """Return the speed at an arc length, m/s."""
        ...

    def lookahead(self, speed_mps: float) -> float:
        """Return the lookahead distance at a speed, m."""
        ...


@dataclass(frozen=True)
class OpenRoute:
    """The trail itself at cruise speed, for corridors without obstacles.

    Attributes:
        line: trail.
        cruise_mps: constant speed.
        lookahead_m: constant lookahead distance.
    """

    line: Trail
    cruise_mps: float
    lookahead_m: float

    def speed(self, along_m: float) -> float:
        """Return the cruise speed, m/s."""
        return self.cruise_mps

    def lookahead(self, speed_mps: float) -> float:
        """Return the constant lookahead distance, m."""
        return self.lookahead_m


@dataclass(frozen=True)
class PlannedRoute:
    """A line around obstacles with a speed profile.

    Attributes:
        line: planned line.
        profile_mps: float64 [S], speed every 0.1 m of arc length.
        lookahead_m: largest lookahead distance.
    """

    line: Trail
    profile_mps: Floats
    lookahead_m: float

    def speed(self, along_m: float) -> float:
        """Return the planned speed at an arc length, m/s."""
        index = round(along_m / STEP_M)
        return float(self.profile_mps[min(max(index, 0), len(self.profile_mps) - 1)])

    def lookahead(self, speed_mps: float) -> float:
        """Return the distance covered in one second, from 1.2 m to `lookahead_m`."""
        return float(np.clip(speed_mps, 1.2, self.lookahead_m))


_STATION_M = 0.4
_OFFSETS_M = np.linspace(-1.5, 1.5, 31)
_REACH = 3
"""Largest change of the offset between stations, in steps of 0.1 m."""
_BEYOND_M = 6.0
"""Length of the route beyond the finish."""
_WIDE_M = 1.0
"""Gaps to the hull wider than this have no cost."""
_BLOCKED = 1e3
_GAP_COST, _CENTRE_COST, _SLOPE_COST = 10.0, 0.5, 4.0
_SMOOTHINGS_M = (2.0, 1.4, 1.0, 0.7, 0.4)
_FREE_M = 0.5
"""Minimum gap to the hull after smoothing, except where the unsmoothed line has less."""


def plan_route(world: World, hull_m: float, cruise_mps: float, gains: ExpertGains) -> PlannedRoute:
    """Plan a route along a world's trail.

    Args:
        world: trail, obstacles and ground.
        hull_m: radius of the vehicle's hull.
        cruise_mps: highest speed.
        gains: limits of acceleration and of speed in narrow gaps.
    """
    along = np.arange(0.0, world.trail.length_m + _BEYOND_M, _STATION_M)
    frame = _frame(world, along)
    gaps = _gaps(world, frame[:, None, :2] + _OFFSETS_M[:, None] * frame[:, None, 2:], hull_m)
    raw = _OFFSETS_M[_cheapest(_costs(gaps))]
    offsets = _smoothed(raw, world, frame, hull_m)
    line = TrailCurve.from_points(_fine(frame, offsets))
    line_gaps = _gaps(world, line.samples, hull_m)
    return PlannedRoute(line, _profile(line, line_gaps, cruise_mps, gains), gains.lookahead_m)


def _frame(world: World, along: Floats) -> Floats:
    """Return [K, 4]: points of the trail and unit vectors to its left."""
    points = np.array([world.trail.point(float(s)) for s in along])
    heading = np.array([world.trail.heading(float(s)) for s in along])
    return np.column_stack([points, -np.sin(heading), np.cos(heading)])


def _gaps(world: World, places: Floats, hull_m: float) -> Floats:
    """Return the distance from the hull to the nearest obstacle, [...], at places [..., 2]."""
    trunks, capsules = world.obstacles.trunks, world.obstacles.capsules
    nearest = np.full(places.shape[:-1], np.inf)
    for x, y, radius in trunks.tolist():
        gap = np.hypot(places[..., 0] - x, places[..., 1] - y) - radius
        np.minimum(nearest, gap, out=nearest)
    if len(capsules):
        height = np.array(
            [world.ground.height_at(x, y) for x, y in places.reshape(-1, 2).tolist()]
        )
        level = height.reshape(places.shape[:-1]) + world.scenario.altitude_m
        points = np.concatenate([places, level[..., None]], axis=-1)
        np.minimum(nearest, capsule_gaps(capsules, points).min(axis=-1), out=nearest)
    return nearest - hull_m


def _costs(gaps: Floats) -> Floats:
    """Return the cost of each offset at each station, [K, O]."""
    near = np.clip((_WIDE_M - gaps) / _WIDE_M, 0.0, None)
    blocked = _BLOCKED * np.clip(0.15 - gaps, 0.0, None)
    return _GAP_COST * near**2 + blocked + _CENTRE_COST * _OFFSETS_M**2


def _cheapest(costs: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the offset index at each station, [K], of the cheapest path (dynamic programming)."""
    stations, count = costs.shape
    moves = np.arange(-_REACH, _REACH + 1)
    slopes = _SLOPE_COST * (moves * (_OFFSETS_M[1] - _OFFSETS_M[0]) / _STATION_M) ** 2
    total = costs[0] + 20.0 * _OFFSETS_M**2
    previous = np.zeros((stations, count), np.int64)
    for station in range(1, stations):
        padded = np.pad(total, _REACH, constant_values=np.inf)
        options = np.lib.stride_tricks.sliding_window_view(padded, len(moves)) + slopes
        best = options.argmin(axis=1)
        previous[station] = np.arange(count) + moves[best]
        total = options[np.arange(count), best] + costs[station]
    way = np.empty(stations, np.int64)
    way[-1] = int(total.argmin())
    for station in range(stations - 1, 0, -1):
        way[station - 1] = previous[station, way[station]]
    return way


def _smoothed(raw: Floats, world: World, frame: Floats, hull_m: float) -> Floats:
    """Smooth offsets as strongly as the gaps to the hull allow."""
    least = np.minimum(_gaps(world, _fine(frame, raw), hull_m) - 0.05, _FREE_M)
    for width in _SMOOTHINGS_M:
        offsets = _blurred(raw, width / _STATION_M)
        if (_gaps(world, _fine(frame, offsets), hull_m) >= least).all():
            return offsets
    return raw


def _fine(frame: Floats, offsets: Floats) -> Floats:
    return np.asarray(frame[:, :2] + offsets[:, None] * frame[:, 2:])


def _profile(line: TrailCurve, gaps: Floats, cruise_mps: float, gains: ExpertGains) -> Floats:
    """Return the speed at each sample of a line."""
    bend = np.abs(_blurred(np.gradient(line.headings, STEP_M), 3.0))
    in_bends = np.sqrt(gains.bend_mps2 / np.maximum(bend, 1e-6))
    free = np.clip(gaps / gains.narrow_m, 0.0, 1.0)
    in_gaps = gains.narrow_mps + free * max(cruise_mps - gains.narrow_mps, 0.0)
    squares = np.minimum(np.minimum(in_bends, in_gaps), cruise_mps) ** 2
    step = 2.0 * gains.brake_mps2 * STEP_M
    return np.sqrt(_limit_increase(_limit_increase(squares[::-1], step)[::-1], step))


def _limit_increase(squares: Floats, step: float) -> Floats:
    """Limit the increase of squared speeds between samples to a step."""
    values = squares.tolist()
    for index in range(1, len(values)):
        values[index] = min(values[index], values[index - 1] + step)
    return np.array(values)


def _blurred(values: Floats, width: float) -> Floats:
    """Convolve values with a Gaussian of a width in samples; the ends are held constant."""
    reach = math.ceil(3.0 * width)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), mode="valid")
