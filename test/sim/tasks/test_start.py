"""Start poses, and the refusal of a start inside an obstacle."""

import math

import numpy as np
import pytest

from liquid_control.config import ForestSettings, Scenario, TaskSettings, TerrainSettings
from liquid_control.errors import ConfigError
from liquid_control.seeding import stream
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.tasks.start import draw_start

pytestmark = pytest.mark.sim
BARE = ForestSettings(trees=0)


def start(seed=3, **sections):
    scenario = Scenario(**sections)
    return draw_start(generate_forest(scenario, seed), scenario, 0.35, seed)


@pytest.mark.parametrize("seed", range(5))
def test_trail_flights_start_near_the_origin(seed):
    position, heading = start(seed)
    draw = stream(seed, "start").uniform(-1.0, 1.0, 3)
    np.testing.assert_array_equal(position, [0.0, 0.3 * draw[0], 1.5 + 0.2 * draw[1]])
    assert heading == 0.15 * draw[2]


def test_start_turn_is_to_either_side_and_changes_only_the_heading():
    # All of 40 draws fall to one side with probability 2^-39.
    turns = []
    for seed in range(40):
        position, heading = start(seed, forest=BARE)
        same, turned = start(seed, forest=BARE, task=TaskSettings(start_turn_deg=60.0))
        np.testing.assert_array_equal(position, same)
        turns.append(round(math.degrees(turned - heading), 6))
    assert set(turns) == {-60.0, 60.0}


@pytest.mark.parametrize("seed", range(5))
def test_target_flights_start_towards_the_target(seed):
    scenario = Scenario(task=TaskSettings(kind="target"))
    forest = generate_forest(scenario, seed)
    _, heading = draw_start(forest, scenario, 0.35, seed)
    towards = math.atan2(forest.targets[0].centre[1], forest.targets[0].centre[0])
    assert abs(heading - towards) <= 0.41


def test_start_altitude_is_above_the_ground():
    hilly, _ = start(terrain=TerrainSettings(slope_deg=20.0))
    flat, _ = start()
    forest = generate_forest(Scenario(terrain=TerrainSettings(slope_deg=20.0)), 3)
    assert hilly[2] - flat[2] == pytest.approx(forest.terrain.height_at(*hilly[:2]))
    assert hilly[2] != flat[2]


def test_blocked_start_is_refused():
    scenario = Scenario(forest=ForestSettings(trees=1))
    forest = generate_forest(scenario, 1)
    object.__setattr__(forest, "trunks", np.array([(0.2, 0.0, 0.2)]))
    with pytest.raises(ConfigError, match=r"no free start: expected 0\.35 m around it, got"):
        draw_start(forest, scenario, 0.35, 1)
