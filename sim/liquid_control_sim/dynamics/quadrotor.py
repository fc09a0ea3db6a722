"""The vehicle in the world: a rigid body that PyBullet integrates, pushed by rotors and air.

The body has no collision shape, since collisions are judged from geometry, and is visible in
PyBullet's window only.
"""

import math

import pybullet as p

from liquid_control.types import Floats
from liquid_control_sim.dynamics.airframe import Push
from liquid_control_sim.dynamics.faults import NO_FAULTS, Faults
from liquid_control_sim.dynamics.vectors import ZERO, to_body
from liquid_control_sim.dynamics.vehicle import Vehicle
from liquid_control_sim.dynamics.vehicle_base import VehicleBase
from liquid_control_sim.dynamics.velocity_loop import Estimate
from liquid_control_sim.schedule import PHYSICS_HZ

BASE = -1
"""PyBullet's number of a body's root link."""


def build(client: int, vehicle: Vehicle, position: Floats, heading_rad: float) -> int:
    """Create the body, without PyBullet's velocity limit; return its number.

    Args:
        client: PyBullet's physics client.
        vehicle: what to build.
        position: float64 [3], m, map.
        heading_rad: counter-clockwise from east, rad.
    """
    body = p.createMultiBody(
        baseMass=vehicle.mass_kg,
        baseVisualShapeIndex=_visual(client, vehicle),
        basePosition=[float(v) for v in position],
        baseOrientation=[0.0, 0.0, math.sin(0.5 * heading_rad), math.cos(0.5 * heading_rad)],
        physicsClientId=client,
    )
    p.changeDynamics(
        body,
        BASE,
        localInertiaDiagonal=vehicle.inertia_kgm2,
        linearDamping=vehicle.engine.linear_damping,
        angularDamping=vehicle.engine.angular_damping,
        maxJointVelocity=1e4,
        physicsClientId=client,
    )
    return int(body)


def read(client: int, body: int) -> Estimate:
    """Return where a body is and how it moves."""
    position, quaternion = p.getBasePositionAndOrientation(body, client)
    velocity, rates = p.getBaseVelocity(body, client)
    return Estimate(position, quaternion, velocity, to_body(quaternion, rates))


def _visual(client: int, vehicle: Vehicle) -> int:
    """Return a cross of two arms for PyBullet's window; nothing (-1) without one."""
    if p.getConnectionInfo(client)["connectionMethod"] != p.GUI:
        return -1
    arm, half_turn = vehicle.arm_m, math.radians(22.5)
    turns = [[0.0, 0.0, math.sin(half), math.cos(half)] for half in (half_turn, -half_turn)]
    shape = p.createVisualShapeArray(
        shapeTypes=[p.GEOM_BOX] * 2,
        halfExtents=[[arm, 0.06 * arm, 0.05 * arm]] * 2,
        visualFrameOrientations=turns,
        visualFramePositions=[[0.0, 0.0, 0.0]] * 2,
        physicsClientId=client,
    )
    return int(shape)


class Quadrotor(VehicleBase):
    """One vehicle with its autopilot in a PyBullet client, which it steps."""

    def __init__(
        self,
        client: int,
        vehicle: Vehicle,
        position: Floats,
        heading_rad: float = 0.0,
        faults: Faults = NO_FAULTS,
    ) -> None:
        """Put the vehicle into a client, hovering; sets the client's gravity and time step.

        Args:
            client: PyBullet's physics client.
            vehicle: what to build, and what the autopilot believes that it flies.
            position: float64 [3], m, map.
            heading_rad: counter-clockwise from east, rad.
            faults: what is wrong with it.
        """
        loaded = faults.loaded(vehicle)
        self._client = client
        p.setGravity(0.0, 0.0, -loaded.engine.gravity_mps2, physicsClientId=client)
        p.setTimeStep(1.0 / PHYSICS_HZ, physicsClientId=client)
        self.body = build(client, loaded, position, heading_rad)
        """PyBullet's number of the body."""
        super().__init__(vehicle, faults, read(client, self.body))

    def close(self) -> None:
        """Do nothing: the client is the caller's."""

    def _move(self, push: Push, thrust_gain: float) -> Estimate:
        client, body = self._client, self.body
        p.applyExternalForce(body, BASE, push.force, ZERO, p.LINK_FRAME, client)
        p.applyExternalTorque(body, BASE, push.torque, p.LINK_FRAME, client)
        p.stepSimulation(client)
        return read(client, body)
