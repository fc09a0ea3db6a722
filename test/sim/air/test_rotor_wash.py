"""Ground effect in closed form, and eddies of the stated size."""

import math

import numpy as np
import pytest

from liquid_control.config import load_scenario
from liquid_control.config.scenario import WindSettings
from liquid_control_sim.air.air import INTENSITY, Air, RotorWash
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.place.forest import generate_forest

pytestmark = pytest.mark.sim

OUTDOOR = load_vehicle("outdoor")
RADIUS = 0.127


@pytest.mark.parametrize("height", [RADIUS, 0.2, 0.5, 1.5])
def test_thrust_gain_is_that_of_cheeseman_and_bennett(height):
    gain = RotorWash(1.0, OUTDOOR, 0).thrust_gain(height)
    assert gain == pytest.approx(1.0 / (1.0 - (RADIUS / (4.0 * height)) ** 2), rel=1e-12)
    assert RotorWash(3.0, OUTDOOR, 0).thrust_gain(height) - 1.0 == pytest.approx(
        3.0 * (gain - 1.0)
    )


def test_the_formula_ends_a_radius_above_the_ground():
    wash = RotorWash(1.0, OUTDOOR, 0)
    assert wash.thrust_gain(0.0) == wash.thrust_gain(-1.0) == pytest.approx(16.0 / 15.0, rel=1e-12)


def test_induced_velocity_and_reach_follow_from_the_rotors():
    wash = RotorWash(1.0, OUTDOOR, 0)
    area = 4.0 * math.pi * RADIUS**2
    assert 2.0 * 1.225 * area * wash.induced_mps**2 == pytest.approx(1.5 * 9.81, rel=1e-12)
    assert math.pi * wash.radius_m**2 == pytest.approx(area, rel=1e-12)


@pytest.mark.parametrize("height", [0.1, 0.5, 2.0])
def test_eddies_have_their_size(height):
    """200 s hold 4,000 correlation times: the deviation deviates by 1.6 %; 10 % is 6 of those."""
    wash = RotorWash(1.0, OUTDOOR, 4)
    series = np.array([wash.eddies(tick, height) for tick in range(200 * 240)])
    near = min(1.0, (2.0 * RADIUS / height) ** 2)
    assert series.std(axis=0) == pytest.approx([INTENSITY * wash.induced_mps * near] * 3, rel=0.1)


def test_air_counts_height_from_the_ground_and_leaves_the_wind_as_it_was():
    forest = generate_forest(load_scenario("trail"), 3)
    breeze = WindSettings(mean_mps=4.0)
    still, washed = (
        Air(breeze.model_copy(update={"rotor_wash": scale}), 3, 1.5, forest, OUTDOOR)
        for scale in (0.0, 1.0)
    )
    at = np.array([1.0, 0.2, 0.4])
    height = 0.4 - forest.terrain.height_at(1.0, 0.2)
    assert still.thrust_gain(at) == 1.0
    wash = RotorWash(1.0, OUTDOOR, 3)
    assert washed.thrust_gain(at) == wash.thrust_gain(height)
    difference = washed.wind(77, at) - still.wind(77, at)
    assert difference == pytest.approx(wash.eddies(77, height), abs=1e-12)
    assert np.abs(difference).max() > 0.05
