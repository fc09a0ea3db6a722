"""Quadrotor whose physics steps run in compiled code, several in one call.

It flies as `quadrotor.Quadrotor` does, bit for bit, without a PyBullet client. Most of the time of
a step in Python is that of calls and of the conversion of their arguments; steps between two
control ticks have one command and known air, so that they need one call.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Command, Floats
from liquid_control_sim.dynamics.airframe import BodyForces, body_forces
from liquid_control_sim.dynamics.autopilot import autopilot_step
from liquid_control_sim.dynamics.faults import NO_FAULTS, Faults
from liquid_control_sim.dynamics.quadrotor import VehicleBase
from liquid_control_sim.dynamics.rigid_body import (
    Body,
    BodyModel,
    body_at,
    body_model,
    body_step,
    estimate_of,
)
from liquid_control_sim.dynamics.vectors import Flat, Four, Quaternion, Vector, compiled
from liquid_control_sim.dynamics.vehicle import Vehicle
from liquid_control_sim.dynamics.velocity_loop import Estimate
from liquid_control_sim.schedule import PHYSICS_HZ

_NO_BIAS: Vector = (-0.0, -0.0, -0.0)
"""The bias that changes no value, not even the sign of a zero."""

Rows = NDArray[np.float64]


class AirBlock(NamedTuple):
    """Air of the ticks after some steps, as a function of the position.

    The wind is that of `air.wind.WindField`, without lee and rotor wash.

    Attributes:
        windy: number of ticks until the wind ends; the air is still in those after.
        cosine, sine: of the direction that the mean wind blows to.
        mean: mean speed at the reference height, m/s.
        profile, roughness: 1 / ln(1 + h / z0) at the reference height, and z0, m.
        waves: float64 [W, 5], the ground's waves: kx, ky, phase, amplitude, sine of the phase.
        along: float64 [K], speed that discrete gusts add to the mean at each tick, m/s.
        turbulence: float64 [K, 3], along the wind, to its left and up, m/s.
    """

    windy: int
    cosine: float
    sine: float
    mean: float
    profile: float
    roughness: float
    waves: Rows
    along: Rows
    turbulence: Rows


@compiled
def wind_at(air: AirBlock, row: int, position: Vector) -> Vector:
    """Return the velocity of the air, m/s, map, at one of the ticks of a block."""
    if row >= air.windy:
        return 0.0, 0.0, 0.0
    x, y, z = position
    ground = 0.0
    for wave in range(len(air.waves)):
        kx, ky, phase = air.waves[wave, 0], air.waves[wave, 1], air.waves[wave, 2]
        ground += air.waves[wave, 3] * (math.sin(kx * x + ky * y + phase) - air.waves[wave, 4])
    factor = air.profile * math.log1p(max(z - ground, 0.0) / air.roughness)
    u = air.turbulence[row, 0] + factor * (air.mean + air.along[row])
    v, c, s = air.turbulence[row, 1], air.cosine, air.sine
    return c * u - s * v, s * u + c * v, air.turbulence[row, 2]


Moving = tuple[Flat, Four, Quaternion, Body]
"""Memory of the autopilot, rotor speeds, attitude of the step before, state of the body."""


@compiled
def fly_steps(
    models: tuple[Flat, Flat, BodyModel],
    moving: Moving,
    command: Four,
    bias: Vector,
    wind: Vector,
    air: AirBlock,
    rows: Rows,
) -> tuple[Moving, tuple[Four, Vector, Vector, Vector, Vector], Estimate, Vector]:
    """Fly as many steps as there are rows.

    Args:
        models: of the autopilot, the airframe and the body.
        moving: state before the steps.
        command: forward, left, up, m/s, heading frame, and yaw rate, rad/s.
        bias: error of the autopilot's velocity estimate, m/s, map.
        wind: velocity of the air in the first step, m/s, map.
        air: at the ticks after the steps.
        rows: float64 [K, 6], overwritten: angular velocity, rad/s, and specific force, m/s^2, of
            each step, base_link.

    Returns:
        The state, the fields of `BodyForces`, the estimate and the wind after the steps.
    """
    pilot, airframe, body_constants = models
    memory, speeds, axes, body = moving
    lagging = axes
    estimate = estimate_of(body)
    forces = (speeds, wind, wind, wind, wind)
    for row in range(len(rows)):
        position, quaternion, velocity, rates = estimate
        biased = (velocity[0] + bias[0], velocity[1] + bias[1], velocity[2] + bias[2])
        targets, memory = autopilot_step(
            pilot, memory, command, position, quaternion, biased, rates
        )
        thrust_axes = lagging if body_constants.axis_lags > 0.0 else quaternion
        forces = body_forces(
            airframe, speeds, targets, quaternion, thrust_axes, velocity, wind, 1.0
        )
        speeds, lagging = forces[0], quaternion
        body = body_step(body_constants, body, forces[1], forces[2])
        estimate = estimate_of(body)
        wind = wind_at(air, row, estimate.position)
        rows[row, 0], rows[row, 1], rows[row, 2] = estimate.angular_velocity
        rows[row, 3], rows[row, 4], rows[row, 5] = forces[4]
    return (memory, speeds, lagging, body), forces, estimate, wind


class CompiledQuadrotor(VehicleBase):
    """A vehicle without a PyBullet client; its flights are those of `Quadrotor`."""

    def __init__(
        self,
        vehicle: Vehicle,
        position: Floats,
        heading_rad: float = 0.0,
        faults: Faults = NO_FAULTS,
    ) -> None:
        """Create the vehicle in hover.

        Args:
            vehicle: vehicle to build, and the one that the autopilot is tuned for.
            position: float64 [3], m, map.
            heading_rad: counter-clockwise from east, rad.
            faults: deviations of the actual vehicle.
        """
        x, y, z = (float(value) for value in position)
        self._body = body_at((x, y, z), float(heading_rad))
        self._constants = body_model(faults.loaded(vehicle), 1.0 / PHYSICS_HZ)
        super().__init__(vehicle, faults, estimate_of(self._body))
        self._models = (self._autopilot.model, self._model, self._constants)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    @property
    def flies_blocks(self) -> bool:
        """Whether `fly` can be used: faults that change with time need each step by itself."""
        return self._faults.battery is None and not self._faults.period_s

    def fly(
        self, command: Command, wind: Vector, air: AirBlock, count: int
    ) -> tuple[Rows, Vector]:
        """Advance by several physics steps under one command, away from the ground.

        Args:
            command: velocity command for the autopilot.
            wind: velocity of the air in the first step, m/s, map.
            air: at the ticks after the steps.
            count: number of steps.

        Returns:
            float64 [count, 6], angular velocity, rad/s, and specific force, m/s^2, of each step,
            base_link; and the wind after the last step.
        """
        forward, left, up, turn = command.values
        rows = np.empty((count, 6))
        moving, forces, self._estimate, wind = fly_steps(
            self._models,
            (self._memory, self._forces.speeds, self._axes, self._body),
            (float(forward), float(left), float(up), float(turn)),
            self._faults.velocity_bias or _NO_BIAS,
            wind,
            air,
            rows,
        )
        self._memory, _, self._axes, self._body = moving
        self._forces = BodyForces(*forces)
        self._ticks += count
        return rows, wind

    def _move(self, forces: BodyForces, thrust_gain: float) -> Estimate:
        self._body = body_step(self._constants, self._body, forces.force, forces.torque)
        return estimate_of(self._body)
