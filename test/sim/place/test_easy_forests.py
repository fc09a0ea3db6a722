"""Forests up to difficulty 1 are what shipped models were judged in: they never change."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from liquid_control.config.scenario import Scenario, TrailSettings
from liquid_control_sim.place.forest import generate_forest

pytestmark = pytest.mark.sim
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
def test_an_easy_forest_and_its_expert_are_as_ever(maker, stored, difficulty, seed):
    scenario = Scenario(trail=TrailSettings(difficulty=difficulty))
    forest = generate_forest(scenario, seed)
    found = maker.forest_arrays(forest)
    found["commands"] = maker.expert_commands(
        forest, scenario, stored[f"{difficulty:g}_{seed}_poses"]
    )
    assert len(found["commands"]) == 60
    for name, value in found.items():
        # Sines differ in the last bit from one machine to another; all else is exact.
        expected = stored[f"{difficulty:g}_{seed}_{name}"]
        np.testing.assert_allclose(value, expected, rtol=0.0, atol=1e-12, err_msg=name)


def test_an_easy_forest_is_flat_and_free():
    forest = generate_forest(Scenario(), 1)
    assert forest.terrain.is_flat
    assert forest.painted
    extras = (forest.side_trails, forest.posts, forest.objects, forest.boards)
    assert extras == ((), (), (), ())
    assert len(forest.obstacles.capsules) == 0
