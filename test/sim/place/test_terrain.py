"""Terrain: slopes, heights and random stream."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.config import Scenario, TerrainSettings, TrailSettings
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.place.terrain import FLAT, Terrain, draw_terrain

pytestmark = pytest.mark.sim
COURSE = np.array([(0.0, 0.0), (60.0, 10.0)])


def grid(step):
    return np.meshgrid(np.arange(-14.0, 74.1, step), np.arange(-14.0, 24.1, step))


@given(slope_deg=st.floats(0.5, 25.0), seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_steepest_slope_equals_the_setting(slope_deg, seed):
    terrain = draw_terrain(slope_deg, COURSE, seed)
    steepest = np.linalg.norm(terrain.gradient(*grid(0.5)), axis=-1).max()
    assert steepest == pytest.approx(math.tan(math.radians(slope_deg)), rel=0.02)
    assert terrain.height_at(0.0, 0.0) == 0.0


def test_gradient_is_the_derivative_of_the_height():
    terrain = draw_terrain(15.0, COURSE, 3)
    x, y = grid(7.0)
    step = 1e-5
    east = (terrain.height(x + step, y) - terrain.height(x - step, y)) / (2.0 * step)
    north = (terrain.height(x, y + step) - terrain.height(x, y - step)) / (2.0 * step)
    np.testing.assert_allclose(terrain.gradient(x, y), np.stack([east, north], -1), atol=1e-8)


@given(x=st.floats(-50.0, 100.0), y=st.floats(-50.0, 50.0))
def test_scalar_and_array_heights_agree(x, y):
    terrain = draw_terrain(10.0, COURSE, 4)
    assert terrain.height_at(x, y) == pytest.approx(
        terrain.height(np.array([x]), np.array([y]))[0], abs=1e-12
    )


def test_zero_slope_is_flat():
    assert draw_terrain(0.0, COURSE, 1) is FLAT
    assert FLAT.is_flat
    assert FLAT.height_at(3.0, 4.0) == 0.0
    assert not FLAT.height(*grid(5.0)).any()


def test_height_of_a_single_wave():
    terrain = Terrain(np.array([(0.5, 0.0, math.pi / 2, 2.0)]))
    assert terrain.height_at(math.pi, 9.0) == pytest.approx(2.0 * (0.0 - 1.0) + 0.0)
    assert not terrain.is_flat


def test_terrain_is_reproducible_and_has_its_own_stream():
    hilly = Scenario(terrain=TerrainSettings(slope_deg=12.0))
    first, again, other = (generate_forest(hilly, seed) for seed in (3, 3, 4))
    flat = generate_forest(Scenario(), 3)
    assert np.array_equal(first.terrain.waves, again.terrain.waves)
    assert not np.array_equal(first.terrain.waves, other.terrain.waves)
    assert np.array_equal(first.trunks, flat.trunks)
    assert first.palette == flat.palette


def test_difficulty_above_one_adds_slopes():
    forests = [
        generate_forest(Scenario(trail=TrailSettings(difficulty=d)), 1) for d in (1.0, 3.0, 5.0)
    ]
    heights = [np.ptp(f.terrain.height(*f.trail.samples.T)) for f in forests]
    assert heights[0] == 0.0
    assert 0.0 < heights[1]
    assert forests[0].terrain.is_flat
    assert not forests[2].terrain.is_flat
