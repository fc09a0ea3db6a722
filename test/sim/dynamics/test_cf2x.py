"""`cf2x` flies as gym-pybullet-drones flies it."""

import math
from pathlib import Path

import numpy as np
import pybullet
import pytest

from liquid_control_sim.dynamics.quadrotor import Quadrotor
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.schedule import PHYSICS_HZ

pytestmark = pytest.mark.sim

GOLDEN = Path(__file__).parents[2] / "golden" / "cf2x_ctrl_aviary.npz"
THEIR_ORDER = (0, 2, 3, 1)
"""Front right, rear left, front left, rear right among front right, rear right, and so on."""


def without_drag(vehicle):
    """Their Physics.PYB has none."""
    drag = vehicle.drag.model_copy(update={"rotor_xy": 0.0, "rotor_z": 0.0})
    return vehicle.model_copy(update={"drag": drag})


def flown(vehicle, golden, flight):
    """Positions, quaternions and velocities after every step of one golden flight."""
    client = pybullet.connect(pybullet.DIRECT)
    quadrotor = Quadrotor(client, vehicle, golden["start"])
    states = []
    for rpm in golden["rpm"][flight] * (math.pi / 30.0):
        quadrotor.drive(tuple(rpm[list(THEIR_ORDER)].tolist()), np.zeros(3))
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
    240 Hz) at these rotor speeds and wrote what its observation said after every step.
    """
    with np.load(GOLDEN) as golden:
        position, quaternion, velocity = flown(without_drag(load_vehicle("cf2x")), golden, flight)
        assert len(position) == 2 * PHYSICS_HZ
        off = np.linalg.norm(position - golden["position"][flight], axis=1)
        assert off.max() < 1e-3
        assert off.max() < 1e-6  # a micrometre: what is left is the rounding of the coefficients
        turned = np.abs((quaternion * golden["quaternion"][flight]).sum(axis=1))
        assert turned == pytest.approx(np.ones(len(turned)), abs=1e-6)
        assert velocity == pytest.approx(golden["velocity"][flight], abs=1e-5)


@pytest.mark.parametrize(
    "engine", ["gravity_mps2", "linear_damping", "angular_damping", "thrust_axis_lags"]
)
def test_each_habit_of_their_engine_is_needed(engine):
    """Without any one of the four, a flight of differential thrust is off by more than 1 mm."""
    vehicle = without_drag(load_vehicle("cf2x"))
    plain = type(vehicle.engine)()
    habits = vehicle.engine.model_copy(update={engine: getattr(plain, engine)})
    with np.load(GOLDEN) as golden:
        position, _, _ = flown(vehicle.model_copy(update={"engine": habits}), golden, 3)
        off = np.linalg.norm(position - golden["position"][3], axis=1)
    assert off.max() > 1e-3
