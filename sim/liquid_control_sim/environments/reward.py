"""What a step is worth: progress, alignment and arrivals, less haste and crashes.

A learner that maximises it follows the task's own judge: an episode that completes is worth more
than any that does not, and hovering is worth nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from liquid_control.config.scenario import TaskKind
from liquid_control.interfaces import PlaceTarget
from liquid_control.types import VehicleState
from liquid_control_sim.tasks.completion import bearing_to, surface_distance
from liquid_control_sim.tasks.rules import TaskStatus
from liquid_control_sim.world import SimulatedWorld

COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class RewardWeights:
    """Weights of the terms; the reward of a step is their sum.

    Attributes:
        progress: for a metre nearer to the end, taken for a metre farther.
        centring: taken for a second as far aside as can be; grows with the square of the distance.
        smoothness: taken for the mean square change of the action, in units of its range.
        staying: for a second of being where the vehicle has to stay to have arrived.
        arrived: for each target arrived at.
        completed: for completing the task.
        crashed: taken for every other end but the time limit.
    """

    progress: float = 1.0
    centring: float = 1.0
    smoothness: float = 0.1
    staying: float = 5.0
    arrived: float = 5.0
    completed: float = 10.0
    crashed: float = 10.0


@dataclass(frozen=True, slots=True)
class Instant:
    """What is rewarded of one frame.

    Attributes:
        standing: the judge's view.
        remaining_m: to the end of the task.
        aside: 0 to 1, from aligned to as far aside as can be.
    """

    status: TaskStatus
    remaining_m: float
    aside: float


@dataclass(frozen=True, slots=True)
class Step:
    """From one delivered frame to the next.

    Attributes:
        before: at the first; likewise after.
        dt_s: between the two.
        action_before: float32 [4], in force until the first frame.
        action: float32 [4], in force from then on.
        terminated: whether the flight ended, not counting the time limit.
    """

    before: Instant
    after: Instant
    dt_s: float
    action_before: NDArray[np.float32]
    action: NDArray[np.float32]
    terminated: bool


def reward_terms(step: Step, weights: RewardWeights) -> dict[str, float]:
    """Return the terms of a step's reward, weighted.

    progress = r - r' with r the metres remaining, centring = -dt aside'^2,
    smoothness = -mean(((a' - a) / 2)^2), staying = dt while arriving, arrived = targets reached,
    ending = completed or -crashed, once.
    """
    before, after = step.before.status, step.after.status
    change = 0.5 * (step.action.astype(np.float64) - step.action_before)
    ending = 0.0
    if step.terminated:
        ending = weights.completed if after.reason == COMPLETED else -weights.crashed
    staying = after.there_since_ns is not None
    return {
        "progress": weights.progress * (step.before.remaining_m - step.after.remaining_m),
        "centring": -weights.centring * step.dt_s * step.after.aside**2,
        "smoothness": -weights.smoothness * float(np.mean(change**2)),
        "staying": weights.staying * step.dt_s * staying,
        "arrived": weights.arrived * (after.reached - before.reached),
        "ending": ending,
    }


class Course(Protocol):
    """The way to the end of a task."""

    def remaining_m(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return how far it is to the end, m."""
        ...

    def aside(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return how far from well aligned the vehicle is, 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class TrailCourse:
    """Along the trail; aside is the share of the lateral limit."""

    length_m: float
    lateral_limit_m: float

    def remaining_m(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return the arc length that is left, m."""
        return self.length_m - status.progress_m

    def aside(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return |cross-track| over the lateral limit."""
        return min(1.0, abs(status.cross_track_m) / self.lateral_limit_m)


@dataclass(frozen=True, slots=True)
class VisitCourse:
    """From target to target; aside is the bearing to the next one over half a turn."""

    targets: Sequence[PlaceTarget]
    stop_m: float

    def remaining_m(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return the way to where the next target counts as near, and the legs after it, m."""
        after = self.targets[status.reached :]
        if not after:
            return 0.0
        later = sum(math.dist(a.centre[:2], b.centre[:2]) for a, b in pairwise(after))
        return later + max(0.0, surface_distance(after[0], truth) - self.stop_m)

    def aside(self, status: TaskStatus, truth: VehicleState) -> float:
        """Return |bearing| of the next target over pi; 0 when all have been reached."""
        after = self.targets[status.reached :]
        return abs(bearing_to(after[0], truth)) / math.pi if after else 0.0


def make_course(world: SimulatedWorld) -> Course:
    """Return the course of the task that a world was made for."""
    scenario = world.scenario
    if scenario.task.kind is TaskKind.TRAIL:
        return TrailCourse(scenario.trail.length_m, scenario.trail.lateral_limit_m)
    return VisitCourse(world.targets, scenario.target.stop_m)
