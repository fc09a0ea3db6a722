"""Where trees stand, what a seed fixes, and that the trail can be told from the floor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.config.scenario import ForestSettings, Scenario, TrailSettings
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.place.trail import visible_course
from liquid_control_sim.place.trees import BAND_M

pytestmark = pytest.mark.sim


def distance_to_trail(forest) -> np.ndarray:
    _, points, _ = visible_course(forest.trail, step_m=0.1)
    return np.linalg.norm(forest.trunks[:, None, :2] - points, axis=2).min(axis=1)


@given(
    seed=st.integers(0, 10_000),
    difficulty=st.floats(0.0, 1.0),
    clear_m=st.sampled_from([1.0, 1.6, 3.0]),
)
@settings(max_examples=15, deadline=None)
def test_no_trunk_is_nearer_than_clear_and_none_beyond_the_band(seed, difficulty, clear_m):
    forest = generate_forest(
        Scenario(
            trail=TrailSettings(difficulty=difficulty), forest=ForestSettings(clear_m=clear_m)
        ),
        seed,
    )
    assert len(forest.trunks) == 120
    distance = distance_to_trail(forest)
    assert (distance - forest.trunks[:, 2]).min() >= clear_m
    assert distance.max() <= BAND_M + 0.3


def test_trees_keep_their_spacing_and_are_denser_near_the_trail():
    forest = generate_forest(Scenario(), 2)
    gaps = np.linalg.norm(forest.trunks[:, None, :2] - forest.trunks[:, :2], axis=2)
    assert gaps[~np.eye(len(gaps), dtype=bool)].min() >= 1.3
    distance = distance_to_trail(forest)
    assert (distance < 6.8).sum() > 1.5 * (distance >= 6.8).sum()


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_every_number_of_trees_finds_room(count):
    forest = generate_forest(Scenario(forest=ForestSettings(trees=count)), 0)
    assert forest.trunks.shape == (count, 3)


def test_same_seed_same_forest_other_seed_other_forest():
    first, again, other = (generate_forest(Scenario(), seed) for seed in (3, 3, 4))
    assert np.array_equal(first.trunks, again.trunks)
    assert first.palette == again.palette
    assert not np.array_equal(first.trunks, other.trunks)
    assert first.palette != other.palette


def test_streams_are_independent():
    few = generate_forest(Scenario(forest=ForestSettings(trees=10)), 5)
    many = generate_forest(Scenario(forest=ForestSettings(trees=100)), 5)
    assert np.array_equal(few.trail.samples, many.trail.samples)
    assert few.palette == many.palette


def test_foliage_is_above_the_flight():
    forest = generate_forest(Scenario(), 6)
    assert forest.trees.crown_base_m.min() >= 3.0


def contrast(difficulty: float, seed: int) -> float:
    scenario = Scenario(trail=TrailSettings(difficulty=difficulty), forest=ForestSettings(trees=0))
    palette = generate_forest(scenario, seed).palette
    return float(np.linalg.norm(np.array(palette.trail) - np.array(palette.floor)))


def test_contrast_is_clear_at_first_and_falls_with_difficulty():
    easy = np.array([contrast(0.3, seed) for seed in range(30)])
    hard = np.array([contrast(1.0, seed) for seed in range(30)])
    assert easy.min() > 0.2
    assert (hard < 0.65 * easy).all()
