"""Where flights begin, and that a place that is taken is refused."""

import math

import numpy as np
import pytest

from liquid_control.config.scenario import ForestSettings, Scenario, TaskSettings, TerrainSettings
from liquid_control.errors import ConfigError
from liquid_control.seeding import stream
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.tasks.start import draw_start

pytestmark = pytest.mark.sim


def start(seed=3, **sections):
    scenario = Scenario(**sections)
    return draw_start(generate_forest(scenario, seed), scenario, 0.35, seed)


@pytest.mark.parametrize("seed", range(5))
def test_a_trail_starts_near_its_beginning(seed):
    position, heading = start(seed)
    draw = stream(seed, "start").uniform(-1.0, 1.0, 3)
    np.testing.assert_array_equal(position, [0.0, 0.3 * draw[0], 1.5 + 0.2 * draw[1]])
    assert heading == 0.15 * draw[2]


def test_a_turn_is_to_either_side_and_moves_nothing_else():
    # All of 40 draws fall to one side with probability 2^-39.
    turns = []
    for seed in range(40):
        there, heading = start(seed)
        same, turned = start(seed, task=TaskSettings(start_turn_deg=60.0))
        np.testing.assert_array_equal(there, same)
        turns.append(round(math.degrees(turned - heading), 6))
    assert set(turns) == {-60.0, 60.0}


@pytest.mark.parametrize("seed", range(5))
def test_a_target_is_about_ahead(seed):
    scenario = Scenario(task=TaskSettings(kind="target"))
    forest = generate_forest(scenario, seed)
    _, heading = draw_start(forest, scenario, 0.35, seed)
    towards = math.atan2(forest.targets[0].centre[1], forest.targets[0].centre[0])
    assert abs(heading - towards) <= 0.41


def test_the_start_is_above_the_ground():
    hilly, _ = start(terrain=TerrainSettings(slope_deg=20.0))
    flat, _ = start()
    forest = generate_forest(Scenario(terrain=TerrainSettings(slope_deg=20.0)), 3)
    assert hilly[2] - flat[2] == pytest.approx(forest.terrain.height_at(*hilly[:2]))
    assert hilly[2] != flat[2]


def test_a_start_that_is_taken_is_refused():
    scenario = Scenario(forest=ForestSettings(trees=1))
    forest = generate_forest(scenario, 1)
    object.__setattr__(forest, "trunks", np.array([(0.2, 0.0, 0.2)]))
    with pytest.raises(ConfigError, match=r"no free start: expected 0\.35 m around it, got"):
        draw_start(forest, scenario, 0.35, 1)
