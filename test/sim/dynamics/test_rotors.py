"""Rotors, mixer and drag against closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquid_control_sim.dynamics.airframe import AIR_DENSITY, drag_force, drag_model
from liquid_control_sim.dynamics.mixer import mixed_speeds, mixed_thrusts, mixer_model
from liquid_control_sim.dynamics.rotors import rotor_model, spin, thrusts, yaw_torque
from liquid_control_sim.dynamics.vehicle import load_vehicle

pytestmark = pytest.mark.sim

DT = 1 / 240
OUTDOOR = load_vehicle("outdoor")
ROTORS, MIXER, DRAG = rotor_model(OUTDOOR, DT), mixer_model(OUTDOOR), drag_model(OUTDOOR)
TOP = OUTDOOR.rotors.max_thrust_n


def wrench(four):
    """Thrust and torque of four rotor thrusts from positions and spin directions."""
    ratio = OUTDOOR.rotors.torque_coefficient / OUTDOOR.rotors.thrust_coefficient
    across = OUTDOOR.arm_m / math.sqrt(2)
    places = ((across, -across), (-across, across), (across, across), (-across, -across))
    return (
        sum(four),
        sum(place[1] * thrust for place, thrust in zip(places, four, strict=True)),
        -sum(place[0] * thrust for place, thrust in zip(places, four, strict=True)),
        ratio * sum(turn * thrust for turn, thrust in zip((-1, -1, 1, 1), four, strict=True)),
    )


@pytest.mark.parametrize(("start", "target", "tau"), [(300, 700, 0.035), (700, 300, 0.055)])
def test_lag_is_the_exponential(start, target, tau):
    speeds = (float(start),) * 4
    for n in range(1, 49):
        speeds = spin(ROTORS, speeds, (float(target),) * 4)
        expected = target + (start - target) * math.exp(-n * DT / tau)
        assert speeds == pytest.approx((expected,) * 4, rel=1e-12)


def test_no_time_constant_means_no_lag():
    speeds = spin(rotor_model(load_vehicle("cf2x"), DT), (0.0,) * 4, (1.0, 20.0, 300.0, 2000.0))
    assert speeds == (1.0, 20.0, 300.0, 2000.0)


def test_speeds_saturate():
    speeds = (0.0, 400.0, 800.0, 810.0)
    for _ in range(480):
        speeds = spin(ROTORS, speeds, (9e9, 9e9, -9e9, 810.0))
    assert speeds == pytest.approx((810.0, 810.0, 0.0, 810.0), abs=1e-9)
    assert max(speeds) <= 810.0


def test_thrust_and_yaw_torque_are_quadratic():
    speeds = (100.0, 200.0, 300.0, 400.0)
    assert thrusts(ROTORS, speeds) == pytest.approx([1.29e-5 * w * w for w in speeds])
    assert yaw_torque(ROTORS, speeds) == pytest.approx(2.19e-7 * (9e4 + 16e4 - 1e4 - 4e4))


def test_hover_speeds_balance_the_weight():
    speeds = mixed_speeds(MIXER, OUTDOOR.weight_n, (0.0, 0.0, 0.0))
    assert speeds == pytest.approx((OUTDOOR.hover_speed_radps,) * 4, rel=1e-12)


def test_mixer_inverts_the_geometry():
    asked = (14.0, 0.5, -0.3, 0.1)
    assert wrench(mixed_thrusts(MIXER, asked[0], asked[1:])) == pytest.approx(asked, rel=1e-12)


def test_yaw_gives_way_first():
    thrust, roll, pitch, yaw = wrench(mixed_thrusts(MIXER, 24.0, (1.0, 0.5, 5.0)))
    assert (thrust, roll, pitch) == pytest.approx((24.0, 1.0, 0.5), rel=1e-12)
    assert 0.0 <= yaw < 0.2


def test_thrust_gives_way_next():
    full = 4 * TOP
    thrust, roll, pitch, yaw = wrench(mixed_thrusts(MIXER, full, (1.0, 0.5, -0.1)))
    span = 1.5 / (4 * OUTDOOR.arm_m / math.sqrt(2))
    assert (roll, pitch) == pytest.approx((1.0, 0.5), rel=1e-12)
    assert thrust == pytest.approx(full - 4 * span, rel=1e-12)
    assert yaw == pytest.approx(0.0, abs=1e-12)


def test_tilt_beyond_the_rotors_keeps_its_direction():
    four = mixed_thrusts(MIXER, 14.0, (40.0, 20.0, 0.0))
    _, roll, pitch, _ = wrench(four)
    assert roll / pitch == pytest.approx(2.0, rel=1e-9)
    assert (min(four), max(four)) == pytest.approx((0.0, TOP), abs=1e-12)


@given(st.floats(-10, 60), st.floats(-6, 6), st.floats(-6, 6), st.floats(-3, 3))
def test_mixer_never_leaves_the_range_of_a_rotor(thrust, roll, pitch, yaw):
    four = mixed_thrusts(MIXER, thrust, (roll, pitch, yaw))
    assert all(0.0 <= value <= TOP for value in four)
    _, got_roll, got_pitch, got_yaw = wrench(four)
    if abs(roll) + abs(pitch) <= 2 * TOP * OUTDOOR.arm_m / math.sqrt(2):
        assert (got_roll, got_pitch) == pytest.approx((roll, pitch), abs=1e-9)
    assert got_yaw * yaw >= -1e-9
    assert abs(got_yaw) <= abs(yaw) + 1e-9


def test_drag_is_linear_by_rotors_and_quadratic_by_body():
    force = drag_force(DRAG, (3.0, 0.0, -4.0), 2000.0)
    body = 0.5 * AIR_DENSITY * 5.0
    assert force == pytest.approx(
        (-3.0 * (1.4e-4 * 2000 + body * 0.02), 0.0, 4.0 * (1.6e-4 * 2000 + body * 0.04)), rel=1e-12
    )


def test_no_airspeed_no_drag():
    assert drag_force(DRAG, (0.0, 0.0, 0.0), 2000.0) == (0.0, 0.0, 0.0)
