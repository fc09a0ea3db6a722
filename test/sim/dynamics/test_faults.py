"""Faults: effect of each fault, unchanged flights without faults, independent streams."""

import math

import numpy as np
import pybullet
import pytest

from liquid_control.config import FaultSettings
from liquid_control.types import HOVER, Command
from liquid_control_sim.dynamics.faults import NO_FAULTS, Battery, Faults, draw_faults
from liquid_control_sim.dynamics.quadrotor import Quadrotor
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.schedule import PHYSICS_HZ

pytestmark = pytest.mark.sim

OUTDOOR = load_vehicle("outdoor")
STILL = np.zeros(3)


def drawn(seed=3, flight_s=60.0, **settings):
    return draw_faults(FaultSettings(**settings), seed, OUTDOOR, flight_s)


@pytest.fixture
def fly():
    """Fly one command; return the vehicle and its states, one per physics step."""
    client = pybullet.connect(pybullet.DIRECT)

    def run(faults, seconds=6.0, command=HOVER):
        vehicle = Quadrotor(client, OUTDOOR, np.array([0.0, 0.0, 1.5]), 0.4, faults)
        states = []
        for _ in range(round(seconds * PHYSICS_HZ)):
            vehicle.step(command, STILL)
            states.append(vehicle.state)
        return vehicle, states

    yield run
    pybullet.disconnect(client)


def test_default_settings_have_no_faults_for_any_seed():
    assert all(drawn(seed) == NO_FAULTS for seed in range(10))


def test_a_battery_without_sag_changes_nothing_bit_for_bit(fly):
    ahead = Command(2.0, 0.3, 0.1, 0.4)
    _, sound = fly(NO_FAULTS, 3.0, ahead)
    _, none = fly(Faults(battery=Battery(0.0, 60.0, 810.0)), 3.0, ahead)
    for a, b in zip(sound, none, strict=True):
        assert a.position.tobytes() == b.position.tobytes()
        assert a.quaternion.tobytes() == b.quaternion.tobytes()


def test_a_weak_rotor_turns_faster_for_the_same_thrust(fly):
    vehicle, states = fly(drawn(rotor_efficiency=0.85, rotor=3), 12.0)
    assert abs(states[-1].velocity).max() < 0.02
    speeds = np.array(vehicle.rotor_speeds)
    share = speeds[2] ** 2 * 0.85 / (speeds[[0, 1, 3]] ** 2).mean()
    assert share == pytest.approx(1.0, abs=0.01)
    _, at_once = fly(drawn(rotor_efficiency=0.85, rotor=3), 0.3)
    # The front left side sinks first: negative roll rate, positive pitch rate.
    assert np.array([s.angular_velocity for s in at_once])[:20, 0].mean() < 0.0
    assert np.array([s.angular_velocity for s in at_once])[:20, 1].mean() > 0.0


def test_a_rotor_that_comes_and_goes_is_whole_in_the_first_half_of_each_period(fly):
    settings = {"rotor_efficiency": 0.85, "rotor": 3}
    _, whole = fly(NO_FAULTS, 2.0)
    _, always = fly(drawn(**settings), 1.0)
    _, states = fly(drawn(**settings, rotor_period_s=2.0), 2.0)
    half = PHYSICS_HZ
    for one, other in zip(states[:half], whole[:half], strict=True):
        assert one.quaternion.tobytes() == other.quaternion.tobytes()
    rates = [abs(s.angular_velocity[0]) for s in states[half : half + 20]]
    assert rates[-1] == pytest.approx(abs(always[19].angular_velocity[0]), rel=0.05)
    assert [drawn(rotor_period_s=2.0).is_weak(t) for t in (0.0, 0.99, 1.0, 1.9, 2.0)] == [
        *(False, False, True, True, False)
    ]
    assert drawn().is_weak(0.0)


def test_the_weak_rotor_is_drawn_from_all_four():
    weak = [drawn(seed, rotor_efficiency=0.8).efficiency for seed in range(60)]
    # One of four is missed with probability 4 * 0.75^60 = 1e-7.
    assert {four.index(0.8) for four in weak} == {0, 1, 2, 3}
    assert all(sorted(four) == [0.8, 1.0, 1.0, 1.0] for four in weak)


def test_streams_are_independent():
    both = drawn(7, rotor_efficiency=0.8, velocity_bias_mps=0.5)
    assert both.efficiency == drawn(7, rotor_efficiency=0.8).efficiency
    assert both.velocity_bias == drawn(7, velocity_bias_mps=0.5).velocity_bias
    double = drawn(7, velocity_bias_mps=1.0).velocity_bias
    assert double == pytest.approx([2.0 * part for part in both.velocity_bias], rel=1e-12)
    assert drawn(8, velocity_bias_mps=0.5).velocity_bias != both.velocity_bias


def test_rotor_speed_in_hover_compensates_a_payload(fly):
    vehicle, states = fly(drawn(mass_scale=1.15))
    heights = np.array([state.position[2] for state in states])
    assert heights == pytest.approx(np.full(len(heights), 1.5), abs=1e-6)
    hover = OUTDOOR.hover_speed_radps * math.sqrt(1.15)
    assert vehicle.rotor_speeds == pytest.approx((hover,) * 4, rel=1e-6)
    assert vehicle.vehicle.inertia_kgm2 == pytest.approx([1.15 * j for j in OUTDOOR.inertia_kgm2])
    assert vehicle.specific_force == pytest.approx([0.0, 0.0, 9.81], abs=1e-6)


def test_a_velocity_bias_causes_a_drift_in_the_opposite_direction(fly):
    faults = drawn(velocity_bias_mps=0.5)
    _, states = fly(faults, 8.0)
    bias = np.array(faults.velocity_bias)
    assert np.linalg.norm(bias) == pytest.approx(0.5, rel=1e-12)
    assert bias[2] == 0.0
    assert states[-1].velocity == pytest.approx(-bias, abs=0.01)


@pytest.mark.parametrize(("elapsed", "speed", "gone"), [(60.0, 810.0, 0.2), (60.0, 0.0, 0.1)])
def test_battery_sag_is_half_by_discharge_and_half_by_load(elapsed, speed, gone):
    battery = Battery(0.2, 60.0, 810.0)
    assert battery.speed_fraction(elapsed, (speed,) * 4) ** 2 == pytest.approx(
        1.0 - gone, rel=1e-12
    )
    assert battery.speed_fraction(0.0, (0.0,) * 4) == 1.0
    assert battery.speed_fraction(900.0, (0.0,) * 4) == battery.speed_fraction(60.0, (0.0,) * 4)


def test_battery_sag_reduces_full_thrust_and_is_compensated_in_hover(fly):
    faults = drawn(battery_sag=0.4, flight_s=6.0)
    vehicle, states = fly(faults, 6.0)
    assert abs(states[-1].velocity).max() < 0.1
    for _ in range(PHYSICS_HZ):
        vehicle.drive((810.0,) * 4, STILL)
    speed = vehicle.rotor_speeds[0]
    load = (speed / 810.0) ** 3
    assert (speed / 810.0) ** 2 == pytest.approx(1.0 - 0.2 * (1.0 + load), rel=1e-6)
