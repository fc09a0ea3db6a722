"""The lee of a drawn forest: interpolation, strength, streams."""

import numpy as np
import pytest

from liquid_control.config import load_scenario
from liquid_control.config.scenario import WindSettings
from liquid_control_sim.air.lee import CELL_M, Lee, bent
from liquid_control_sim.air.wind import WindField
from liquid_control_sim.place.forest import generate_forest

pytestmark = pytest.mark.sim

BREEZE = WindSettings(mean_mps=4.0, gust_mps=6.0, direction_deg=50.0)


@pytest.fixture(scope="module")
def forest():
    return generate_forest(load_scenario("trail"), 3)


def blow(settings, forest, seed=3, seconds=5):
    """Along the trail at 2 m/s."""
    field = WindField(settings, seed, 1.5, forest)
    places = [(*forest.trail.point(tick / 120.0), 1.5) for tick in range(240 * seconds)]
    return np.array([field.wind(tick, np.array(at)) for tick, at in enumerate(places)])


def test_no_lee_is_an_open_field_bit_for_bit(forest):
    open_field = WindField(BREEZE, 3, 1.5)
    for tick in range(0, 480, 7):
        at = np.array([0.02 * tick, 0.3, 1.5])
        assert WindField(BREEZE, 3, 1.5, forest).wind(tick, at).tobytes() == (
            open_field.wind(tick, at).tobytes()
        )


def test_at_the_corners_of_its_cells_it_is_what_the_wakes_say(forest):
    lee = Lee(1.0, forest, 0.0, 1.5, 4.0, 3)
    crowns = np.column_stack(
        [2 * forest.trees.crown_radius_m, forest.trees.crown_base_m, forest.trees.height_m]
    )
    corners = CELL_M * np.array([[3, 5], [31, -7], [-20, 44], [63, 16]])
    expected = bent(corners, forest.trunks, crowns, 1.5)
    got = [lee.shares(x, y) for x, y in corners.tolist()]
    assert got == pytest.approx(expected, abs=2e-3)


def test_it_turns_with_the_wind(forest):
    """What blows along the map's y axis is slowed north of a trunk, not east of it."""
    x, y, _ = forest.trunks[0]
    lee = Lee(1.0, forest, np.pi / 2, 1.5, 4.0, 3)
    assert lee.shares(x, y + 0.8)[0] < 0.8
    assert lee.shares(x + 0.5, y)[0] > lee.shares(x, y + 0.8)[0] + 0.2


def test_strength_scales_what_trees_do(forest):
    half, full = (Lee(strength, forest, 0.3, 1.5, 4.0, 3) for strength in (0.5, 1.0))
    for at in [(3.0, 1.0), (7.5, -2.2), (12.1, 0.4)]:
        assert np.array(half.shares(*at)) - [1, 0, 0] == pytest.approx(
            0.5 * (np.array(full.shares(*at)) - [1, 0, 0]), abs=1e-12
        )


def test_its_eddies_have_a_stream_of_their_own(forest):
    """Off the trees' shares, gusts and turbulence are what they are without a lee."""
    calm = BREEZE.model_copy(update={"mean_mps": 0.0, "gust_mps": 0.0})
    assert not blow(calm.model_copy(update={"lee": 1.0}), forest).any()
    bare, wooded = (blow(BREEZE.model_copy(update={"lee": lee}), forest) for lee in (0.0, 1.0))
    rough = blow(BREEZE.model_copy(update={"lee": 1.0, "turbulence": 0.0}), forest)
    smooth = blow(BREEZE.model_copy(update={"turbulence": 0.0}), forest)
    assert wooded - rough == pytest.approx(bare - smooth, abs=1e-12)
    assert np.abs(wooded - bare).max() > 0.1


def test_same_seed_same_lee_in_any_order(forest):
    settings = BREEZE.model_copy(update={"lee": 1.0})
    straight = blow(settings, forest)
    field = WindField(settings, 3, 1.5, forest)
    for tick in (1199, 0, 700, 1, 700):
        at = np.array((*forest.trail.point(tick / 120.0), 1.5))
        assert field.wind(tick, at).tobytes() == straight[tick].tobytes()
