"""Obstacles in the corridor always leave a free passage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.config import ForestSettings, Scenario, TrailSettings
from liquid_control_sim.place.corridor import PASSAGE_M, draw_corridor
from liquid_control_sim.place.forest import Forest, generate_forest
from liquid_control_sim.place.objects import capsule_gaps

pytestmark = pytest.mark.sim


def obstructed_scenario(seed, **forest):
    settings = {"inside": 8, "branches": 8} | forest
    return Scenario(forest=ForestSettings(**settings)), seed


def passage_gap(forest: Forest, scenario: Scenario) -> float:
    """Return the smallest distance from the passage to an obstacle."""
    corridor = draw_corridor(
        forest.trail, forest.side_trails, scenario.graded(), forest.terrain, forest.seed
    )
    return min(forest.obstacles.clearance(*point) for point in corridor.passage.tolist())


@given(seed=st.integers(0, 10_000), difficulty=st.floats(1.0, 5.0))
@settings(max_examples=25, deadline=None)
def test_the_passage_is_free_of_obstacles(seed, difficulty):
    scenario = Scenario(trail=TrailSettings(difficulty=difficulty))
    assert passage_gap(generate_forest(scenario, seed), scenario) >= PASSAGE_M - 0.05


@pytest.mark.parametrize("seed", range(4))
def test_trees_stand_inside_the_corridor(seed):
    scenario, _ = obstructed_scenario(seed)
    forest, plain = generate_forest(scenario, seed), generate_forest(Scenario(), seed)
    inside = forest.trunks[120:128]
    across = [abs(forest.trail.project(x, y, _along(forest, x, y))[1]) for x, y, _ in inside]
    assert max(across) < 1.6
    assert np.array_equal(forest.trunks[:120], plain.trunks)
    assert len(forest.trees.kind) == len(forest.trunks) == 136


@pytest.mark.parametrize("seed", range(4))
def test_branches_reach_into_the_corridor_at_flight_height(seed):
    forest = generate_forest(obstructed_scenario(seed)[0], seed)
    assert forest.branches.shape == (8, 7)
    for branch, (x, y, radius) in zip(forest.branches, forest.trunks[128:], strict=True):
        assert branch[:2] == pytest.approx((x, y))
        assert 1.1 <= branch[2] <= 2.0
        assert 1.2 <= branch[5] <= 1.8
        assert 0.1 <= radius <= 0.25
        tip = forest.trail.project(*branch[3:5], _along(forest, *branch[3:5]))[1]
        assert abs(tip) < 1.6


def test_obstacles_keep_away_from_start_and_finish():
    forest = generate_forest(obstructed_scenario(2)[0], 2)
    start, finish = forest.trail.samples[0], forest.trail.samples[-1]
    added = forest.trunks[120:128, :2]
    assert np.linalg.norm(added - start, axis=1).min() > 6.0
    assert np.linalg.norm(added - finish, axis=1).min() > 1.5


def test_branch_heights_follow_the_ground():
    scenario = Scenario(trail=TrailSettings(difficulty=5.0))
    forest = generate_forest(scenario, 3)
    above = forest.branches[:, 5] - forest.terrain.height(*forest.branches[:, 3:5].T)
    assert np.ptp(forest.branches[:, 5]) > 0.6
    assert (np.abs(above - 1.5) <= 0.25).all()


def test_branches_do_not_change_the_trees_inside_and_seeds_do():
    few, many = (generate_forest(obstructed_scenario(5, branches=n)[0], 5) for n in (0, 8))
    other = generate_forest(obstructed_scenario(6)[0], 6)
    assert np.array_equal(few.trunks[:128], many.trunks[:128])
    assert not np.array_equal(few.trunks[120:128], other.trunks[120:128])
    assert np.array_equal(many.branches, generate_forest(obstructed_scenario(5)[0], 5).branches)


def _along(forest: Forest, x: float, y: float) -> float:
    gaps = np.linalg.norm(forest.trail.samples - (x, y), axis=1)
    return 0.1 * float(gaps.argmin())


def test_a_branch_across_the_passage_is_detected():
    scenario, seed = obstructed_scenario(1)
    forest = generate_forest(scenario, seed)
    corridor = draw_corridor(forest.trail, (), scenario.graded(), forest.terrain, seed)
    across = np.array([(*corridor.passage[100], *(corridor.passage[100] + (0, 1, 0)), 0.05)])
    assert capsule_gaps(across, corridor.passage).min() < PASSAGE_M
