"""Wakes of trunks and crowns by momentum, and the interpolated wakes of a forest."""

import math

import numpy as np
import pytest

from liquid_control.config import WindSettings, load_scenario
from liquid_control_sim.air.lee import (
    CELL_M,
    CROWN_DRAG,
    PLANE_M,
    ROUGHNESS,
    TRUNK_DRAG,
    Lee,
    wind_factors,
)
from liquid_control_sim.air.wind import WindField
from liquid_control_sim.place.forest import generate_forest

pytestmark = pytest.mark.sim

TRUNK = np.array([[0.0, 0.0, 0.2]])
BARE = np.array([[1e-3, 90.0, 91.0]])
"""A crown too small and too high to have an effect."""


def along_line(xs, ys, trunks=TRUNK, crowns=BARE, height_m=1.5):
    points = np.stack(np.broadcast_arrays(xs, ys), axis=-1)
    return wind_factors(points, trunks, crowns, height_m)


@pytest.mark.parametrize("distance", [2.0, 10.0, 40.0])
def test_trunk_wake_conserves_the_momentum_of_the_drag(distance):
    """Integral of u (U - u) over the width of the wake = C_D d U^2 / 2."""
    y = np.linspace(-40.0, 40.0, 160_001)
    deficit = along_line(distance, y)[:, 2] / ROUGHNESS
    taken = np.sum(deficit * (1.0 - deficit)) * (y[1] - y[0])
    assert taken == pytest.approx(0.5 * TRUNK_DRAG * 0.4, rel=1e-3)


def test_crown_wake_conserves_the_momentum_of_the_drag():
    """Integral of u (U - u) over the cross-section of the wake = C_T A U^2 / 2, A an ellipse."""
    crown = np.array([[4.0, 4.0, 10.0]])
    thin = np.array([[0.0, 0.0, 1e-6]])
    y, heights = np.linspace(-30.0, 30.0, 601), np.linspace(-30.0, 45.0, 376)
    taken = 0.0
    for height in heights:
        deficit = along_line(20.0, y, thin, crown, height)[:, 2] / ROUGHNESS
        taken += np.sum(deficit * (1.0 - deficit)) * 0.1 * 0.2
    area = 0.25 * math.pi * 4.0 * 6.0
    assert taken == pytest.approx(0.5 * CROWN_DRAG * area, rel=2e-3)


def test_wind_is_undisturbed_far_upwind_and_far_to_the_side():
    assert along_line(-30.0, np.array([0.0])) == pytest.approx(
        np.array([[1.0, 0.0, 0.0]]), abs=1e-4
    )
    assert along_line(0.0, np.array([30.0])) == pytest.approx(
        np.array([[1.0, 0.0, 0.0]]), abs=1e-4
    )


def test_flow_next_to_a_trunk_is_that_around_a_cylinder():
    """U (1 + a^2 / y^2) in the plane flow, which decays over `PLANE_M`."""
    for y in (0.25, 0.5, 1.0):
        speed = along_line(0.0, np.array([y, -y]))[:, 0]
        assert speed == pytest.approx(1.0 + math.exp(-y / PLANE_M) * 0.04 / y**2, rel=1e-12)


def test_flow_between_two_trunks_is_faster_than_next_to_one():
    pair = np.array([[0.0, -0.6, 0.2], [0.0, 0.6, 0.2]])
    gap = along_line(0.0, np.array([0.0]), pair, np.repeat(BARE, 2, axis=0))[0]
    assert gap[0] == pytest.approx(1.0 + 2.0 * math.exp(-0.6 / PLANE_M) * 0.04 / 0.36, rel=1e-12)
    assert gap[1] == pytest.approx(0.0, abs=1e-15)
    lee = along_line(3.0, np.array([0.6]), pair, np.repeat(BARE, 2, axis=0))[0]
    assert lee[0] < 0.85
    assert lee[2] > 0.05


def test_flow_diverges_in_front_of_a_trunk():
    left, right = along_line(-0.4, np.array([0.3, -0.3]))[:, 1]
    assert left > 0.05
    assert right == pytest.approx(-left, rel=1e-12)


def test_wakes_add_as_root_of_squares():
    row = np.array([[0.0, 0.0, 0.2], [5.0, 0.0, 0.2]])
    both = along_line(10.0, np.array([0.0]), row, np.repeat(BARE, 2, axis=0))[0, 2]
    near, far = (along_line(x, np.array([0.0]))[0, 2] for x in (5.0, 10.0))
    assert both == pytest.approx(math.hypot(near, far), rel=1e-9)


BREEZE = WindSettings(mean_mps=4.0, gust_mps=6.0, direction_deg=50.0)


@pytest.fixture(scope="module")
def forest():
    return generate_forest(load_scenario("trail"), 3)


def wind_along_trail(settings, forest, seed=3, seconds=5):
    """Return the wind at a position that moves along the trail at 2 m/s."""
    field = WindField(settings, seed, 1.5, forest)
    places = [(*forest.trail.point(tick / 120.0), 1.5) for tick in range(240 * seconds)]
    return np.array([field.wind(tick, np.array(at)) for tick, at in enumerate(places)])


def test_without_lee_the_wind_equals_an_open_field_bit_for_bit(forest):
    open_field = WindField(BREEZE, 3, 1.5)
    for tick in range(0, 480, 7):
        at = np.array([0.02 * tick, 0.3, 1.5])
        assert WindField(BREEZE, 3, 1.5, forest).wind(tick, at).tobytes() == (
            open_field.wind(tick, at).tobytes()
        )


def test_factors_at_cell_corners_equal_the_wake_model(forest):
    lee = Lee(1.0, forest, 0.0, 1.5, 4.0, 3)
    crowns = np.column_stack(
        [2 * forest.trees.crown_radius_m, forest.trees.crown_base_m, forest.trees.height_m]
    )
    corners = CELL_M * np.array([[3, 5], [31, -7], [-20, 44], [63, 16]])
    expected = wind_factors(corners, forest.trunks, crowns, 1.5)
    got = [lee.factors(x, y) for x, y in corners.tolist()]
    assert got == pytest.approx(expected, abs=2e-3)


def test_wakes_turn_with_the_wind(forest):
    """A wind along the y axis of the map is slowed north of a trunk, not east of it."""
    x, y, _ = forest.trunks[0]
    lee = Lee(1.0, forest, np.pi / 2, 1.5, 4.0, 3)
    assert lee.factors(x, y + 0.8)[0] < 0.8
    assert lee.factors(x + 0.5, y)[0] > lee.factors(x, y + 0.8)[0] + 0.2


def test_strength_scales_the_effect_of_the_trees(forest):
    half, full = (Lee(strength, forest, 0.3, 1.5, 4.0, 3) for strength in (0.5, 1.0))
    for at in [(3.0, 1.0), (7.5, -2.2), (12.1, 0.4)]:
        assert np.array(half.factors(*at)) - [1, 0, 0] == pytest.approx(
            0.5 * (np.array(full.factors(*at)) - [1, 0, 0]), abs=1e-12
        )


def test_eddies_have_their_own_stream(forest):
    """Except for the effect of the trees, gusts and turbulence are unchanged by the lee."""
    calm = BREEZE.model_copy(update={"mean_mps": 0.0, "gust_mps": 0.0})
    assert not wind_along_trail(calm.model_copy(update={"lee": 1.0}), forest).any()
    bare, wooded = (
        wind_along_trail(BREEZE.model_copy(update={"lee": lee}), forest) for lee in (0.0, 1.0)
    )
    rough = wind_along_trail(BREEZE.model_copy(update={"lee": 1.0, "turbulence": 0.0}), forest)
    smooth = wind_along_trail(BREEZE.model_copy(update={"turbulence": 0.0}), forest)
    assert wooded - rough == pytest.approx(bare - smooth, abs=1e-12)
    assert np.abs(wooded - bare).max() > 0.1


def test_wind_is_reproducible_in_any_order_of_queries(forest):
    settings = BREEZE.model_copy(update={"lee": 1.0})
    straight = wind_along_trail(settings, forest)
    field = WindField(settings, 3, 1.5, forest)
    for tick in (1199, 0, 700, 1, 700):
        at = np.array((*forest.trail.point(tick / 120.0), 1.5))
        assert field.wind(tick, at).tobytes() == straight[tick].tobytes()
