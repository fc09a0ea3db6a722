"""Open woods: each target can be seen from the place before it, others look different."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.config.scenario import (
    ForestSettings,
    Scenario,
    TargetSettings,
    TaskSettings,
    TrailSettings,
)
from liquid_control_sim.place.clearing import distance_to_course, draw_course
from liquid_control_sim.place.forest import generate_forest

pytestmark = pytest.mark.sim
TARGET = Scenario(task=TaskSettings(kind="target"))
HIKE = Scenario(task=TaskSettings(kind="hike"))


@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["target", "hike"]))
@settings(max_examples=20, deadline=None)
def test_lines_of_sight_are_free_of_trunks_and_of_other_things(seed, kind):
    scenario = Scenario(task=TaskSettings(kind=kind))
    forest, course = generate_forest(scenario, seed), draw_course(scenario, seed)
    off = distance_to_course(forest.trunks[:, :2], course) - forest.trunks[:, 2]
    others = np.array([forest_object.centre[:2] for forest_object in forest.distractors])
    radii = np.array([forest_object.radius_m for forest_object in forest.distractors])
    assert forest.trunks.shape == (120, 3)
    assert off.min() >= 3.0
    assert (distance_to_course(others, course) - radii).min() >= 1.7
    places = np.array([forest_object.centre[:2] for forest_object in forest.targets])
    np.testing.assert_allclose(places, course[1:])


def test_the_course_is_the_trail_that_progress_is_counted_on():
    forest = generate_forest(HIKE, 2)
    legs = np.diff(np.array([(0.0, 0.0), *(t.centre[:2] for t in forest.targets)]), axis=0)
    total = np.linalg.norm(legs, axis=1).sum()
    assert forest.trail.length_m == pytest.approx(total, abs=0.051)
    assert forest.trail.point(total) == pytest.approx(forest.targets[-1].centre[:2], abs=0.06)
    assert not forest.painted


def test_the_target_has_its_colour_and_no_other_thing_has():
    scenario = Scenario(
        task=TaskSettings(kind="target"), target=TargetSettings(colour="blue", distractors=20)
    )
    forest = generate_forest(scenario, 3)
    assert [forest_object.colour for forest_object in forest.targets] == ["blue"]
    assert len(forest.distractors) == 20
    assert "blue" not in {forest_object.colour for forest_object in forest.distractors}
    assert len({forest_object.shape for forest_object in forest.distractors}) == 3
    feet = np.array([forest_object.centre[:2] for forest_object in forest.distractors])
    apart = np.linalg.norm(feet[:, None] - feet, axis=2)
    assert apart[~np.eye(20, dtype=bool)].min() >= 2.5


def test_things_stand_on_the_ground():
    scenario = TARGET.model_copy(
        update={"terrain": TARGET.terrain.model_copy(update={"slope_deg": 15.0})}
    )
    forest = generate_forest(scenario, 4)
    for forest_object in forest.objects:
        x, y, z = forest_object.centre
        foot = z - forest_object.radius_m - forest_object.post_m
        assert foot == pytest.approx(forest.terrain.height_at(x, y), abs=1e-9)


def board(hidden_s=2.0, hidden_from_s=None, seed=3, range_m=12.0):
    scenario = Scenario(
        task=TaskSettings(kind="target"),
        target=TargetSettings(hidden_s=hidden_s, hidden_from_s=hidden_from_s, range_m=range_m),
    )
    forest = generate_forest(scenario, seed)
    return forest, forest.boards


def test_a_board_covers_the_target_as_seen_from_the_start():
    forest, (board_,) = board()
    target, start = np.array(forest.targets[0].centre), np.array([0.0, 0.0, 1.5])
    normal = np.array([math.cos(board_.facing_rad), math.sin(board_.facing_rad), 0.0])
    sideways = np.array([-normal[1], normal[0], 0.0])
    rng = np.random.default_rng(0)
    for _ in range(200):
        direction = rng.normal(size=3)
        rim = target + forest.targets[0].radius_m * direction / np.linalg.norm(direction)
        part = (np.array(board_.centre) - start) @ normal / ((rim - start) @ normal)
        hit = start + part * (rim - start) - board_.centre
        assert 0.0 < part < 1.0
        assert abs(hit @ sideways) < 0.5 * board_.width_m
        assert abs(hit[2]) < 0.5 * board_.height_m


def test_a_board_is_up_for_as_long_as_asked_and_during_the_approach():
    _, (drawn,) = board()
    _, (given_,) = board(hidden_s=1.5, hidden_from_s=2.5)
    assert drawn.until_s - drawn.from_s == pytest.approx(2.0)
    assert 0.15 * 6.0 <= drawn.from_s <= 0.55 * 6.0
    assert (given_.from_s, given_.until_s) == (2.5, 4.0)
    assert [given_.is_up(t) for t in (2.4, 2.5, 3.9, 4.0)] == [False, True, True, False]


def test_without_hiding_there_is_no_board_and_all_else_is_the_same():
    hidden, _ = board()
    seen, none = board(hidden_s=0.0)
    assert none == ()
    assert np.array_equal(hidden.trunks, seen.trunks)
    assert hidden.objects == seen.objects


def test_the_trail_keys_do_not_reach_the_glade():
    hard = Scenario(task=TaskSettings(kind="target"), trail=TrailSettings(difficulty=5.0))
    easy, other = generate_forest(TARGET, 3), generate_forest(hard, 3)
    assert np.array_equal(easy.trunks, other.trunks)
    assert other.terrain.is_flat
    assert len(other.branches) == 0


def test_seeds_and_streams():
    first, again, other = (generate_forest(TARGET, seed) for seed in (3, 3, 4))
    few = generate_forest(
        Scenario(task=TaskSettings(kind="target"), forest=ForestSettings(trees=5)), 3
    )
    assert np.array_equal(first.trunks, again.trunks)
    assert first.objects == again.objects == few.objects
    assert first.objects != other.objects
