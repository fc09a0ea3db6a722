"""The expert knows where it is and what stands there: teacher of every policy, and its ceiling."""

import math
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from liquid_control.config.scenario import TaskKind
from liquid_control.frames import heading_from_world, heading_of, wrap_angle
from liquid_control.interfaces import PlaceObstacles, PlaceTarget, World
from liquid_control.types import Command, Floats, Observation, VehicleState
from liquid_control_sim.place.obstacles import Obstacles as Shapes
from liquid_control_sim.tasks.completion import Arrival, arrival_of, bearing_to, surface_distance
from liquid_control_sim.tasks.route import OpenRoute, Route, plan_route
from liquid_control_sim.tasks.steering import ExpertGains, climb, clip, repulsion_from


@dataclass
class TrailExpert:
    """Follows a route along the trail.

    Attributes:
        world: where.
        route: what to follow.
        gains: how.
        hull_m: radius of the vehicle, for the push.
    """

    world: World
    route: Route
    gains: ExpertGains
    hull_m: float
    _progress_m: float = 0.0

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command that follows the route from the true state."""
        world, gains, line = self.world, self.gains, self.route.line
        x, y, _ = (float(value) for value in truth.position)
        self._progress_m, across = line.project(x, y, self._progress_m)
        heading = heading_of(truth.quaternion)
        cruise = self.route.speed(self._progress_m)
        ahead_x, ahead_y = line.point(self._progress_m + self.route.lookahead(cruise))
        off_course = wrap_angle(math.atan2(ahead_y - y, ahead_x - x) - heading)
        share = max(gains.min_speed_share, 1.0 - gains.slow_per_rad * abs(off_course))
        tangent = line.heading(self._progress_m + 0.5 * cruise * 0.3)
        pull = clip(-gains.lateral_per_s * across, gains.max_lateral_mps)
        along = share * cruise
        push_x, push_y = repulsion_from(world.obstacles, truth.position, self.hull_m, gains)
        east = along * math.cos(tangent) - pull * math.sin(tangent) + push_x
        north = along * math.sin(tangent) + pull * math.cos(tangent) + push_y
        up = climb(world, truth.position, (east, north), gains)
        forward, left, up = (
            float(value) for value in heading_from_world(np.array([east, north, up]), heading)
        )
        yaw_rate = clip(gains.yaw_per_s * off_course, gains.max_yaw_rate_radps)
        return Command(forward, left, up, yaw_rate)


def trail_expert(world: World, gains: ExpertGains, hull_m: float) -> TrailExpert:
    """Return the expert of a trail; it plans where something may stand in the way.

    Up to difficulty 1 with a free corridor the route is the trail itself at cruise speed.
    """
    graded = world.scenario.graded()
    cruise = world.scenario.cruise_mps
    free = not graded.forest.inside and not graded.forest.branches
    if graded.trail.difficulty <= 1.0 and free:
        return TrailExpert(world, OpenRoute(world.trail, cruise, gains.lookahead_m), gains, hull_m)
    return TrailExpert(world, plan_route(world, hull_m, cruise, gains), gains, hull_m)


_EDGE_RAD = math.radians(4.0)
"""A target this far inside the picture's edge is in view."""
_BACK_OFF_MPS = 0.5
_AHEAD_M = 3.0
_ROOM_M = 0.6
_OFF_TARGET_M = 0.2
_ASIDE_PER_S = 1.2


@dataclass
class VisitExpert:
    """Flies to each target in turn.

    Attributes:
        world: where.
        gains: how.
        hull_m: radius of the vehicle.
        arrival: what counts as being there; it stays a little longer than that.
    """

    world: World
    gains: ExpertGains
    hull_m: float
    arrival: Arrival
    _index: int = 0
    _seen: bool = False
    _since_ns: int | None = None

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command for the target that is next."""
        self._advance(observation.stamp_ns, truth)
        target = self.world.targets[self._index]
        bearing, gains = bearing_to(target, truth), self.gains
        half_view = 0.5 * math.radians(self.world.scenario.camera.horizontal_fov_deg)
        self._seen = self._seen or abs(bearing) < half_view - _EDGE_RAD
        others = _without(self.world.obstacles, target)
        push = repulsion_from(others, truth.position, self.hull_m, gains)
        if self._seen:
            wanted = self._towards(target, bearing, others, truth)
            yaw_rate = clip(gains.yaw_per_s * bearing, gains.max_yaw_rate_radps)
        else:
            wanted, yaw_rate = (0.0, 0.0), gains.search_radps
        east, north = wanted[0] + push[0], wanted[1] + push[1]
        up = climb(self.world, truth.position, (east, north), gains)
        forward, left, up = (
            float(value)
            for value in heading_from_world(
                np.array([east, north, up]), heading_of(truth.quaternion)
            )
        )
        return Command(forward, left, up, yaw_rate)

    def _advance(self, stamp_ns: int, truth: VehicleState) -> None:
        """Take the next target once it has been at this one for long enough."""
        target = self.world.targets[self._index]
        self._since_ns = self.arrival.since(self._since_ns, stamp_ns, target, truth)
        last = len(self.world.targets) - 1
        if self.arrival.is_over(self._since_ns, stamp_ns) and self._index < last:
            self._index, self._seen, self._since_ns = self._index + 1, False, None

    @property
    def _stop_m(self) -> float:
        """Distance from a target's surface to stop at, a little off it where that is near."""
        most = self.world.scenario.target.stop_m
        return min(max(self.gains.stop_share * most, self.hull_m + _OFF_TARGET_M), 0.95 * most)

    def _towards(
        self, target: PlaceTarget, bearing: float, others: Shapes, truth: VehicleState
    ) -> tuple[float, float]:
        """Return the velocity to a target that stops before it, m/s, map."""
        gains = self.gains
        left_m = surface_distance(target, truth) - self._stop_m
        speed = min(
            gains.approach_per_s * left_m,
            math.sqrt(2.0 * gains.brake_mps2 * max(left_m, 0.0)),
            self.world.scenario.cruise_mps,
        )
        share = max(0.0, 1.0 - gains.slow_per_rad * abs(bearing))
        speed = max(speed, -_BACK_OFF_MPS) * (share if speed > 0.0 else 1.0)
        towards = heading_of(truth.quaternion) + bearing
        aside = _aside(others, truth.position, towards, self.hull_m) * min(1.0, max(left_m, 0.0))
        return (
            speed * math.cos(towards) - aside * math.sin(towards),
            speed * math.sin(towards) + aside * math.cos(towards),
        )


def _without(obstacles: PlaceObstacles, target: PlaceTarget) -> Shapes:
    """Return the obstacles but for a target and its post, which stand upright at one place."""
    x, y, _ = target.centre
    capsules = obstacles.capsules
    mine = (capsules[:, 0] == x) & (capsules[:, 1] == y)
    return Shapes(obstacles.trunks, capsules[~mine])


def _aside(obstacles: Shapes, position: Floats, towards_rad: float, hull_m: float) -> float:
    """Return the sideways velocity, left positive, around what stands in the way ahead, m/s."""
    upright = np.concatenate([obstacles.trunks, obstacles.capsules[:, [0, 1, 6]]])
    dx, dy = upright[:, 0] - position[0], upright[:, 1] - position[1]
    c, s = math.cos(towards_rad), math.sin(towards_rad)
    ahead, left = c * dx + s * dy, c * dy - s * dx
    room = upright[:, 2] + hull_m + _ROOM_M
    lacking = np.where((ahead > 0.0) & (ahead < _AHEAD_M), room - np.abs(left), 0.0)
    lacking = np.maximum(lacking, 0.0) * (1.0 - np.clip(ahead / _AHEAD_M, 0.0, 1.0))
    side = np.where(left >= 0.0, -1.0, 1.0)
    return clip(float((_ASIDE_PER_S * side * lacking).sum()), 1.0)


class TaskExpert(Protocol):
    """An expert of one task in one world."""

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command for a true state."""
        ...


@dataclass
class Expert:
    """A pilot with privileged state, for whichever task its world has."""

    gains: ExpertGains = field(default_factory=ExpertGains)
    vehicle_radius_m: float = 0.3
    name: str = "expert"
    _task: TaskExpert | None = None

    def start(self, world: World) -> None:
        """Choose the expert of the world's task and let it plan."""
        if world.scenario.task.kind is TaskKind.TRAIL:
            self._task = trail_expert(world, self.gains, self.vehicle_radius_m)
        else:
            arrival = replace(arrival_of(world.scenario), stay_s=self.gains.stay_s)
            self._task = VisitExpert(world, self.gains, self.vehicle_radius_m, arrival)

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return what the expert of the task does from the true state."""
        if self._task is None:
            raise RuntimeError("Expert.command was called before start(world)")
        return self._task.command(observation, truth)
