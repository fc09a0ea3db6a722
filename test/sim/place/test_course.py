"""Where targets stand: as far as asked for, apart from each other, to the left."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.config.scenario import HikeSettings, Scenario, TargetSettings, TaskSettings
from liquid_control.errors import ConfigError
from liquid_control_sim.place.clearing import distance_to_course, draw_course

pytestmark = pytest.mark.sim
SEEDS = st.integers(0, 10_000)


def target(range_m=None):
    return Scenario(task=TaskSettings(kind="target"), target=TargetSettings(range_m=range_m))


def hike(**keys):
    return Scenario(task=TaskSettings(kind="hike"), hike=HikeSettings(**keys))


@pytest.mark.parametrize("range_m", [10.0, 20.0, 30.0])
def test_a_target_is_as_far_as_asked_for(range_m):
    course = draw_course(target(range_m), 3)
    assert course[0].tolist() == [0.0, 0.0]
    assert math.dist(*course) == pytest.approx(range_m)


def test_a_range_that_is_not_given_is_drawn_between_5_and_30_m():
    # Of 300 uniform draws none is below 6 m with probability 0.96^300 < 1e-5, nor above 29 m.
    ranges = [math.dist(*draw_course(target(), seed)) for seed in range(300)]
    assert 4.95 <= min(ranges) < 6.0
    assert 29.0 < max(ranges) <= 30.05


@given(seed=SEEDS, targets=st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_a_hike_turns_left_and_its_targets_keep_apart(seed, targets):
    course = draw_course(hike(targets=targets), seed)
    legs = np.diff(course, axis=0)
    turns = np.diff(np.unwrap(np.arctan2(legs[:, 1], legs[:, 0])))
    assert len(course) == targets + 1
    assert np.linalg.norm(legs, axis=1).min() >= 0.69 * 9.0
    assert np.linalg.norm(legs, axis=1).max() <= 1.31 * 9.0
    assert (np.degrees(turns) >= 0.69 * 70.0).all()
    assert (np.degrees(turns) <= 1.31 * 70.0).all()
    apart = np.linalg.norm(course[:, None] - course, axis=2)
    assert apart[~np.eye(len(course), dtype=bool)].min() >= 4.0


def test_a_hike_without_room_is_refused():
    crowded = hike(targets=10, leg_m=4.0, turn_deg=120.0)
    with pytest.raises(ConfigError, match=r"hike\.targets: 10 find no room 4 m apart"):
        draw_course(crowded, 1)


@pytest.mark.parametrize(
    ("point", "distance"), [((5.0, 2.0), 2.0), ((-3.0, 4.0), 5.0), ((12.0, 5.0), 2.0)]
)
def test_distance_to_a_course(point, distance):
    course = np.array([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)])
    assert distance_to_course(np.array([point]), course)[0] == pytest.approx(distance)


def test_same_seed_same_course():
    assert np.array_equal(draw_course(hike(), 4), draw_course(hike(), 4))
    assert not np.array_equal(draw_course(hike(), 4), draw_course(hike(), 5))
