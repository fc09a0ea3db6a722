"""Planned routes: gaps to obstacles, bends, braking."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.config import Scenario, TrailSettings
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.place.objects import Obstacles
from liquid_control_sim.place.terrain import FLAT
from liquid_control_sim.place.trail import STEP_M, TrailCurve
from liquid_control_sim.tasks.experts import trail_expert
from liquid_control_sim.tasks.route import OpenRoute, plan_route
from liquid_control_sim.tasks.steering import ExpertGains

pytestmark = pytest.mark.sim
GAINS = ExpertGains()
HULL_M = 0.3


def world_of(scenario, seed):
    forest = generate_forest(scenario, seed)
    return SimpleNamespace(
        scenario=scenario,
        trail=forest.trail,
        trunks=forest.trunks,
        obstacles=forest.obstacles,
        ground=forest.terrain,
        targets=(),
    )


def straight(trunks=(), capsules=()):
    obstacles = Obstacles(np.array(trunks).reshape(-1, 3), np.array(capsules).reshape(-1, 7))
    trail = TrailCurve.from_points(np.array([(0.0, 0.0), (30.0, 0.0)]))
    return SimpleNamespace(scenario=Scenario(), trail=trail, obstacles=obstacles, ground=FLAT)


def minimum_gap(world, route):
    height = world.scenario.altitude_m
    places = route.line.samples[:: round(0.2 / STEP_M)]
    return min(
        world.obstacles.clearance(x, y, world.ground.height_at(x, y) + height) - HULL_M
        for x, y in places.tolist()
    )


def test_free_straight_trail_is_flown_on_the_centre_line_at_full_speed():
    route = plan_route(straight(), HULL_M, 4.0, GAINS)
    assert np.abs(route.line.samples[:, 1]).max() == 0.0
    assert route.profile_mps == pytest.approx(4.0)


@pytest.mark.parametrize("y", [0.1, -0.1])
def test_a_trunk_is_passed_on_its_wider_side_at_reduced_speed(y):
    world = straight(trunks=[(15.0, y, 0.15)])
    route = plan_route(world, HULL_M, 4.0, GAINS)
    beside = route.line.samples[np.abs(route.line.samples[:, 0] - 15.0).argmin(), 1]
    assert np.sign(beside) == -np.sign(y)
    assert minimum_gap(world, route) > 0.5
    at_trunk = route.speed(15.0)
    assert at_trunk < 3.0
    assert route.speed(1.0) == pytest.approx(4.0)


def test_branches_are_avoided_at_flight_height_and_ignored_above():
    low = (15.0, -0.2, 1.5, 15.0, 3.0, 1.5, 0.05)
    high = (15.0, -0.2, 4.0, 15.0, 3.0, 4.0, 0.05)
    around = plan_route(straight(capsules=[low]), HULL_M, 4.0, GAINS)
    below = plan_route(straight(capsules=[high]), HULL_M, 4.0, GAINS)
    assert around.line.samples[:, 1].min() < -0.5
    assert np.abs(below.line.samples[:, 1]).max() == 0.0


@given(seed=st.integers(0, 10_000), difficulty=st.sampled_from([2.0, 3.5, 5.0]))
@settings(max_examples=8, deadline=None)
def test_routes_of_hard_trails_respect_the_limits(seed, difficulty):
    scenario = Scenario(trail=TrailSettings(difficulty=difficulty, length_m=40.0))
    world = world_of(scenario, seed)
    route = plan_route(world, HULL_M, scenario.cruise_mps, GAINS)
    change = np.abs(np.diff(route.profile_mps**2)) / (2.0 * STEP_M)
    assert minimum_gap(world, route) > 0.3
    assert route.profile_mps.max() <= scenario.cruise_mps + 1e-12
    assert route.profile_mps.min() > 0.5
    assert change.max() <= GAINS.brake_mps2 + 1e-9


def test_easy_trails_use_the_trail_itself_and_hard_trails_a_planned_route():
    easy = trail_expert(world_of(Scenario(), 1), GAINS, HULL_M)
    assert easy.route == OpenRoute(easy.world.trail, 2.0, 3.0)
    hard = trail_expert(world_of(Scenario(trail=TrailSettings(difficulty=2.0)), 1), GAINS, HULL_M)
    assert not isinstance(hard.route, OpenRoute)


def test_planning_is_deterministic():
    scenario = Scenario(trail=TrailSettings(difficulty=4.0, length_m=30.0))
    first, again = (plan_route(world_of(scenario, 5), HULL_M, 3.0, GAINS) for _ in range(2))
    assert np.array_equal(first.line.samples, again.line.samples)
    assert np.array_equal(first.profile_mps, again.profile_mps)
