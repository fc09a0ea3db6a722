"""Courses and open forests of the target and hike tasks."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.config import (
    ForestSettings,
    HikeSettings,
    Scenario,
    TargetSettings,
    TaskSettings,
    TrailSettings,
)
from liquid_control.errors import ConfigError
from liquid_control_sim.place.clearing import distance_to_course, draw_course
from liquid_control_sim.place.forest import generate_forest

pytestmark = pytest.mark.sim

SEEDS = st.integers(0, 10_000)


def target_scenario(range_m=None):
    return Scenario(task=TaskSettings(kind="target"), target=TargetSettings(range_m=range_m))


def hike_scenario(**keys):
    return Scenario(task=TaskSettings(kind="hike"), hike=HikeSettings(**keys))


@pytest.mark.parametrize("range_m", [10.0, 20.0, 30.0])
def test_target_distance_equals_the_given_range(range_m):
    course = draw_course(target_scenario(range_m), 3)
    assert course[0].tolist() == [0.0, 0.0]
    assert math.dist(*course) == pytest.approx(range_m)


def test_default_range_is_drawn_between_5_and_30_m():
    # Of 300 uniform draws none is below 6 m with probability 0.96^300 < 1e-5, nor above 29 m.
    ranges = [math.dist(*draw_course(target_scenario(), seed)) for seed in range(300)]
    assert 4.95 <= min(ranges) < 6.0
    assert 29.0 < max(ranges) <= 30.05


@given(seed=SEEDS, targets=st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_hike_turns_left_and_keeps_targets_apart(seed, targets):
    course = draw_course(hike_scenario(targets=targets), seed)
    legs = np.diff(course, axis=0)
    turns = np.diff(np.unwrap(np.arctan2(legs[:, 1], legs[:, 0])))
    assert len(course) == targets + 1
    assert np.linalg.norm(legs, axis=1).min() >= 0.69 * 9.0
    assert np.linalg.norm(legs, axis=1).max() <= 1.31 * 9.0
    assert (np.degrees(turns) >= 0.69 * 70.0).all()
    assert (np.degrees(turns) <= 1.31 * 70.0).all()
    apart = np.linalg.norm(course[:, None] - course, axis=2)
    assert apart[~np.eye(len(course), dtype=bool)].min() >= 4.0


def test_hike_that_does_not_fit_is_refused():
    crowded = hike_scenario(targets=10, leg_m=4.0, turn_deg=120.0)
    with pytest.raises(ConfigError, match=r"hike\.targets: 10 do not fit 4 m apart"):
        draw_course(crowded, 1)


@pytest.mark.parametrize(
    ("point", "distance"), [((5.0, 2.0), 2.0), ((-3.0, 4.0), 5.0), ((12.0, 5.0), 2.0)]
)
def test_distance_to_a_course(point, distance):
    course = np.array([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)])
    assert distance_to_course(np.array([point]), course)[0] == pytest.approx(distance)


def test_courses_are_reproducible_and_depend_on_the_seed():
    assert np.array_equal(draw_course(hike_scenario(), 4), draw_course(hike_scenario(), 4))
    assert not np.array_equal(draw_course(hike_scenario(), 4), draw_course(hike_scenario(), 5))


TARGET = Scenario(task=TaskSettings(kind="target"))
HIKE = Scenario(task=TaskSettings(kind="hike"))


@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["target", "hike"]))
@settings(max_examples=20, deadline=None)
def test_lines_of_sight_are_free_of_trunks_and_distractors(seed, kind):
    scenario = Scenario(task=TaskSettings(kind=kind))
    forest, course = generate_forest(scenario, seed), draw_course(scenario, seed)
    off = distance_to_course(forest.trunks[:, :2], course) - forest.trunks[:, 2]
    others = np.array([other.centre[:2] for other in forest.distractors])
    radii = np.array([other.radius_m for other in forest.distractors])
    assert forest.trunks.shape == (120, 3)
    assert off.min() >= 3.0
    assert (distance_to_course(others, course) - radii).min() >= 1.7
    places = np.array([target.centre[:2] for target in forest.targets])
    np.testing.assert_allclose(places, course[1:])


def test_course_is_the_trail_of_the_forest():
    forest = generate_forest(HIKE, 2)
    legs = np.diff(np.array([(0.0, 0.0), *(t.centre[:2] for t in forest.targets)]), axis=0)
    total = np.linalg.norm(legs, axis=1).sum()
    assert forest.trail.length_m == pytest.approx(total, abs=0.051)
    assert forest.trail.point(total) == pytest.approx(forest.targets[-1].centre[:2], abs=0.06)
    assert not forest.painted


def test_only_the_target_has_the_target_colour():
    scenario = Scenario(
        task=TaskSettings(kind="target"), target=TargetSettings(colour="blue", distractors=20)
    )
    forest = generate_forest(scenario, 3)
    assert [target.colour for target in forest.targets] == ["blue"]
    assert len(forest.distractors) == 20
    assert "blue" not in {other.colour for other in forest.distractors}
    assert len({other.shape for other in forest.distractors}) == 3
    feet = np.array([other.centre[:2] for other in forest.distractors])
    apart = np.linalg.norm(feet[:, None] - feet, axis=2)
    assert apart[~np.eye(20, dtype=bool)].min() >= 2.5


def test_objects_stand_on_the_ground():
    scenario = TARGET.model_copy(
        update={"terrain": TARGET.terrain.model_copy(update={"slope_deg": 15.0})}
    )
    forest = generate_forest(scenario, 4)
    for forest_object in forest.objects:
        x, y, z = forest_object.centre
        foot = z - forest_object.radius_m - forest_object.post_m
        assert foot == pytest.approx(forest.terrain.height_at(x, y), abs=1e-9)


def board_scene(hidden_s=2.0, hidden_from_s=None, seed=3, range_m=12.0):
    scenario = Scenario(
        task=TaskSettings(kind="target"),
        target=TargetSettings(hidden_s=hidden_s, hidden_from_s=hidden_from_s, range_m=range_m),
    )
    forest = generate_forest(scenario, seed)
    return forest, forest.boards


def test_board_covers_the_target_as_seen_from_the_start():
    forest, (board,) = board_scene()
    target, start = np.array(forest.targets[0].centre), np.array([0.0, 0.0, 1.5])
    normal = np.array([math.cos(board.facing_rad), math.sin(board.facing_rad), 0.0])
    sideways = np.array([-normal[1], normal[0], 0.0])
    rng = np.random.default_rng(0)
    for _ in range(200):
        direction = rng.normal(size=3)
        rim = target + forest.targets[0].radius_m * direction / np.linalg.norm(direction)
        part = (np.array(board.centre) - start) @ normal / ((rim - start) @ normal)
        hit = start + part * (rim - start) - board.centre
        assert 0.0 < part < 1.0
        assert abs(hit @ sideways) < 0.5 * board.width_m
        assert abs(hit[2]) < 0.5 * board.height_m


def test_board_is_present_for_the_given_time_during_the_approach():
    _, (drawn_board,) = board_scene()
    _, (given_board,) = board_scene(hidden_s=1.5, hidden_from_s=2.5)
    assert drawn_board.until_s - drawn_board.from_s == pytest.approx(2.0)
    assert 0.15 * 6.0 <= drawn_board.from_s <= 0.55 * 6.0
    assert (given_board.from_s, given_board.until_s) == (2.5, 4.0)
    assert [given_board.is_up(t) for t in (2.4, 2.5, 3.9, 4.0)] == [False, True, True, False]


def test_without_hiding_there_is_no_board_and_the_rest_is_unchanged():
    hidden, _ = board_scene()
    visible, no_boards = board_scene(hidden_s=0.0)
    assert no_boards == ()
    assert np.array_equal(hidden.trunks, visible.trunks)
    assert hidden.objects == visible.objects


def test_trail_settings_do_not_affect_clearings():
    hard = Scenario(task=TaskSettings(kind="target"), trail=TrailSettings(difficulty=5.0))
    easy, other = generate_forest(TARGET, 3), generate_forest(hard, 3)
    assert np.array_equal(easy.trunks, other.trunks)
    assert other.terrain.is_flat
    assert len(other.branches) == 0


def test_clearings_are_reproducible_and_streams_are_independent():
    first, again, other = (generate_forest(TARGET, seed) for seed in (3, 3, 4))
    few = generate_forest(
        Scenario(task=TaskSettings(kind="target"), forest=ForestSettings(trees=5)), 3
    )
    assert np.array_equal(first.trunks, again.trunks)
    assert first.objects == again.objects == few.objects
    assert first.objects != other.objects
