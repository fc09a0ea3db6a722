"""Quadrotor as a rigid body in PyBullet, and the base class of all vehicles.

The body has no collision shape, since collisions are computed from geometry. It is visible in
PyBullet's window only.
"""

import math
from abc import ABC, abstractmethod

import numpy as np

from liquid_control.types import Command, Floats, VehicleState
from liquid_control_sim.dynamics.airframe import BodyForces, airframe_model, body_forces
from liquid_control_sim.dynamics.autopilot import Autopilot
from liquid_control_sim.dynamics.faults import NO_FAULTS, Faults
from liquid_control_sim.dynamics.vectors import ZERO, Four, Quaternion, Vector, to_body
from liquid_control_sim.dynamics.vehicle import Vehicle
from liquid_control_sim.dynamics.velocity_loop import Estimate
from liquid_control_sim.quiet_bullet import pybullet as p
from liquid_control_sim.schedule import PHYSICS_HZ


class VehicleBase(ABC):
    """A vehicle with its autopilot, rotors and faults; subclasses integrate the rigid body."""

    def __init__(
        self, vehicle: Vehicle, faults: Faults, start: Estimate, rate_hz: int = PHYSICS_HZ
    ) -> None:
        """Start in hover, as far as the faults allow.

        Args:
            vehicle: vehicle that the autopilot is tuned for.
            faults: deviations of the actual vehicle.
            start: initial state.
            rate_hz: rate of `drive`.
        """
        self.vehicle = loaded = faults.loaded(vehicle)
        """Actual vehicle, payload included."""
        self._faults = faults
        self._rate_hz = rate_hz
        self._model = self._whole = airframe_model(loaded, 1.0 / rate_hz, faults.efficiency)
        if faults.period_s:
            self._whole = airframe_model(loaded, 1.0 / rate_hz)
        self._autopilot = Autopilot(vehicle, 1.0 / PHYSICS_HZ)
        self._ticks = 0
        self._estimate = start
        self._axes: Quaternion = start.quaternion
        hover: Four = (loaded.hover_speed_radps,) * 4
        gravity = loaded.engine.gravity_mps2
        self._forces = BodyForces(hover, ZERO, ZERO, ZERO, (0.0, 0.0, gravity))
        # In hover, the vertical integrator compensates the payload.
        lift = gravity * (loaded.mass_kg / vehicle.mass_kg - 1.0)
        self._memory = self._autopilot.start(start, lift)

    @abstractmethod
    def _move(self, forces: BodyForces, thrust_gain: float) -> Estimate:
        """Advance the body by one physics step and return its state."""

    @abstractmethod
    def close(self) -> None:
        """Release the resources that the vehicle owns."""

    def step(self, command: Command, wind: Floats | Vector, thrust_gain: float = 1.0) -> None:
        """Advance by one physics step, 1 / 240 s.

        Args:
            command: velocity command for the autopilot.
            wind: velocity of the air at the vehicle, three values, m/s, map.
            thrust_gain: factor on the thrusts by ground effect, 1 far from the ground.
        """
        estimate = self._estimated_state()
        targets, self._memory = self._autopilot.step(command, estimate, self._memory)
        self.drive(targets, wind, thrust_gain)

    def drive(self, targets: Four, wind: Floats | Vector, thrust_gain: float = 1.0) -> None:
        """Advance by one step of `rate_hz` with commanded rotor speeds, bypassing the autopilot.

        Args:
            targets: rad/s: front right, rear left, front left, rear right.
            wind: velocity of the air at the vehicle, three values, m/s, map.
            thrust_gain: factor on the thrusts by ground effect, 1 far from the ground.
        """
        speeds, targets = self._forces.speeds, self._battery_limited(targets)
        _, quaternion, velocity, _ = self._estimate
        axes = self._axes if self.vehicle.engine.thrust_axis_lags else quaternion
        air = wind if isinstance(wind, tuple) else tuple(wind.tolist())
        gain = float(thrust_gain)
        weak = self._faults.is_weak(self._ticks / self._rate_hz)
        model = self._model if weak else self._whole
        self._forces = BodyForces(
            *body_forces(model, speeds, targets, quaternion, axes, velocity, air, gain)
        )
        self._estimate = self._move(self._forces, thrust_gain)
        self._axes, self._ticks = quaternion, self._ticks + 1

    @property
    def state(self) -> VehicleState:
        """True kinematic state."""
        position, quaternion, velocity, angular_velocity = self._estimate
        return VehicleState(
            np.array(position),
            np.array(quaternion),
            np.array(velocity),
            np.array(angular_velocity),
        )

    @property
    def estimate(self) -> Estimate:
        """True kinematic state as tuples of floats."""
        return self._estimate

    @property
    def forces(self) -> BodyForces:
        """Forces of the last step."""
        return self._forces

    @property
    def position(self) -> Floats:
        """float64 [3], m, map."""
        return np.array(self._estimate.position)

    @property
    def angular_velocity(self) -> Floats:
        """float64 [3], rad/s, base_link."""
        return np.array(self._estimate.angular_velocity)

    @property
    def rotor_speeds(self) -> Four:
        """rad/s: front right, rear left, front left, rear right."""
        return self._forces.speeds

    @property
    def specific_force(self) -> Floats:
        """Specific force of the last step: float64 [3], m/s^2, base_link."""
        return np.array(self._forces.specific_force)

    def _estimated_state(self) -> Estimate:
        """Return the state with the velocity bias of the autopilot's estimate."""
        bias = self._faults.velocity_bias
        if bias is None:
            return self._estimate
        x, y, z = self._estimate.velocity
        return self._estimate._replace(velocity=(x + bias[0], y + bias[1], z + bias[2]))

    def _battery_limited(self, targets: Four) -> Four:
        """Return the rotor speeds that the battery can supply."""
        battery = self._faults.battery
        if battery is None:
            return targets
        fraction = battery.speed_fraction(self._ticks / self._rate_hz, self._forces.speeds)
        a, b, c, d = targets
        return fraction * a, fraction * b, fraction * c, fraction * d


BASE = -1
"""PyBullet's index of the root link of a body."""


def build(client: int, vehicle: Vehicle, position: Floats, heading_rad: float) -> int:
    """Create the body without PyBullet's velocity limit; return its id.

    Args:
        client: PyBullet's physics client.
        vehicle: vehicle to build.
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
    """Return the state of a body."""
    position, quaternion = p.getBasePositionAndOrientation(body, client)
    velocity, rates = p.getBaseVelocity(body, client)
    return Estimate(position, quaternion, velocity, to_body(quaternion, rates))


def _visual(client: int, vehicle: Vehicle) -> int:
    """Return a visual shape of two crossed arms; -1 without PyBullet's window."""
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
    """A vehicle in a PyBullet client, which it steps."""

    def __init__(
        self,
        client: int,
        vehicle: Vehicle,
        position: Floats,
        heading_rad: float = 0.0,
        faults: Faults = NO_FAULTS,
        rate_hz: int = PHYSICS_HZ,
    ) -> None:
        """Create the vehicle in a client, in hover; set gravity and time step of the client.

        Args:
            client: PyBullet's physics client.
            vehicle: vehicle to build, and the one that the autopilot is tuned for.
            position: float64 [3], m, map.
            heading_rad: counter-clockwise from east, rad.
            faults: deviations of the actual vehicle.
            rate_hz: rate of the physics steps.
        """
        loaded = faults.loaded(vehicle)
        self._client = client
        p.setGravity(0.0, 0.0, -loaded.engine.gravity_mps2, physicsClientId=client)
        p.setTimeStep(1.0 / rate_hz, physicsClientId=client)
        self.body = build(client, loaded, position, heading_rad)
        """PyBullet's id of the body."""
        super().__init__(vehicle, faults, read(client, self.body), rate_hz)

    def close(self) -> None:
        """Do nothing: the caller owns the client."""

    def _move(self, forces: BodyForces, thrust_gain: float) -> Estimate:
        client, body = self._client, self.body
        p.applyExternalForce(body, BASE, forces.force, ZERO, p.LINK_FRAME, client)
        p.applyExternalTorque(body, BASE, forces.torque, p.LINK_FRAME, client)
        p.stepSimulation(client)
        return read(client, body)
