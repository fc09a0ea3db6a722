"""Evaluate a flight against its task: progress, clearance, completion and failures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from liquid_control.config import Scenario, TaskKind
from liquid_control.frames import heading_of, wrap_angle
from liquid_control.interfaces import Ground, PlaceObstacles, PlaceTarget, Trail, World
from liquid_control.types import HOVER, NANOSECONDS, Command, Floats, VehicleState


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """Status of a flight after a control tick.

    Attributes:
        progress_m: arc length of the point of the course nearest to the vehicle.
        cross_track_m: signed distance from the course, left positive.
        clearance_m: distance from the hull to the nearest obstacle; infinite without obstacles.
        hover_since_ns: start of the current uninterrupted hover; None while other commands are
            in force.
        reason: why the flight ended, as in `FlightResult.reason`; None in flight.
        reached: number of targets reached.
        at_target_since_ns: since when the vehicle meets the arrival condition of the next target;
            None if it does not.
    """

    progress_m: float = 0.0
    cross_track_m: float = 0.0
    clearance_m: float = math.inf
    hover_since_ns: int | None = None
    reason: str | None = None
    reached: int = 0
    at_target_since_ns: int | None = None


class Task(Protocol):
    """Task of a flight."""

    @property
    def length_m(self) -> float:
        """Length of the course, m: the progress of a completed task."""
        ...

    def evaluate(
        self, before: TaskStatus, stamp_ns: int, state: VehicleState, command: Command
    ) -> TaskStatus:
        """Return the status after a control tick.

        Args:
            before: status at the control tick before.
            stamp_ns: simulated time.
            state: state of the vehicle.
            command: command that was in force since the control tick before.
        """
        ...


LOWEST_M = 0.3
HIGHEST_M = 5.0
"""Allowed altitudes above ground."""
HOLD_LIMIT_S = 3.0
"""Longest uninterrupted hover."""


@dataclass(frozen=True, slots=True)
class Rules:
    """End conditions that all tasks share.

    Attributes:
        obstacles: obstacles that the hull must not touch.
        ground: ground from which altitude is measured.
        vehicle_radius_m: radius of the vehicle's hull.
        time_limit_s: longest duration of the flight.
    """

    obstacles: PlaceObstacles
    ground: Ground
    vehicle_radius_m: float
    time_limit_s: float

    def clearance(self, position: Floats) -> float:
        """Return the distance from the hull to the nearest obstacle, m; infinite without any."""
        x, y, z = (float(value) for value in position)
        return self.obstacles.clearance(x, y, z) - self.vehicle_radius_m

    def end_reason(
        self,
        now: TaskStatus,
        stamp_ns: int,
        position: Floats,
        outside: str | None,
        completed: bool,
    ) -> str | None:
        """Return why the flight ends now, or None. The most severe reason takes precedence.

        Args:
            now: status without its reason.
            stamp_ns: simulated time.
            position: float64 [3], m, map.
            outside: reason if the vehicle is too far from its course.
            completed: whether the task is completed.
        """
        x, y, z = (float(value) for value in position)
        altitude = z - self.ground.height_at(x, y)
        held_ns = 0 if now.hover_since_ns is None else stamp_ns - now.hover_since_ns
        endings = (
            (now.clearance_m <= 0.0, "collision"),
            (not LOWEST_M <= altitude <= HIGHEST_M, "altitude"),
            (outside is not None, outside),
            (completed, "completed"),
            (held_ns > HOLD_LIMIT_S * NANOSECONDS, "guard_stop"),
            (stamp_ns > self.time_limit_s * NANOSECONDS, "timeout"),
        )
        return next((reason for happened, reason in endings if happened), None)


def hover_since(before: TaskStatus, stamp_ns: int, command: Command) -> int | None:
    """Return since when hover has been in force; None if it is not."""
    if command != HOVER:
        return None
    return stamp_ns if before.hover_since_ns is None else before.hover_since_ns


SLOW_MPS = 0.3
STAY_S = 1.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """Arrival condition at a target.

    Attributes:
        stop_m: largest distance from the vehicle's centre to the target's surface.
        centred_rad: largest horizontal angle between heading and target.
        slow_mps: largest speed.
        stay_s: time for which the other three must hold.
    """

    stop_m: float
    centred_rad: float
    slow_mps: float = SLOW_MPS
    stay_s: float = STAY_S

    def is_at(self, target: PlaceTarget, state: VehicleState) -> bool:
        """Return whether the vehicle is close, facing the target and slow."""
        return (
            surface_distance(target, state) <= self.stop_m
            and abs(bearing_to(target, state)) <= self.centred_rad
            and math.hypot(*state.velocity.tolist()) < self.slow_mps
        )

    def since(
        self, before_ns: int | None, stamp_ns: int, target: PlaceTarget, state: VehicleState
    ) -> int | None:
        """Return since when `is_at` has held; None if it does not."""
        if not self.is_at(target, state):
            return None
        return stamp_ns if before_ns is None else before_ns

    def is_over(self, since_ns: int | None, stamp_ns: int) -> bool:
        """Return whether `is_at` has held for `stay_s`."""
        return since_ns is not None and stamp_ns - since_ns >= self.stay_s * NANOSECONDS


def surface_distance(target: PlaceTarget, state: VehicleState) -> float:
    """Return the distance from the vehicle's centre to a target's surface, m."""
    return math.dist(target.centre, state.position.tolist()) - target.radius_m


def bearing_to(target: PlaceTarget, state: VehicleState) -> float:
    """Return the angle from the heading to a target, rad, left positive, in [-pi, pi)."""
    x, y, _ = target.centre
    towards = math.atan2(y - float(state.position[1]), x - float(state.position[0]))
    return wrap_angle(towards - heading_of(state.quaternion))


@dataclass(frozen=True, slots=True)
class TrailTask:
    """Follow the trail for `length_m` without leaving it.

    Attributes:
        trail: trail to follow.
        length_m: arc length that completes the task.
        lateral_limit_m: largest distance from the centre line; beyond it the reason is
            `left_trail`.
        rules: other end conditions.
    """

    trail: Trail
    length_m: float
    lateral_limit_m: float
    rules: Rules

    def evaluate(
        self, before: TaskStatus, stamp_ns: int, state: VehicleState, command: Command
    ) -> TaskStatus:
        """Return the status after a control tick; see `Task.evaluate`."""
        position = state.position
        along, across = self.trail.project(
            float(position[0]), float(position[1]), before.progress_m
        )
        held = hover_since(before, stamp_ns, command)
        now = TaskStatus(along, across, self.rules.clearance(position), held)
        outside = "left_trail" if abs(across) > self.lateral_limit_m else None
        done = along >= self.length_m
        reason = self.rules.end_reason(now, stamp_ns, position, outside, done)
        return now if reason is None else replace(now, reason=reason)


AREA_M = 10.0
"""Largest distance from the line to the next target; beyond it the reason is `left_area`."""
_NEAR_M = 1.0
"""Within `stop_m` and this margin of a target, hovering is not limited."""


@dataclass(frozen=True)
class VisitTask:
    """Visit every target in order: one target, or several in a hike.

    The course to each target is the straight line from the position of the one before it.

    Attributes:
        targets: targets in order.
        arrival: arrival condition.
        rules: other end conditions.
        start: x and y of the first point of the course, m, map.
    """

    targets: Sequence[PlaceTarget]
    arrival: Arrival
    rules: Rules
    start: tuple[float, float] = (0.0, 0.0)
    _marks_m: tuple[float, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        marks = [0.0]
        for index in range(len(self.targets)):
            marks.append(marks[-1] + math.dist(self._place(index), self._place(index + 1)))
        object.__setattr__(self, "_marks_m", tuple(marks))

    @property
    def length_m(self) -> float:
        """Length of all legs, m."""
        return self._marks_m[-1]

    def evaluate(
        self, before: TaskStatus, stamp_ns: int, state: VehicleState, command: Command
    ) -> TaskStatus:
        """Return the status after a control tick; see `Task.evaluate`."""
        leg = before.reached
        target = self.targets[leg]
        along, across = self._project(leg, state)
        since = self.arrival.since(before.at_target_since_ns, stamp_ns, target, state)
        arrived = self.arrival.is_over(since, stamp_ns)
        near = surface_distance(target, state) <= self.arrival.stop_m + _NEAR_M
        now = TaskStatus(
            progress_m=self._marks_m[leg + 1] if arrived else self._marks_m[leg] + along,
            cross_track_m=across,
            clearance_m=self.rules.clearance(state.position),
            hover_since_ns=None if near else hover_since(before, stamp_ns, command),
            reached=leg + arrived,
            at_target_since_ns=None if arrived else since,
        )
        outside = "left_area" if self._is_away(leg, along, across, state) else None
        done = now.reached == len(self.targets)
        reason = self.rules.end_reason(now, stamp_ns, state.position, outside, done)
        return now if reason is None else replace(now, reason=reason)

    def _place(self, index: int) -> tuple[float, float]:
        return self.start if index == 0 else self.targets[index - 1].centre[:2]

    def _project(self, leg: int, state: VehicleState) -> tuple[float, float]:
        """Return arc length on a leg, clipped to it, and signed distance from its line."""
        (x0, y0), (x1, y1) = self._place(leg), self._place(leg + 1)
        length = math.dist((x0, y0), (x1, y1))
        tx, ty = (x1 - x0) / length, (y1 - y0) / length
        dx, dy = float(state.position[0]) - x0, float(state.position[1]) - y0
        return min(max(dx * tx + dy * ty, 0.0), length), tx * dy - ty * dx

    def _is_away(self, leg: int, along: float, across: float, state: VehicleState) -> bool:
        """Return whether the vehicle is more than `AREA_M` from every point of a leg."""
        (x0, y0), (x1, y1) = self._place(leg), self._place(leg + 1)
        part = along / (self._marks_m[leg + 1] - self._marks_m[leg])
        nearest = (x0 + part * (x1 - x0), y0 + part * (y1 - y0))
        off = math.dist(nearest, (float(state.position[0]), float(state.position[1])))
        return max(off, abs(across)) > AREA_M


def make_task(world: World, vehicle_radius_m: float) -> Task:
    """Return the task of a world's scenario.

    Args:
        world: world of the flight.
        vehicle_radius_m: radius of the vehicle's hull.
    """
    scenario = world.scenario
    rules = Rules(world.obstacles, world.ground, vehicle_radius_m, scenario.flight_limit_s)
    if scenario.task.kind is TaskKind.TRAIL:
        trail = scenario.trail
        return TrailTask(world.trail, trail.length_m, trail.lateral_limit_m, rules)
    return VisitTask(world.targets, arrival_of(scenario), rules)


def arrival_of(scenario: Scenario) -> Arrival:
    """Return the arrival condition of a scenario."""
    return Arrival(scenario.target.stop_m, math.radians(scenario.target.centred_deg))
