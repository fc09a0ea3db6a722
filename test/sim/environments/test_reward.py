"""Reward terms against hand-computed values."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from liquid_control.errors import ConfigError
from liquid_control.types import VehicleState
from liquid_control_sim.environments import Instant, RewardWeights, Step, reward_terms
from liquid_control_sim.environments.reward import TrailCourse, VisitCourse
from liquid_control_sim.tasks.completion import TaskStatus

pytestmark = pytest.mark.sim

FLYING = Instant(TaskStatus(progress_m=2.0), remaining_m=10.0, misalignment=0.0)
ZERO = np.zeros(4, np.float32)
HOLD = Step(FLYING, FLYING, 0.05, ZERO, ZERO, terminated=False)


def state_at(x, y):
    return VehicleState(
        np.array([x, y, 1.5]), np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3), np.zeros(3)
    )


@dataclass(frozen=True)
class Ball:
    centre: tuple[float, float, float]
    radius_m: float = 0.25


def target_at(x, y):
    return Ball((x, y, 1.5))


def ended(reason):
    return replace(HOLD, after=replace(FLYING, status=TaskStatus(reason=reason)), terminated=True)


def test_hovering_on_the_centre_line_has_zero_reward():
    assert set(reward_terms(HOLD, RewardWeights()).values()) == {0.0}


@pytest.mark.parametrize(
    ("step", "term", "value"),
    [
        (replace(HOLD, after=replace(FLYING, remaining_m=9.4)), "progress", 2.0 * 0.6),
        (replace(HOLD, after=replace(FLYING, remaining_m=10.5)), "progress", 2.0 * -0.5),
        (
            replace(HOLD, after=replace(FLYING, misalignment=0.5), dt_s=0.1),
            "centring",
            -3.0 * 0.025,
        ),
        (replace(HOLD, action=ZERO + 1.0, action_before=ZERO - 1.0), "smoothness", -5.0),
        (replace(HOLD, action=np.float32([1, 0, 0, 0])), "smoothness", -5.0 / 16),
        (
            replace(HOLD, after=replace(FLYING, status=TaskStatus(at_target_since_ns=0))),
            "staying",
            7.0 * 0.05,
        ),
        (replace(HOLD, after=replace(FLYING, status=TaskStatus(reached=2))), "arrived", 22.0),
        (ended("completed"), "ending", 13.0),
        (ended("collision"), "ending", -17.0),
        (ended("left_area"), "ending", -17.0),
        (replace(ended("timeout"), terminated=False), "ending", 0.0),
    ],
)
def test_each_term_matches_its_formula(step, term, value):
    weights = RewardWeights(
        progress=2, centring=3, smoothness=5, staying=7, arrived=11, completed=13, crashed=17
    )
    terms = reward_terms(step, weights)
    assert terms.pop(term) == pytest.approx(value)
    assert set(terms.values()) == {0.0}


def test_remaining_distance_and_misalignment_on_a_trail():
    course = TrailCourse(length_m=30.0, lateral_limit_m=2.0)
    there = TaskStatus(progress_m=12.0, cross_track_m=-0.5)
    assert course.remaining_m(there, state_at(0, 0)) == 18.0
    assert course.misalignment(there, state_at(0, 0)) == 0.25
    assert course.misalignment(TaskStatus(cross_track_m=-9.0), state_at(0, 0)) == 1.0


def test_remaining_distance_and_misalignment_to_targets():
    targets = (target_at(10.0, 0.0), target_at(10.0, 8.0))
    course = VisitCourse(targets, stop_m=1.5)
    near = 1.5 + targets[0].radius_m
    assert course.remaining_m(TaskStatus(), state_at(0, 0)) == pytest.approx(10.0 - near + 8.0)
    assert course.remaining_m(TaskStatus(), state_at(9.9, 0)) == 8.0
    assert course.remaining_m(TaskStatus(reached=1), state_at(10, 0)) == pytest.approx(8.0 - near)
    assert course.remaining_m(TaskStatus(reached=2), state_at(10, 8)) == 0.0
    assert course.misalignment(TaskStatus(), state_at(0, 0)) == 0.0
    assert course.misalignment(TaskStatus(reached=1), state_at(10, 0)) == pytest.approx(0.5)
    assert course.misalignment(TaskStatus(reached=2), state_at(10, 0)) == 0.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "1", None])
@pytest.mark.parametrize("name", ["progress", "crashed"])
def test_weights_are_finite_numbers(name, bad):
    with pytest.raises(
        ConfigError, match=f"expected reward weight {name} as a finite number, got"
    ):
        RewardWeights(**{name: bad})
