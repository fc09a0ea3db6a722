"""Reward of a step: progress, alignment, smoothness, arrivals and the end of the flight.

The reward agrees with the evaluation of the task: a completed episode has a higher return than any
other, and hovering has a reward of zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import TaskKind
from liquid_control.errors import ConfigError
from liquid_control.interfaces import PlaceTarget
from liquid_control.types import VehicleState
from liquid_control_sim.tasks.completion import TaskStatus, bearing_to, surface_distance
from liquid_control_sim.world import SimulatedWorld

COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class RewardWeights:
    """Weights of the reward terms; the reward of a step is the sum of the terms.

    Attributes:
        progress: reward per metre of progress.
        centring: penalty per second of full misalignment, quadratic in the misalignment.
        smoothness: penalty of the mean square change of the action, relative to its range.
        staying: reward per second in which the arrival condition of a target holds.
        arrived: reward per target reached.
        completed: reward of a completed task.
        crashed: penalty of every other end except the time limit.
    """

    progress: float = 1.0
    centring: float = 1.0
    smoothness: float = 0.1
    staying: float = 5.0
    arrived: float = 5.0
    completed: float = 10.0
    crashed: float = 10.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value: object = getattr(self, name)
            if not (isinstance(value, Real) and math.isfinite(value)):
                raise ConfigError(f"expected reward weight {name} as a finite number, got {value}")


@dataclass(frozen=True, slots=True)
class Instant:
    """Inputs of the reward at one frame.

    Attributes:
        status: status of the task.
        remaining_m: remaining distance to the end of the task.
        misalignment: 0 for aligned to 1 for the largest deviation.
    """

    status: TaskStatus
    remaining_m: float
    misalignment: float


@dataclass(frozen=True, slots=True)
class Step:
    """Transition from one delivered frame to the next.

    Attributes:
        before: inputs at the first frame.
        after: inputs at the second frame.
        dt_s: time between the frames.
        action_before: float32 [4], action until the first frame.
        action: float32 [4], action from the first frame on.
        terminated: whether the flight ended, except by the time limit.
    """

    before: Instant
    after: Instant
    dt_s: float
    action_before: NDArray[np.float32]
    action: NDArray[np.float32]
    terminated: bool


def reward_terms(step: Step, weights: RewardWeights) -> dict[str, float]:
    """Return the weighted terms of the reward of a step.

    progress = r - r' with the remaining distance r, centring = -dt m'^2 with the misalignment m,
    smoothness = -mean(((a' - a) / 2)^2) with the action a, staying = dt while the arrival
    condition holds, arrived = number of targets reached, ending = completed or -crashed.
    """
    before, after = step.before.status, step.after.status
    change = 0.5 * (step.action.astype(np.float64) - step.action_before)
    ending = 0.0
    if step.terminated:
        ending = weights.completed if after.reason == COMPLETED else -weights.crashed
    staying = after.at_target_since_ns is not None
    return {
        "progress": weights.progress * (step.before.remaining_m - step.after.remaining_m),
        "centring": -weights.centring * step.dt_s * step.after.misalignment**2,
        "smoothness": -weights.smoothness * float(np.mean(change**2)),
        "staying": weights.staying * step.dt_s * staying,
        "arrived": weights.arrived * (after.reached - before.reached),
        "ending": ending,
    }


class Course(Protocol):
    """Protocol for the remaining distance and the misalignment of a task."""

    def remaining_m(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return the remaining distance to the end, m."""
        ...

    def misalignment(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return the misalignment of the vehicle, 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class TrailCourse:
    """Course along a trail; the misalignment is relative to the lateral limit."""

    length_m: float
    lateral_limit_m: float

    def remaining_m(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return the remaining arc length, m."""
        return self.length_m - status.progress_m

    def misalignment(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return |cross-track| over the lateral limit."""
        return min(1.0, abs(status.cross_track_m) / self.lateral_limit_m)


@dataclass(frozen=True, slots=True)
class VisitCourse:
    """Course from target to target; the misalignment is the bearing of the next one over pi."""

    targets: Sequence[PlaceTarget]
    stop_m: float

    def remaining_m(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return the distance to the arrival range of the next target plus all later legs, m."""
        after = self.targets[status.reached :]
        if not after:
            return 0.0
        later = sum(math.dist(a.centre[:2], b.centre[:2]) for a, b in pairwise(after))
        return later + max(0.0, surface_distance(after[0], truth) - self.stop_m)

    def misalignment(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return |bearing| of the next target over pi; 0 once all are reached."""
        after = self.targets[status.reached :]
        return abs(bearing_to(after[0], truth)) / math.pi if after else 0.0


def make_course(world: SimulatedWorld) -> Course:
    """Return the course of the task of a world."""
    scenario = world.scenario
    if scenario.task.kind is TaskKind.TRAIL:
        return TrailCourse(scenario.trail.length_m, scenario.trail.lateral_limit_m)
    return VisitCourse(world.targets, scenario.target.stop_m)
