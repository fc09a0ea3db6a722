"""Autopilot in closed loop (step responses, wind, altitude hold, limits) and its mixer."""

import math

import numpy as np
import pybullet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquid_control.config import WindSettings
from liquid_control.frames import heading_from_world, heading_of
from liquid_control.types import HOVER, Command
from liquid_control_sim.air.wind import WindField
from liquid_control_sim.dynamics.attitude_loop import RateState, attitude_model, attitude_step
from liquid_control_sim.dynamics.autopilot import (
    Autopilot,
    mixed_speeds,
    mixed_thrusts,
    mixer_model,
    unpacked,
)
from liquid_control_sim.dynamics.quadrotor import Quadrotor
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.dynamics.velocity_loop import Estimate
from liquid_control_sim.schedule import PHYSICS_HZ

pytestmark = pytest.mark.sim

STILL = np.zeros(3)


@pytest.fixture
def fly():
    """Fly commands by time; return times and states, one per physics step."""
    client = pybullet.connect(pybullet.DIRECT)

    def run(command, seconds, name="outdoor", wind=STILL, heading=0.0):
        vehicle = Quadrotor(client, load_vehicle(name), np.array([0.0, 0.0, 1.5]), heading)
        states = []
        for tick in range(round(seconds * PHYSICS_HZ)):
            air = wind(tick, vehicle.position) if callable(wind) else wind
            at = command(tick / PHYSICS_HZ) if callable(command) else command
            vehicle.step(at, air)
            states.append(vehicle.state)
        return np.arange(1, len(states) + 1) / PHYSICS_HZ, states

    yield run
    pybullet.disconnect(client)


def velocities(states):
    """Return velocities in the heading frame, [T, 3]."""
    return np.array([heading_from_world(s.velocity, heading_of(s.quaternion)) for s in states])


def altitudes(states):
    return np.array([state.position[2] for state in states])


def tilts_deg(states):
    q = np.array([state.quaternion for state in states])
    return np.degrees(np.arccos(1.0 - 2.0 * (q[:, 0] ** 2 + q[:, 1] ** 2)))


STEPS = [
    ("outdoor", Command(forward_mps=2.0), 0),
    ("outdoor", Command(left_mps=2.0), 1),
    ("outdoor", Command(up_mps=0.8), 2),
    ("cf2x", Command(forward_mps=0.5), 0),
    ("cf2x", Command(left_mps=-0.5), 1),
    ("cf2x", Command(up_mps=0.5), 2),
]


@pytest.mark.parametrize(("name", "command", "axis"), STEPS)
def test_velocity_step(fly, name, command, axis):
    times, states = fly(command, 5.0, name)
    target = command.values[axis]
    reached = velocities(states)[:, axis] / target
    assert times[np.argmax(reached >= 0.9)] < 1.0
    assert reached.max() < 1.15
    assert abs(reached[-240:] - 1.0).max() * abs(target) < 0.05
    others = np.delete(velocities(states), axis, axis=1)
    assert abs(others).max() < 0.1


@pytest.mark.parametrize("name", ["outdoor", "cf2x"])
@pytest.mark.parametrize("rate", [1.0, -1.5])
def test_yaw_rate_step(fly, name, rate):
    times, states = fly(Command(yaw_rate_radps=rate), 4.0, name)
    reached = np.array([state.angular_velocity[2] for state in states]) / rate
    assert times[np.argmax(reached >= 0.9)] < 0.4
    assert reached.max() < 1.15
    assert reached[-1] == pytest.approx(1.0, abs=0.01)
    turned = np.unwrap([heading_of(state.quaternion) for state in states])
    assert turned[-1] == pytest.approx(4.0 * rate, abs=0.3)


def test_commands_are_relative_to_the_heading(fly):
    _, states = fly(Command(forward_mps=1.0), 3.0, heading=math.pi / 2)
    assert states[-1].velocity == pytest.approx([0.0, 1.0, 0.0], abs=0.02)


def test_speed_is_kept_in_a_turn(fly):
    _, states = fly(Command(forward_mps=2.0, yaw_rate_radps=1.0), 8.0)
    late = velocities(states)[4 * PHYSICS_HZ :]
    assert late[:, 0].mean() == pytest.approx(2.0, abs=0.1)
    assert abs(late[:, 1]).max() < 0.15


def test_speed_and_altitude_in_a_steady_wind_of_6_mps(fly):
    _, states = fly(Command(forward_mps=2.0), 10.0, wind=np.array([-4.0, 4.47, 0.0]))
    error = velocities(states)[2 * PHYSICS_HZ :] - [2.0, 0.0, 0.0]
    assert abs(error.mean(axis=0)).max() < 0.1
    assert np.linalg.norm(error, axis=1).mean() < 0.3
    assert abs(altitudes(states) - 1.5).max() < 0.25


@pytest.mark.parametrize("seed", [0, 1])
def test_altitude_and_speed_in_gusts(fly, seed):
    field = WindField(WindSettings(mean_mps=4.0, gust_mps=6.0), seed, 1.5)
    _, states = fly(Command(forward_mps=2.0, up_mps=0.09), 20.0, wind=field.wind)
    error = velocities(states)[2 * PHYSICS_HZ :] - [2.0, 0.0, 0.0]
    assert np.sqrt((error**2).mean(axis=0)).max() < 0.15
    assert abs(altitudes(states) - 1.5).max() < 0.25


@pytest.mark.parametrize("name", ["outdoor", "cf2x"])
def test_altitude_is_held_where_the_climb_ends(fly, name):
    _, states = fly(lambda t: Command(up_mps=0.8 if t < 2.0 else 0.0), 8.0, name)
    height = altitudes(states)
    at_release = height[2 * PHYSICS_HZ]
    assert at_release < height[-1] < at_release + 0.4
    assert height.max() < height[-1] + 0.05
    assert np.ptp(height[-2 * PHYSICS_HZ :]) < 0.01


def test_vertical_speed_is_tracked_outside_the_deadband(fly):
    _, states = fly(Command(up_mps=0.11), 5.0)
    assert states[-1].velocity[2] == pytest.approx(0.11, abs=0.01)


def test_limits_hold_for_any_command(fly):
    limits = load_vehicle("outdoor").limits
    _, states = fly(Command(80.0, 60.0, -50.0, 40.0), 6.0)
    speeds = velocities(states)
    assert np.hypot(speeds[:, 0], speeds[:, 1]).max() < limits.horizontal_mps + 0.5
    assert speeds[:, 2].min() > -limits.down_mps - 0.3
    assert tilts_deg(states).max() < limits.tilt_deg + 5.0
    assert max(s.angular_velocity[2] for s in states) < limits.yaw_rate_radps + 0.3


def test_integrators_do_not_wind_up_in_a_storm(fly):
    def wind(tick, _):
        return np.array([30.0 if tick < 4 * PHYSICS_HZ else 0.0, 0.0, 0.0])

    times, states = fly(HOVER, 12.0, wind=wind)
    assert states[4 * PHYSICS_HZ].velocity[0] > 5.0
    late = velocities(states)[times > 10.0]
    assert abs(late).max() < 0.3


def test_lead_of_the_heading_setpoint_is_limited():
    vehicle = load_vehicle("outdoor")
    autopilot = Autopilot(vehicle, 1.0 / PHYSICS_HZ)
    stuck = Estimate((0.0, 0.0, 1.5), (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    state = autopilot.start(stuck)
    for _ in range(2 * PHYSICS_HZ):
        _, state = autopilot.step(Command(yaw_rate_radps=2.0), stuck, state)
    assert unpacked(state).heading == pytest.approx(vehicle.limits.yaw_lead_rad)


@pytest.mark.parametrize(
    ("quaternion", "axis", "sign"),
    [
        ((math.sin(0.1), 0.0, 0.0, math.cos(0.1)), 0, -1),
        ((0.0, math.sin(0.1), 0.0, math.cos(0.1)), 1, -1),
        ((0.0, 0.0, math.sin(0.1), math.cos(0.1)), 2, -1),
        ((0.0, 0.0, -math.sin(0.1), -math.cos(0.1)), 2, -1),
        ((math.sin(1.5), 0.0, 0.0, math.cos(1.5)), 0, -1),
    ],
)
def test_torque_counteracts_an_attitude_error(quaternion, axis, sign):
    model = attitude_model(load_vehicle("outdoor"), 1.0 / PHYSICS_HZ)
    tilted = Estimate((0.0, 0.0, 1.5), quaternion, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    _, torque, _ = attitude_step(model, (0.0, 0.0, 14.7), 0.0, (0.0, 0.0), tilted, RateState())
    assert sign * torque[axis] > 0.0
    assert [t for i, t in enumerate(torque) if i != axis] == pytest.approx([0.0, 0.0], abs=1e-12)


def test_small_attitude_errors_are_reduced_with_tilt_p_and_yaw_p():
    vehicle = load_vehicle("outdoor")
    model, gains = attitude_model(vehicle, 1.0 / PHYSICS_HZ), vehicle.gains
    half = 0.5e-4
    tilted = Estimate((0.0,) * 3, (half, 0.0, half, 1.0), (0.0,) * 3, (0.0,) * 3)
    _, torque, _ = attitude_step(model, (0.0, 0.0, 14.7), 0.0, (0.0, 0.0), tilted, RateState())
    roll = vehicle.inertia_kgm2[0] * gains.tilt_rate.p * gains.attitude.tilt_p * 1e-4
    yaw = vehicle.inertia_kgm2[2] * gains.yaw_rate.p * gains.attitude.yaw_p * 1e-4
    assert torque == pytest.approx((-roll, 0.0, -yaw), rel=1e-3, abs=1e-7)


OUTDOOR = load_vehicle("outdoor")
MIXER = mixer_model(OUTDOOR)
TOP = OUTDOOR.rotors.max_thrust_n


def wrench(four):
    """Return thrust and torque of four rotor thrusts from positions and spin directions."""
    ratio = OUTDOOR.rotors.torque_coefficient / OUTDOOR.rotors.thrust_coefficient
    across = OUTDOOR.arm_m / math.sqrt(2)
    places = ((across, -across), (-across, across), (across, across), (-across, -across))
    return (
        sum(four),
        sum(place[1] * thrust for place, thrust in zip(places, four, strict=True)),
        -sum(place[0] * thrust for place, thrust in zip(places, four, strict=True)),
        ratio * sum(turn * thrust for turn, thrust in zip((-1, -1, 1, 1), four, strict=True)),
    )


def test_hover_speeds_balance_the_weight():
    speeds = mixed_speeds(MIXER, OUTDOOR.weight_n, (0.0, 0.0, 0.0))
    assert speeds == pytest.approx((OUTDOOR.hover_speed_radps,) * 4, rel=1e-12)


def test_mixer_inverts_the_geometry():
    requested = (14.0, 0.5, -0.3, 0.1)
    assert wrench(mixed_thrusts(MIXER, requested[0], requested[1:])) == pytest.approx(
        requested, rel=1e-12
    )


def test_mixer_reduces_yaw_first():
    thrust, roll, pitch, yaw = wrench(mixed_thrusts(MIXER, 24.0, (1.0, 0.5, 5.0)))
    assert (thrust, roll, pitch) == pytest.approx((24.0, 1.0, 0.5), rel=1e-12)
    assert 0.0 <= yaw < 0.2


def test_mixer_reduces_thrust_next():
    full = 4 * TOP
    thrust, roll, pitch, yaw = wrench(mixed_thrusts(MIXER, full, (1.0, 0.5, -0.1)))
    span = 1.5 / (4 * OUTDOOR.arm_m / math.sqrt(2))
    assert (roll, pitch) == pytest.approx((1.0, 0.5), rel=1e-12)
    assert thrust == pytest.approx(full - 4 * span, rel=1e-12)
    assert yaw == pytest.approx(0.0, abs=1e-12)


def test_saturated_tilt_torque_keeps_its_direction():
    four = mixed_thrusts(MIXER, 14.0, (40.0, 20.0, 0.0))
    _, roll, pitch, _ = wrench(four)
    assert roll / pitch == pytest.approx(2.0, rel=1e-9)
    assert (min(four), max(four)) == pytest.approx((0.0, TOP), abs=1e-12)


@given(st.floats(-10, 60), st.floats(-6, 6), st.floats(-6, 6), st.floats(-3, 3))
def test_mixer_stays_within_the_range_of_a_rotor(thrust, roll, pitch, yaw):
    four = mixed_thrusts(MIXER, thrust, (roll, pitch, yaw))
    assert all(0.0 <= value <= TOP for value in four)
    _, got_roll, got_pitch, got_yaw = wrench(four)
    if abs(roll) + abs(pitch) <= 2 * TOP * OUTDOOR.arm_m / math.sqrt(2):
        assert (got_roll, got_pitch) == pytest.approx((roll, pitch), abs=1e-9)
    assert got_yaw * yaw >= -1e-9
    assert abs(got_yaw) <= abs(yaw) + 1e-9
