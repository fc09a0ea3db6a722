"""Rotors and drag against closed forms."""

import math

import pytest

from liquid_control_sim.dynamics.airframe import (
    AIR_DENSITY,
    drag_force,
    drag_model,
    rotor_model,
    spin,
    thrusts,
    yaw_torque,
)
from liquid_control_sim.dynamics.vehicle import load_vehicle

pytestmark = pytest.mark.sim

DT = 1 / 240
OUTDOOR = load_vehicle("outdoor")
ROTORS, DRAG = rotor_model(OUTDOOR, DT), drag_model(OUTDOOR)


@pytest.mark.parametrize(("start", "target", "tau"), [(300, 700, 0.035), (700, 300, 0.055)])
def test_motor_lag_is_exponential(start, target, tau):
    speeds = (float(start),) * 4
    for n in range(1, 49):
        speeds = spin(ROTORS, speeds, (float(target),) * 4)
        expected = target + (start - target) * math.exp(-n * DT / tau)
        assert speeds == pytest.approx((expected,) * 4, rel=1e-12)


def test_without_time_constant_there_is_no_lag():
    speeds = spin(rotor_model(load_vehicle("cf2x"), DT), (0.0,) * 4, (1.0, 20.0, 300.0, 2000.0))
    assert speeds == (1.0, 20.0, 300.0, 2000.0)


def test_rotor_speeds_saturate():
    speeds = (0.0, 400.0, 800.0, 810.0)
    for _ in range(480):
        speeds = spin(ROTORS, speeds, (9e9, 9e9, -9e9, 810.0))
    assert speeds == pytest.approx((810.0, 810.0, 0.0, 810.0), abs=1e-9)
    assert max(speeds) <= 810.0


def test_thrust_and_yaw_torque_are_quadratic():
    speeds = (100.0, 200.0, 300.0, 400.0)
    assert thrusts(ROTORS, speeds) == pytest.approx([1.29e-5 * w * w for w in speeds])
    assert yaw_torque(ROTORS, speeds) == pytest.approx(2.19e-7 * (9e4 + 16e4 - 1e4 - 4e4))


def test_drag_is_linear_by_rotors_and_quadratic_by_body():
    force = drag_force(DRAG, (3.0, 0.0, -4.0), 2000.0)
    body = 0.5 * AIR_DENSITY * 5.0
    assert force == pytest.approx(
        (-3.0 * (1.4e-4 * 2000 + body * 0.02), 0.0, 4.0 * (1.6e-4 * 2000 + body * 0.04)), rel=1e-12
    )


def test_drag_is_zero_without_airspeed():
    assert drag_force(DRAG, (0.0, 0.0, 0.0), 2000.0) == (0.0, 0.0, 0.0)
