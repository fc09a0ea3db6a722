"""Forests: trees, seeds, counts that do not fit, and the unchanged easy forests."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.config import ForestSettings, Scenario, TaskSettings, TrailSettings
from liquid_control.errors import ConfigError
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
def test_trunks_stand_between_the_clear_strip_and_the_band(seed, difficulty, clear_m):
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
def test_any_number_of_trees_up_to_1000_fits(count):
    forest = generate_forest(Scenario(forest=ForestSettings(trees=count)), 0)
    assert forest.trunks.shape == (count, 3)


def test_forests_are_reproducible_and_depend_on_the_seed():
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


def test_foliage_is_above_the_flight_altitude():
    forest = generate_forest(Scenario(), 6)
    assert forest.trees.crown_base_m.min() >= 3.0


def contrast(difficulty: float, seed: int) -> float:
    scenario = Scenario(trail=TrailSettings(difficulty=difficulty), forest=ForestSettings(trees=0))
    palette = generate_forest(scenario, seed).palette
    return float(np.linalg.norm(np.array(palette.trail) - np.array(palette.floor)))


def test_contrast_decreases_with_difficulty():
    easy = np.array([contrast(0.3, seed) for seed in range(30)])
    hard = np.array([contrast(1.0, seed) for seed in range(30)])
    assert easy.min() > 0.2
    assert (hard < 0.65 * easy).all()


@pytest.mark.parametrize(
    ("trail", "forest", "message"),
    [
        (
            {"half_width_m": 1.7},
            {},
            r"expected at most forest.clear_m \(1.6\)",
        ),
        (
            {"half_width_m": 1.0, "lateral_limit_m": 0.8},
            {},
            r"trail.lateral_limit_m \(0.8\).*got 1$",
        ),
        ({"forks": 10}, {}, "trail.forks: 10 do not fit along a trail of 60 m"),
        ({"forks": 1, "length_m": 14.0}, {}, "trail.forks: 1 do not fit .*, 0 do"),
        ({}, {"inside": 100}, "forest.inside: 100 do not fit"),
        ({}, {"branches": 100}, "forest.branches: 100 do not fit"),
        ({}, {"inside": 1, "clear_m": 0.5}, "forest.inside: 1 do not fit .*clear_m 0.5, 0 do"),
        (
            {"length_m": 6.0},
            {"trees": 1000, "clear_m": 10.0},
            "forest.trees: 1000 do not fit 0.5 m apart, at most about",
        ),
    ],
)
def test_counts_that_do_not_fit_are_refused_with_the_key(trail, forest, message):
    scenario = Scenario(trail=TrailSettings(**trail), forest=ForestSettings(**forest))
    with pytest.raises(ConfigError, match=message) as error:
        generate_forest(scenario, 1)
    assert "\n" not in str(error.value)


def test_too_many_trees_for_a_clearing_are_refused():
    scenario = Scenario(
        task=TaskSettings(kind="target"), forest=ForestSettings(trees=1000, clear_m=10.0)
    )
    scenario = scenario.model_copy(
        update={"target": scenario.target.model_copy(update={"range_m": 3.0})}
    )
    with pytest.raises(ConfigError, match=r"forest\.trees: 1000 do not fit"):
        generate_forest(scenario, 1)


def test_counts_that_follow_from_difficulty_are_reduced_to_what_fits():
    short = Scenario(trail=TrailSettings(difficulty=5.0, length_m=12.0))
    forest = generate_forest(short, 1)
    assert len(forest.side_trails) == 0
    assert len(forest.trunks) <= 120 + 2 + 2


GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("maker", GOLDEN / "make_easy_trails.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def stored():
    with np.load(GOLDEN / "easy_trails.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize(
    ("difficulty", "seed"), [(0.0, 0), (0.3, 10001), (0.7, 5), (1.0, 7)], ids=str
)
def test_easy_forests_and_their_expert_commands_equal_the_golden_file(
    maker, stored, difficulty, seed
):
    scenario = Scenario(trail=TrailSettings(difficulty=difficulty))
    forest = generate_forest(scenario, seed)
    found = maker.forest_arrays(forest)
    found["commands"] = maker.expert_commands(
        forest, scenario, stored[f"{difficulty:g}_{seed}_poses"]
    )
    assert len(found["commands"]) == 60
    for name, value in found.items():
        # The last bit of a sine differs between machines; all else is exact.
        expected = stored[f"{difficulty:g}_{seed}_{name}"]
        np.testing.assert_allclose(value, expected, rtol=0.0, atol=1e-12, err_msg=name)


def test_easy_forests_are_flat_and_free_of_obstacles():
    forest = generate_forest(Scenario(), 1)
    assert forest.terrain.is_flat
    assert forest.painted
    extras = (forest.side_trails, forest.posts, forest.objects, forest.boards)
    assert extras == ((), (), (), ())
    assert len(forest.obstacles.capsules) == 0
