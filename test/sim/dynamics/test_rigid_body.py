"""The compiled rigid body, and vehicles on it, against PyBullet, bit for bit."""

import math

import numpy as np
import pybullet
import pytest

from liquid_control.config import FaultSettings, Scenario, WindSettings
from liquid_control.types import Command
from liquid_control_sim.air.wind import WindField
from liquid_control_sim.dynamics.compiled_quadrotor import CompiledQuadrotor, wind_at
from liquid_control_sim.dynamics.faults import Battery, Faults, draw_faults
from liquid_control_sim.dynamics.quadrotor import BASE, Quadrotor, build, read
from liquid_control_sim.dynamics.rigid_body import (
    body_at,
    body_model,
    body_step,
    estimate_of,
    matrix_of,
    quaternion_of,
)
from liquid_control_sim.dynamics.vectors import ZERO
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.schedule import PHYSICS_HZ
from liquid_control_sim.world import SimulatedWorld

pytestmark = pytest.mark.sim

DT = 1.0 / PHYSICS_HZ
START = (1.0, 2.0, 1.5)


@pytest.fixture
def client():
    number = pybullet.connect(pybullet.DIRECT)
    pybullet.setTimeStep(DT, physicsClientId=number)
    yield number
    pybullet.disconnect(number)


@pytest.mark.parametrize(("name", "roll"), [("outdoor", 0.0), ("cf2x", 0.0), ("outdoor", 1000.0)])
def test_a_body_moves_as_in_pybullet(client, name, roll):
    """Random forces and torques; the last case ends faster than one step may rotate."""
    vehicle, rng = load_vehicle(name), np.random.default_rng(3)
    pybullet.setGravity(0.0, 0.0, -vehicle.engine.gravity_mps2, physicsClientId=client)
    model = body_model(vehicle, DT)
    force = vehicle.weight_n * rng.uniform(-1.0, 1.0, (100, 3))
    twists = rng.uniform(-30.0, 30.0, (100, 3)) + np.array([roll, 0.0, 0.0])
    torque = np.array(vehicle.inertia_kgm2) * twists
    for heading in (0.7, -2.9, 3.1, math.pi):
        number = build(client, vehicle, np.array(START), heading)
        body = body_at(START, heading)
        assert tuple(estimate_of(body)) == tuple(read(client, number))
        fastest = 0.0
        for push, twist in zip(force.tolist(), torque.tolist(), strict=True):
            pybullet.applyExternalForce(number, BASE, push, ZERO, pybullet.LINK_FRAME, client)
            pybullet.applyExternalTorque(number, BASE, twist, pybullet.LINK_FRAME, client)
            pybullet.stepSimulation(client)
            body = body_step(model, body, tuple(push), tuple(twist))
            assert tuple(estimate_of(body)) == tuple(read(client, number))
            fastest = max(fastest, math.hypot(*body.rates) * DT)
        assert (fastest > 0.25 * math.pi) == (roll > 0.0)
        pybullet.removeBody(number, client)


@pytest.mark.parametrize("largest", range(4))
def test_a_quaternion_survives_its_matrix(largest):
    quaternion = [0.1, -0.2, 0.15, 0.05]
    quaternion[largest] = 0.95
    unit = np.array(quaternion) / np.linalg.norm(quaternion)
    assert quaternion_of(matrix_of(tuple(unit.tolist()))) == pytest.approx(unit, abs=1e-15)


COMMANDS = [
    Command(*values) for values in np.random.default_rng(5).uniform(-1.5, 1.5, (12, 4)).tolist()
]
FAULTS = {
    "none": Faults(),
    "biased, weak and loaded": draw_faults(
        FaultSettings(rotor_efficiency=0.8, mass_scale=1.1, velocity_bias_mps=0.3),
        1,
        load_vehicle("outdoor"),
        60.0,
    ),
    "battery": Faults(battery=Battery(0.4, 60.0, 3000.0)),
}


@pytest.mark.parametrize("name", ["outdoor", "cf2x"])
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_compiled_vehicle_flies_as_one_in_pybullet(client, name, faults):
    vehicle, wind = load_vehicle(name), (2.0, -1.0, 0.3)
    peer = Quadrotor(client, vehicle, np.array(START), 0.4, faults)
    compiled = CompiledQuadrotor(vehicle, np.array(START), 0.4, faults)
    for command in COMMANDS:
        for _ in range(20):
            peer.step(command, wind, 1.02)
            compiled.step(command, wind, 1.02)
            assert tuple(compiled.estimate) == tuple(peer.estimate)
            assert compiled.forces == peer.forces


WINDS = {
    "calm": {},
    "gusts": {"wind": {"mean_mps": 4.0, "gust_mps": 7.0}},
    "gusts over hills": {
        "wind": {"mean_mps": 4.0, "gust_mps": 7.0},
        "terrain": {"slope_deg": 12.0},
    },
    "gusts that end within a block": {"wind": {"mean_mps": 4.0, "gust_mps": 7.0, "end_s": 0.15}},
    "lee": {"wind": {"mean_mps": 4.0, "lee": 1.0}},
    "rotor wash": {"wind": {"rotor_wash": 1.0}},
    "late pictures": {"wind": {"mean_mps": 4.0}, "camera": {"latency_s": 0.05}},
    "bias": {"wind": {"mean_mps": 4.0}, "faults": {"velocity_bias_mps": 0.3}},
    "battery": {"faults": {"battery_sag": 0.3}},
}


@pytest.mark.parametrize("keys", WINDS.values(), ids=WINDS)
def test_blocks_of_steps_equal_single_steps(keys):
    basic = {"trail": {"length_m": 6.0}, "forest": {"trees": 1}}
    basic["camera"] = {"width": 16, "height": 16}
    for section, values in keys.items():
        basic[section] = basic.get(section, {}) | values
    scenario = Scenario.model_validate(basic)
    blocks, single = SimulatedWorld(scenario, 4), SimulatedWorld(scenario, 4)
    try:
        for number, command in enumerate(COMMANDS, 1):
            blocks.advance(command, 7 * number)
            while single.tick < 7 * number:
                single.step(command)
            assert tuple(blocks._quadrotor.estimate) == tuple(single._quadrotor.estimate)
            assert blocks._quadrotor.forces == single._quadrotor.forces
            assert blocks.wind.tolist() == single.wind.tolist()
            one, other = blocks.take_imu(), single.take_imu()
            assert one.stamps_ns.tolist() == other.stamps_ns.tolist()
            assert one.angular_velocity.tolist() == other.angular_velocity.tolist()
            assert one.linear_acceleration.tolist() == other.linear_acceleration.tolist()
            assert len(blocks._history) == len(single._history)
            assert blocks._history[0][1:] == single._history[0][1:]
    finally:
        blocks.close()
        single.close()


@pytest.mark.parametrize("end_s", [None, 5.0, 0.0])
def test_the_wind_of_a_block_is_that_of_the_field(end_s):
    settings = WindSettings(mean_mps=4.0, gust_mps=7.0, end_s=end_s)
    field, again = WindField(settings, 3, 1.5), WindField(settings, 3, 1.5)
    block = field.block(900, 400)
    for row in range(400):
        place = (0.1 * row, -2.0, 0.002 * row)
        assert wind_at(block, row, place) == again.velocity(900 + row, *place)
