"""Privileged experts, which know their state and all obstacles: teachers of the policies."""

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from liquid_control.config import TaskKind
from liquid_control.frames import heading_from_world, heading_of, wrap_angle
from liquid_control.interfaces import PlaceObstacles, PlaceTarget, World
from liquid_control.types import Command, Floats, Observation, VehicleState
from liquid_control_sim.place.objects import Obstacles
from liquid_control_sim.tasks.completion import Arrival, arrival_of, bearing_to, surface_distance
from liquid_control_sim.tasks.route import OpenRoute, Route, plan_route
from liquid_control_sim.tasks.steering import ExpertGains, climb, clip, repulsion_from


@dataclass
class TrailExpert:
    """Expert of the trail task.

    The velocity consists of the speed along the route, a correction towards it and a repulsion
    from near obstacles ahead.

    Attributes:
        world: world of the flight.
        route: line to follow, with its speed.
        gains: steering gains.
        hull_m: radius of the vehicle's hull.
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
        fraction = max(gains.min_speed_fraction, 1.0 - gains.slow_per_rad * abs(off_course))
        tangent = line.heading(self._progress_m + 0.5 * cruise * 0.3)
        pull = clip(-gains.lateral_per_s * across, gains.max_lateral_mps)
        along = fraction * cruise
        away_x, away_y = repulsion_from(
            world.obstacles, truth.position, self.hull_m, gains, ahead_rad=heading
        )
        east = along * math.cos(tangent) - pull * math.sin(tangent) + away_x
        north = along * math.sin(tangent) + pull * math.cos(tangent) + away_y
        up = climb(world, truth.position, (east, north), gains)
        forward, left, up = (
            float(value) for value in heading_from_world(np.array([east, north, up]), heading)
        )
        yaw_rate = clip(gains.yaw_per_s * off_course, gains.max_yaw_rate_radps)
        return Command(forward, left, up, yaw_rate)

    def route_ahead(
        self, truth: VehicleState, distances_m: tuple[float, ...]
    ) -> tuple[float, ...]:
        """Return how far left of the vehicle the route passes, at distances along it, m."""
        x, y, _ = (float(value) for value in truth.position)
        heading = heading_of(truth.quaternion)
        points = [self.route.line.point(self._progress_m + distance) for distance in distances_m]
        return tuple(
            (there_y - y) * math.cos(heading) - (there_x - x) * math.sin(heading)
            for there_x, there_y in points
        )


def trail_expert(world: World, gains: ExpertGains, hull_m: float) -> TrailExpert:
    """Return the expert of a trail world.

    Up to difficulty 1 and without obstacles in the corridor, the route is the trail at cruise
    speed. Otherwise the expert plans a route.
    """
    graded = world.scenario.graded()
    cruise = world.scenario.cruise_mps
    free = not graded.forest.inside and not graded.forest.branches
    if graded.trail.difficulty <= 1.0 and free:
        return TrailExpert(world, OpenRoute(world.trail, cruise, gains.lookahead_m), gains, hull_m)
    return TrailExpert(world, plan_route(world, hull_m, cruise, gains), gains, hull_m)


_EDGE_RAD = math.radians(4.0)
"""A target counts as visible this far inside the edge of the image."""
_BACK_OFF_MPS = 0.5
_AHEAD_M = 3.0
_MARGIN_M = 0.6
_OFF_TARGET_M = 0.4
_HOLD_M, _OFF_HULL_M = 0.3, 0.15
"""The creeping ends, and a target that was left repels, so far within the distance to leave at,
and at least so far off the hull."""
_AVOIDANCE_PER_S = 1.2


@dataclass
class VisitExpert:
    """Expert of the target and hike tasks: search, turn, approach, creep on, then the next target.

    Until a target has been in view, the expert turns left on the spot. Afterwards it turns to the
    target by the shorter way, even if the target leaves the view. In front of a target it creeps
    on, slowly enough for the task, and leaves at a shorter distance: so pictures show when to
    leave, and a policy need not count time. Where another pilot leaves a target earlier, but after
    the required time, the expert goes on to the next target too.

    Attributes:
        world: world of the flight.
        gains: steering gains.
        hull_m: radius of the vehicle's hull.
        arrival: arrival condition of the task.
    """

    world: World
    gains: ExpertGains
    hull_m: float
    arrival: Arrival
    _index: int = 0
    _target_seen: bool = False
    _since_ns: int | None = None
    _visited: bool = False

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command for the next target."""
        self._advance(observation.stamp_ns, truth)
        target = self.world.targets[self._index]
        bearing, gains = bearing_to(target, truth), self.gains
        half_view = 0.5 * math.radians(self.world.scenario.camera.horizontal_fov_deg)
        self._target_seen = self._target_seen or abs(bearing) < half_view - _EDGE_RAD
        others = _obstacles_without(self.world.obstacles, target)
        visited = self.world.targets[self._index - 1] if self._index else None
        if visited is not None and surface_distance(visited, truth) > self._hold_m:
            # The push of a target that was left would stop a pupil that still creeps on to it.
            others = _obstacles_without(others, visited)
        repulsion = repulsion_from(others, truth.position, self.hull_m, gains)
        if self._target_seen:
            velocity = self._towards(target, bearing, others, truth)
            yaw_rate = clip(gains.yaw_per_s * bearing, gains.max_yaw_rate_radps)
        else:
            velocity, yaw_rate = (0.0, 0.0), gains.search_radps
        east, north = velocity[0] + repulsion[0], velocity[1] + repulsion[1]
        up = climb(self.world, truth.position, (east, north), gains)
        forward, left, up = (
            float(value)
            for value in heading_from_world(
                np.array([east, north, up]), heading_of(truth.quaternion)
            )
        )
        return Command(forward, left, up, yaw_rate)

    def _advance(self, stamp_ns: int, truth: VehicleState) -> None:
        """Select the next target where a visited one is left."""
        target = self.world.targets[self._index]
        self._since_ns = since_ns = self.arrival.since(self._since_ns, stamp_ns, target, truth)
        self._visited = self._visited or self.arrival.is_over(since_ns, stamp_ns)
        away_m = surface_distance(target, truth)
        stays = self._leave_m < away_m <= self.arrival.stop_m
        stays = stays and abs(bearing_to(target, truth)) <= self.arrival.centred_rad
        if self._visited and not stays and self._index < len(self.world.targets) - 1:
            self._index += 1
            self._target_seen, self._since_ns, self._visited = False, None, False

    @property
    def _leave_m(self) -> float:
        """Distance from a target's surface to leave at, at least `_OFF_TARGET_M` from the hull."""
        most = self.arrival.stop_m
        return min(max(most - self.gains.creep_m, self.hull_m + _OFF_TARGET_M), 0.95 * most)

    @property
    def _hold_m(self) -> float:
        """Distance from a target's surface that the expert keeps."""
        return max(self._leave_m - _HOLD_M, self.hull_m + _OFF_HULL_M)

    def _towards(
        self, target: PlaceTarget, bearing: float, others: Obstacles, truth: VehicleState
    ) -> tuple[float, float]:
        """Return the velocity towards a target, slow in front of it, m/s, map."""
        gains = self.gains
        away_m = surface_distance(target, truth)
        left_m = away_m - self.arrival.stop_m
        speed = min(
            gains.approach_per_s * left_m,
            math.sqrt(2.0 * gains.brake_mps2 * max(left_m, 0.0)),
            self.world.scenario.cruise_mps,
        )
        speed = max(speed, min(gains.creep_mps, gains.approach_per_s * (away_m - self._hold_m)))
        fraction = max(0.0, 1.0 - gains.slow_per_rad * abs(bearing))
        speed = max(speed, -_BACK_OFF_MPS) * (fraction if speed > 0.0 else 1.0)
        towards = heading_of(truth.quaternion) + bearing
        nearness = min(1.0, max(left_m, 0.0))
        avoidance = nearness * _avoidance(others, truth.position, towards, self.hull_m)
        return (
            speed * math.cos(towards) - avoidance * math.sin(towards),
            speed * math.sin(towards) + avoidance * math.cos(towards),
        )


def _obstacles_without(obstacles: PlaceObstacles, target: PlaceTarget) -> Obstacles:
    """Return the obstacles without a target and its post, which share one position."""
    x, y, _ = target.centre
    capsules = obstacles.capsules
    mine = (capsules[:, 0] == x) & (capsules[:, 1] == y)
    return Obstacles(obstacles.trunks, capsules[~mine])


def _avoidance(obstacles: Obstacles, position: Floats, towards_rad: float, hull_m: float) -> float:
    """Return the sideways velocity, left positive, around obstacles ahead, m/s."""
    upright = np.concatenate([obstacles.trunks, obstacles.capsules[:, [0, 1, 6]]])
    dx, dy = upright[:, 0] - position[0], upright[:, 1] - position[1]
    c, s = math.cos(towards_rad), math.sin(towards_rad)
    ahead, left = c * dx + s * dy, c * dy - s * dx
    needed = upright[:, 2] + hull_m + _MARGIN_M
    shortfall = np.where((ahead > 0.0) & (ahead < _AHEAD_M), needed - np.abs(left), 0.0)
    shortfall = np.maximum(shortfall, 0.0) * (1.0 - np.clip(ahead / _AHEAD_M, 0.0, 1.0))
    side = np.where(left >= 0.0, -1.0, 1.0)
    return clip(float((_AVOIDANCE_PER_S * side * shortfall).sum()), 1.0)


class TaskExpert(Protocol):
    """An expert of one task in one world."""

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command for the true state."""
        ...


@dataclass
class Expert:
    """A pilot with access to the true state, for any task."""

    gains: ExpertGains = field(default_factory=ExpertGains)
    vehicle_radius_m: float = 0.3
    name: str = "expert"
    _task: TaskExpert | None = None

    def start(self, world: World) -> None:
        """Select the expert of the world's task and plan its route."""
        if world.scenario.task.kind is TaskKind.TRAIL:
            self._task = trail_expert(world, self.gains, self.vehicle_radius_m)
        else:
            arrival = arrival_of(world.scenario)
            self._task = VisitExpert(world, self.gains, self.vehicle_radius_m, arrival)

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command of the task's expert for the true state."""
        if self._task is None:
            raise RuntimeError("Expert.command was called before start(world)")
        return self._task.command(observation, truth)

    def route_ahead(
        self, truth: VehicleState, distances_m: tuple[float, ...]
    ) -> tuple[float, ...] | None:
        """Return how far left of the vehicle its route passes; None in tasks without a route."""
        if not isinstance(self._task, TrailExpert):
            return None
        return self._task.route_ahead(truth, distances_m)
