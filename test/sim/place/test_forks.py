"""Side trails: geometry, fading, and the posts that mark the correct branch."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.config import ForestSettings, Scenario, TrailSettings
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.place.forks import draw_forks
from liquid_control_sim.place.objects import BLAZE, COLOURS
from liquid_control_sim.place.trail import generate_trail, visible_course

pytestmark = pytest.mark.sim
FORKED = Scenario(trail=TrailSettings(forks=2))
SEEDS = st.integers(0, 10_000)


@given(seed=SEEDS, difficulty=st.floats(0.0, 5.0))
@settings(max_examples=15, deadline=None)
def test_side_trails_start_on_the_trail_and_leave_it(seed, difficulty):
    trail = generate_trail(TrailSettings(difficulty=difficulty), seed)
    _, course, _ = visible_course(trail, step_m=0.1)
    for fork in draw_forks(trail, 0.5, 2, seed):
        apart = np.linalg.norm(fork.points[:, None] - course, axis=2).min(axis=1)
        assert math.dist(fork.points[0], trail.point(fork.fork_m)) < 1e-9
        assert apart[0] < 0.05
        assert apart[49:].min() >= 3.4
        assert 15.0 <= 0.25 * len(fork.points) <= 25.5
        assert np.linalg.norm(np.diff(fork.points, axis=0), axis=1) == pytest.approx(0.25)
        after = trail.project(*fork.points[16], fork.fork_m + 3.0)[1]
        assert math.copysign(1.0, after) == fork.side


def test_side_trails_fade():
    (fork,) = draw_forks(generate_trail(TrailSettings(), 1), 0.5, 1, 1)
    assert fork.strength[0] == 1.0
    assert fork.strength[len(fork.strength) // 2] == 1.0
    assert fork.strength[-1] == 0.0
    assert fork.half_width_m[0] == 0.5
    assert (np.diff(fork.strength) <= 0.0).all()


@pytest.mark.parametrize("seed", range(5))
def test_trees_keep_clear_of_side_trails(seed):
    forest = generate_forest(FORKED, seed)
    assert len(forest.side_trails) == 2
    assert forest.trunks.shape == (120, 3)
    for fork in forest.side_trails:
        apart = np.linalg.norm(forest.trunks[:, None, :2] - fork.points, axis=2).min(axis=1)
        assert (apart - forest.trunks[:, 2]).min() >= 1.6


@pytest.mark.parametrize("seed", range(5))
def test_posts_stand_next_to_the_correct_branch_near_the_fork(seed):
    forest = generate_forest(FORKED, seed)
    assert len(forest.posts) == 4
    for index, post in enumerate(forest.posts):
        near = forest.side_trails[index // 2]
        along, across = forest.trail.project(*post.foot[:2], near.fork_m + 4.0)
        off_side = np.linalg.norm(near.points - post.foot[:2], axis=1).min()
        assert 1.0 <= along - near.fork_m <= 7.0
        assert 1.2 <= abs(across) <= 1.5
        assert off_side >= 1.2
        assert post.bands == BLAZE


def test_blaze_is_red_and_white_between_one_and_two_metres():
    assert (BLAZE[0].from_m, BLAZE[-1].until_m) == (1.0, 2.0)
    assert [band.colour for band in BLAZE] == [COLOURS[name] for name in ("red", "white", "red")]


def test_forks_have_their_own_stream():
    plain, forked = generate_forest(Scenario(), 3), generate_forest(FORKED, 3)
    again, other = generate_forest(FORKED, 3), generate_forest(FORKED, 4)
    assert np.array_equal(plain.trail.samples, forked.trail.samples)
    assert plain.palette == forked.palette
    assert np.array_equal(forked.side_trails[0].points, again.side_trails[0].points)
    assert forked.side_trails[0].fork_m != other.side_trails[0].fork_m


def test_hard_trails_have_forks():
    trail = TrailSettings(difficulty=5.0)
    forest = generate_forest(Scenario(trail=trail, forest=ForestSettings(trees=0)), 1)
    assert len(forest.side_trails) == 2
