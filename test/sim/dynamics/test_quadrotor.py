"""Rigid body in PyBullet against closed forms and against gym-pybullet-drones."""

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pybullet
import pytest

from liquid_control.frames import heading_of, rotation_from_quaternion
from liquid_control.types import HOVER, Command
from liquid_control_sim.dynamics.airframe import AIR_DENSITY
from liquid_control_sim.dynamics.quadrotor import Quadrotor
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.schedule import PHYSICS_HZ

pytestmark = pytest.mark.sim

DT = 1.0 / PHYSICS_HZ
STILL = np.zeros(3)
STOPPED = (0.0, 0.0, 0.0, 0.0)


@pytest.fixture
def client():
    number = pybullet.connect(pybullet.DIRECT)
    yield number
    pybullet.disconnect(number)


def quadrotor(client, name="outdoor", heading_rad=0.0):
    return Quadrotor(client, load_vehicle(name), np.array([1.0, 2.0, 1.5]), heading_rad)


def dragless(name):
    vehicle = load_vehicle(name)
    none = dict.fromkeys(type(vehicle.drag).model_fields, 0.0)
    return vehicle.model_copy(update={"drag": vehicle.drag.model_copy(update=none)})


@pytest.mark.parametrize("name", ["outdoor", "cf2x"])
def test_hover_is_an_exact_balance(client, name):
    vehicle = quadrotor(client, name, heading_rad=0.7)
    for _ in range(PHYSICS_HZ):
        vehicle.step(HOVER, STILL)
    assert vehicle.state.position == pytest.approx([1.0, 2.0, 1.5], abs=1e-9)
    assert vehicle.state.velocity == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert heading_of(vehicle.state.quaternion) == pytest.approx(0.7, abs=1e-9)
    assert vehicle.rotor_speeds == pytest.approx(
        (vehicle.vehicle.hover_speed_radps,) * 4, rel=1e-9
    )
    gravity = vehicle.vehicle.engine.gravity_mps2
    assert vehicle.specific_force == pytest.approx([0.0, 0.0, gravity], abs=1e-9)


def spun_down(client, vehicle):
    """Return a vehicle at rest with stopped rotors."""
    made = Quadrotor(client, vehicle, np.array([1.0, 2.0, 1.5]))
    for _ in range(5 * PHYSICS_HZ):
        made.drive(STOPPED, STILL)
    pybullet.resetBaseVelocity(made.body, [0, 0, 0], [0, 0, 0], physicsClientId=client)
    pybullet.resetBasePositionAndOrientation(
        made.body, [1.0, 2.0, 1.5], [0, 0, 0, 1], physicsClientId=client
    )
    return made


def test_free_fall_is_semi_implicit_euler(client):
    vehicle = spun_down(client, dragless("outdoor"))
    for n in range(1, PHYSICS_HZ + 1):
        vehicle.drive(STOPPED, STILL)
        assert vehicle.state.velocity[2] == pytest.approx(-9.81 * n * DT, rel=1e-9)
        fallen = 9.81 * DT**2 * n * (n + 1) / 2
        assert vehicle.state.position[2] == pytest.approx(1.5 - fallen, rel=1e-9)
    assert vehicle.specific_force == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)


def test_damping_matches_pybullet(client):
    """v' = g - k (1 + |v|) v: damping of cf2x in addition to drag, step by step."""
    vehicle, speed = Quadrotor(client, dragless("cf2x"), np.array([0.0, 0.0, 9.0])), 0.0
    for _ in range(PHYSICS_HZ):
        felt = 0.04 * (1.0 + speed) * speed
        vehicle.drive(STOPPED, STILL)
        speed += DT * (9.8 - felt)
        assert -vehicle.state.velocity[2] == pytest.approx(speed, rel=1e-9)
        assert vehicle.specific_force == pytest.approx([0.0, 0.0, felt], abs=1e-9)


@pytest.mark.parametrize("wind", [[3.0, 0.0, 0.0], [0.0, -4.0, 0.0], [2.0, 2.0, 0.0]])
def test_steady_wind_tilts_the_hover_by_the_analytic_angle(client, wind):
    """In hover, thrust T along z of the body and drag balance the weight.

    With tilt a into a wind of speed v, airspeed (v cos a, v sin a) in the body, thrust and the sum
    of rotor speeds tied by T = kf w^2 a rotor: m g sin a = D_x and T = m g cos a - D_z.
    """
    vehicle = quadrotor(client)
    for _ in range(20 * PHYSICS_HZ):
        vehicle.step(HOVER, np.array(wind))
    drag, rotors = vehicle.vehicle.drag, vehicle.vehicle.rotors
    speed, weight = math.hypot(*wind), vehicle.vehicle.weight_n
    pressure = 0.5 * AIR_DENSITY * speed
    tilt, thrust = 0.0, weight
    for _ in range(100):
        turning = 4.0 * math.sqrt(thrust / (4.0 * rotors.thrust_coefficient))
        across = (drag.rotor_xy * turning + pressure * drag.area_xy_m2) * speed * math.cos(tilt)
        along = (drag.rotor_z * turning + pressure * drag.area_z_m2) * speed * math.sin(tilt)
        tilt, thrust = math.asin(across / weight), weight * math.cos(tilt) + along
    assert np.abs(vehicle.state.velocity).max() < 1e-4
    up = rotation_from_quaternion(vehicle.state.quaternion)[:, 2]
    assert math.acos(up[2]) == pytest.approx(tilt, rel=1e-3)
    assert -up[:2] / np.linalg.norm(up[:2]) == pytest.approx(np.array(wind[:2]) / speed, abs=1e-3)
    assert vehicle.rotor_speeds == pytest.approx((turning / 4.0,) * 4, rel=1e-4)


def test_terminal_velocity_in_steady_wind(client):
    vehicle, wind = quadrotor(client), np.array([3.0, -2.0, 1.0])
    for _ in range(60 * PHYSICS_HZ):
        vehicle.drive(STOPPED, wind)
    weight = vehicle.vehicle.weight_n
    speed = math.sqrt(2.0 * weight / (AIR_DENSITY * vehicle.vehicle.drag.area_z_m2))
    assert vehicle.state.velocity == pytest.approx([3.0, -2.0, 1.0 - speed], abs=1e-3)


def test_unbalanced_thrust_rotates_according_to_the_inertia(client):
    vehicle = quadrotor(client, "cf2x", heading_rad=1.0)
    speeds = (1400.0, 1500.0, 1600.0, 1550.0)
    vehicle.drive(speeds, STILL)
    kf, km = 2.88157446e-8, 7.24041178e-10
    arm = 0.028
    front_right, rear_left, front_left, rear_right = (w * w for w in speeds)
    roll = kf * arm * (rear_left + front_left - front_right - rear_right)
    pitch = kf * arm * (rear_left + rear_right - front_right - front_left)
    yaw = km * (front_left + rear_right - front_right - rear_left)
    expected = DT * np.array([roll, pitch, yaw]) / vehicle.vehicle.inertia_kgm2
    # The first step rotates base_link by less than half a degree, hence the tolerance.
    assert vehicle.state.angular_velocity == pytest.approx(expected, rel=0.02)


def test_angular_momentum_is_conserved_without_torque(client):
    vehicle = spun_down(client, dragless("outdoor"))
    pybullet.resetBaseVelocity(vehicle.body, [0, 0, 0], [2.0, 1.0, 6.0], physicsClientId=client)
    momenta = []
    for _ in range(PHYSICS_HZ):
        vehicle.drive(STOPPED, STILL)
        rotation = rotation_from_quaternion(vehicle.state.quaternion)
        turning = vehicle.state.angular_velocity * vehicle.vehicle.inertia_kgm2
        momenta.append(rotation @ turning)
    assert np.ptp(momenta, axis=0).max() < 0.02 * np.linalg.norm(momenta[0])


@pytest.mark.parametrize("name", ["outdoor", "cf2x"])
def test_specific_force_matches_the_acceleration_of_the_body(client, name):
    vehicle, wind = quadrotor(client, name), np.array([4.0, 1.0, -0.5])
    gravity = np.array([0.0, 0.0, -vehicle.vehicle.engine.gravity_mps2])
    for tick in range(PHYSICS_HZ):
        before = vehicle.state
        vehicle.step(Command(2.0, -1.0, 0.5, 1.0), wind)
        if tick % 24:
            continue
        acceleration = (vehicle.state.velocity - before.velocity) / DT
        rotation = rotation_from_quaternion(before.quaternion)
        assert vehicle.specific_force == pytest.approx(
            rotation.T @ (acceleration - gravity), abs=1e-6
        )


def flight_digest():
    number = pybullet.connect(pybullet.DIRECT)
    digest, vehicle = hashlib.sha256(), quadrotor(number)
    for tick in range(2 * PHYSICS_HZ):
        wind = np.array([3.0 * math.sin(0.01 * tick), 1.0, 0.2])
        vehicle.step(Command(2.0, 0.3, 0.2, math.cos(0.02 * tick)), wind)
        state = vehicle.state
        for part in (state.position, state.quaternion, state.velocity, state.angular_velocity):
            digest.update(part.tobytes())
    pybullet.disconnect(number)
    return digest.hexdigest()


@pytest.fixture(scope="module")
def other_digests():
    """Return the digest of the flight in two other processes, by whether it is compiled."""
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; import test_quadrotor; "
        "print(test_quadrotor.flight_digest())"
    )
    processes = {
        compiled: subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=os.path.dirname(__file__),
            env=os.environ | ({} if compiled else {"NUMBA_DISABLE_JIT": "1"}),
            stdout=subprocess.PIPE,
            text=True,
        )
        for compiled in (True, False)
    }
    outputs = {compiled: process.communicate()[0] for compiled, process in processes.items()}
    assert [process.returncode for process in processes.values()] == [0, 0]
    return {compiled: output.split()[-1] for compiled, output in outputs.items()}


def test_a_flight_in_another_process_is_identical_bit_for_bit(other_digests):
    assert other_digests[True] == flight_digest()


def test_compiled_and_interpreted_flights_are_identical_bit_for_bit(other_digests):
    pytest.importorskip("numba", reason="Numba is not installed: nothing is compiled")
    assert other_digests[False] == flight_digest()


CTRL_AVIARY = Path(__file__).parents[2] / "golden" / "cf2x_ctrl_aviary.npz"
AVIARY_ORDER = (0, 2, 3, 1)
"""Front right, rear left, front left, rear right among front right, rear right, and so on."""


def without_drag(vehicle):
    """Return a vehicle without drag, as in Physics.PYB."""
    drag = vehicle.drag.model_copy(update={"rotor_xy": 0.0, "rotor_z": 0.0})
    return vehicle.model_copy(update={"drag": drag})


def cf2x_flight(vehicle, golden, flight):
    """Return positions, quaternions and velocities after every step of one golden flight."""
    client = pybullet.connect(pybullet.DIRECT)
    quadrotor = Quadrotor(client, vehicle, golden["start"])
    states = []
    for rpm in golden["rpm"][flight] * (math.pi / 30.0):
        quadrotor.drive(tuple(rpm[list(AVIARY_ORDER)].tolist()), np.zeros(3))
        states.append(quadrotor.state)
    pybullet.disconnect(client)
    return [
        np.array([getattr(s, name) for s in states])
        for name in ("position", "quaternion", "velocity")
    ]


@pytest.mark.parametrize("flight", range(5))
def test_cf2x_follows_ctrl_aviary_within_a_millimetre(flight):
    """Two seconds: hover, a climb, a spin, and two flights of differential thrust, tilting 22 deg.

    test/golden/make_cf2x.py ran `CtrlAviary` of gym-pybullet-drones 2.1.0 (CF2X, Physics.PYB,
    240 Hz) at these rotor speeds and recorded its observation after every step.
    """
    with np.load(CTRL_AVIARY) as golden:
        position, quaternion, velocity = cf2x_flight(
            without_drag(load_vehicle("cf2x")), golden, flight
        )
        assert len(position) == 2 * PHYSICS_HZ
        off = np.linalg.norm(position - golden["position"][flight], axis=1)
        assert off.max() < 1e-3
        assert off.max() < 1e-6  # a micrometre: rounding of the coefficients
        turned = np.abs((quaternion * golden["quaternion"][flight]).sum(axis=1))
        assert turned == pytest.approx(np.ones(len(turned)), abs=1e-6)
        assert velocity == pytest.approx(golden["velocity"][flight], abs=1e-5)


@pytest.mark.parametrize(
    "engine", ["gravity_mps2", "linear_damping", "angular_damping", "thrust_axis_lags"]
)
def test_each_engine_setting_of_cf2x_is_needed(engine):
    """Without one of the four, a flight of differential thrust deviates by more than 1 mm."""
    vehicle = without_drag(load_vehicle("cf2x"))
    plain = type(vehicle.engine)()
    habits = vehicle.engine.model_copy(update={engine: getattr(plain, engine)})
    with np.load(CTRL_AVIARY) as golden:
        position, _, _ = cf2x_flight(vehicle.model_copy(update={"engine": habits}), golden, 3)
        off = np.linalg.norm(position - golden["position"][3], axis=1)
    assert off.max() > 1e-3
