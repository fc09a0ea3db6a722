"""Makes the judge of a scenario's task."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from liquid_control.config.scenario import Scenario, TaskKind
from liquid_control.frames import heading_of, wrap_angle
from liquid_control.interfaces import PlaceTarget, Trail, World
from liquid_control.types import NANOSECONDS, Command, VehicleState
from liquid_control_sim.tasks.rules import Rules, Task, TaskStatus, held_since

SLOW_MPS = 0.3
STAY_S = 1.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """What counts as being at a target.

    Attributes:
        stop_m: largest distance of the vehicle's middle from the target's surface.
        centred_rad: largest angle between heading and target, in the horizontal.
        slow_mps: largest speed.
        stay_s: how long all of this has to last.
    """

    stop_m: float
    centred_rad: float
    slow_mps: float = SLOW_MPS
    stay_s: float = STAY_S

    def is_there(self, target: PlaceTarget, state: VehicleState) -> bool:
        """Return whether the vehicle is near, centred and slow."""
        return (
            surface_distance(target, state) <= self.stop_m
            and abs(bearing_to(target, state)) <= self.centred_rad
            and math.hypot(*state.velocity.tolist()) < self.slow_mps
        )

    def since(
        self, before_ns: int | None, stamp_ns: int, target: PlaceTarget, state: VehicleState
    ) -> int | None:
        """Return since when the vehicle is there; None if it is not."""
        if not self.is_there(target, state):
            return None
        return stamp_ns if before_ns is None else before_ns

    def is_over(self, since_ns: int | None, stamp_ns: int) -> bool:
        """Return whether it has been there for long enough."""
        return since_ns is not None and stamp_ns - since_ns >= self.stay_s * NANOSECONDS


def surface_distance(target: PlaceTarget, state: VehicleState) -> float:
    """Return the distance of the vehicle's middle from a target's surface, m."""
    return math.dist(target.centre, state.position.tolist()) - target.radius_m


def bearing_to(target: PlaceTarget, state: VehicleState) -> float:
    """Return the angle from the heading to a target, rad, left positive, in [-pi, pi)."""
    x, y, _ = target.centre
    towards = math.atan2(y - float(state.position[1]), x - float(state.position[0]))
    return wrap_angle(towards - heading_of(state.quaternion))


@dataclass(frozen=True, slots=True)
class TrailTask:
    """Fly `length_m` of the trail.

    Attributes:
        trail: the path.
        length_m: arc length that completes the flight.
        lateral_limit_m: largest distance from the centre; beyond it the flight has `left_trail`.
        rules: what else ends a flight.
    """

    trail: Trail
    length_m: float
    lateral_limit_m: float
    rules: Rules

    def judge(
        self, before: TaskStatus, stamp_ns: int, state: VehicleState, command: Command
    ) -> TaskStatus:
        """Return the standing at an instant, `command` being what was in force until then."""
        position = state.position
        along, across = self.trail.project(
            float(position[0]), float(position[1]), before.progress_m
        )
        held = held_since(before, stamp_ns, command)
        now = TaskStatus(along, across, self.rules.clearance(position), held)
        outside = "left_trail" if abs(across) > self.lateral_limit_m else None
        done = along >= self.length_m
        return replace(now, reason=self.rules.ending(now, stamp_ns, position, outside, done))


AREA_M = 10.0
"""Farther than this from the way to the next target the flight has `left_area`."""
_NEAR_M = 1.0
"""A pilot that hovers this much farther off than `stop_m`, or nearer, may take its time."""


@dataclass(frozen=True)
class VisitTask:
    """Arrive at every target.

    Attributes:
        targets: in their order.
        arrival: what counts as being there.
        rules: what else ends a flight.
        start: x and y of the course's first point, m, map.
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
        """Length of all legs."""
        return self._marks_m[-1]

    def judge(
        self, before: TaskStatus, stamp_ns: int, state: VehicleState, command: Command
    ) -> TaskStatus:
        """Return the standing at an instant, `command` being what was in force until then."""
        leg = before.reached
        target = self.targets[leg]
        along, across = self._project(leg, state)
        since = self.arrival.since(before.there_since_ns, stamp_ns, target, state)
        arrived = self.arrival.is_over(since, stamp_ns)
        near = surface_distance(target, state) <= self.arrival.stop_m + _NEAR_M
        now = TaskStatus(
            progress_m=self._marks_m[leg + 1] if arrived else self._marks_m[leg] + along,
            cross_track_m=across,
            clearance_m=self.rules.clearance(state.position),
            held_since_ns=None if near else held_since(before, stamp_ns, command),
            reached=leg + arrived,
            there_since_ns=None if arrived else since,
        )
        outside = "left_area" if self._is_away(leg, along, across, state) else None
        done = now.reached == len(self.targets)
        reason = self.rules.ending(now, stamp_ns, state.position, outside, done)
        return replace(now, reason=reason)

    def _place(self, index: int) -> tuple[float, float]:
        return self.start if index == 0 else self.targets[index - 1].centre[:2]

    def _project(self, leg: int, state: VehicleState) -> tuple[float, float]:
        """Return arc length on a leg, within it, and signed distance from its line."""
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
    """Return the judge of the task that a world was made for.

    Args:
        world: what is flown in.
        vehicle_radius_m: radius of the vehicle's hull.
    """
    scenario = world.scenario
    rules = Rules(world.obstacles, world.ground, vehicle_radius_m, scenario.flight_limit_s)
    if scenario.task.kind is TaskKind.TRAIL:
        trail = scenario.trail
        return TrailTask(world.trail, trail.length_m, trail.lateral_limit_m, rules)
    return VisitTask(world.targets, arrival_of(scenario), rules)


def arrival_of(scenario: Scenario) -> Arrival:
    """Return what counts as being at a target."""
    return Arrival(scenario.target.stop_m, math.radians(scenario.target.centred_deg))
