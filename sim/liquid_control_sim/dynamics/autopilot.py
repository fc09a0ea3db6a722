"""The flight controller: a velocity command in, rotor speeds out, 240 times a second.

The cascade is that of a PX4 multicopter (velocity PID with acceleration feed-forward, thrust
vector with a tilt limit, quaternion attitude P, rate PID, mixer), and the gains carry PX4's names.
Its estimates are the true state unless a fault says otherwise: sensor noise reaches the policy,
not the autopilot.
"""

import math
from typing import NamedTuple

from liquid_control.types import Command
from liquid_control_sim.dynamics.attitude_loop import (
    AttitudeModel,
    RateState,
    attitude_model,
    attitude_step,
)
from liquid_control_sim.dynamics.mixer import MixerModel, mixed_speeds, mixer_model
from liquid_control_sim.dynamics.vectors import (
    Flat,
    Four,
    Quaternion,
    Vector,
    clip,
    compiled,
    three,
)
from liquid_control_sim.dynamics.vehicle import Vehicle
from liquid_control_sim.dynamics.velocity_loop import (
    Estimate,
    VelocityModel,
    VelocityState,
    velocity_model,
    velocity_start,
    velocity_step,
)

_VELOCITY = len(VelocityModel._fields)
_ATTITUDE = _VELOCITY + len(AttitudeModel._fields)
_MIXER = _ATTITUDE + len(MixerModel._fields)


class AutopilotState(NamedTuple):
    """What the autopilot remembers from step to step.

    Attributes:
        heading: set-point, rad, in [-pi, pi).
        turn: its first two derivatives, rad/s and rad/s^2.
        velocity: of the velocity loop.
        rate: of the rate loop.
    """

    heading: float
    turn: tuple[float, float]
    velocity: VelocityState
    rate: RateState


class Autopilot:
    """Velocity commands of the heading frame to rotor speeds; its state is passed in and out."""

    def __init__(self, vehicle: Vehicle, dt: float) -> None:
        """Prepare for steps of `dt` seconds."""
        self._model: Flat = (
            *velocity_model(vehicle, dt),
            *attitude_model(vehicle, dt),
            *mixer_model(vehicle),
            vehicle.gains.attitude.yaw_reference_radps,
            vehicle.limits.yaw_lead_rad,
        )

    def start(self, estimate: Estimate, lift_mps2: float = 0.0) -> Flat:
        """Return the memory of a vehicle that hovers where it is.

        Args:
            estimate: where it is.
            lift_mps2: what the vertical integrator has settled at.
        """
        velocity = velocity_start(estimate, lift_mps2)
        heading = heading_of_four(estimate.quaternion)
        return packed(AutopilotState(heading, (0.0, 0.0), velocity, RateState()))

    def step(self, command: Command, estimate: Estimate, memory: Flat) -> tuple[Four, Flat]:
        """Return the rotor speeds to ask for, rad/s, and the next memory, of `unpacked`."""
        ahead, left, up, turn = command.values
        asked = (float(ahead), float(left), float(up), float(turn))  # never compiled for an int
        answer: tuple[Four, Flat] = autopilot_step(self._model, memory, asked, *estimate)
        return answer


@compiled
def autopilot_step(
    model: Flat,
    memory: Flat,
    command: Four,
    position: Vector,
    quaternion: Quaternion,
    velocity: Vector,
    angular_velocity: Vector,
) -> tuple[Four, Flat]:
    """Do what `Autopilot.step` says.

    The heading set-point turns with the smoothed yaw rate and stays within `yaw_lead_rad` of
    the heading, so that a vehicle that cannot follow does not swing back later.
    """
    outer, inner = VelocityModel(*model[:_VELOCITY]), AttitudeModel(*model[_VELOCITY:_ATTITUDE])
    mixer = MixerModel(*model[_ATTITUDE:_MIXER])
    bandwidth, most_lead = model[_MIXER], model[_MIXER + 1]
    state = unpacked(memory)
    estimate = Estimate(position, quaternion, velocity, angular_velocity)
    heading = heading_of_four(quaternion)
    turn = _smooth(command[3], state.turn, outer.dt, bandwidth, inner.yaw_rate)
    lead = clip(_wrapped(state.heading + turn[0] * outer.dt - heading), most_lead)
    rate = _heading_rate(quaternion, angular_velocity)
    force, outer_state = velocity_step(outer, command, estimate, heading, rate, state.velocity)
    thrust, torque, rates = attitude_step(inner, force, heading + lead, turn, estimate, state.rate)
    after = AutopilotState(_wrapped(heading + lead), turn, outer_state, rates)
    return mixed_speeds(mixer, thrust, torque), packed(after)


@compiled
def packed(state: AutopilotState) -> Flat:
    """Return a state as one flat tuple."""
    outer, rate = state.velocity, state.rate
    # Concatenated, since Numba does not unpack into a tuple display.
    return (
        (state.heading,)  # noqa: RUF005
        + state.turn
        + outer.reference
        + outer.acceleration
        + (outer.altitude,)
        + outer.integral
        + outer.measured
        + outer.measured_rate
        + rate.integral
        + rate.measured
        + rate.measured_rate
    )


@compiled
def unpacked(memory: Flat) -> AutopilotState:
    """Return the state that `packed` made flat."""
    m = memory
    velocity = VelocityState(
        three(m, 3), three(m, 6), m[9], three(m, 10), three(m, 13), three(m, 16)
    )
    rate = RateState(three(m, 19), three(m, 22), three(m, 25))
    return AutopilotState(m[0], (m[1], m[2]), velocity, rate)


@compiled
def _smooth(
    wanted: float, turn: tuple[float, float], dt: float, bandwidth: float, most: float
) -> tuple[float, float]:
    """Second-order critically damped filter of the commanded yaw rate."""
    rate, change = turn
    change += dt * bandwidth * (bandwidth * (clip(wanted, most) - rate) - 2.0 * change)
    return rate + dt * change, change


@compiled
def heading_of_four(quaternion: Quaternion) -> float:
    """Return the heading of an attitude, rad, counter-clockwise from east."""
    x, y, z, w = quaternion
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


@compiled
def _wrapped(angle: float) -> float:
    """Return an angle in [-pi, pi)."""
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


@compiled
def _heading_rate(quaternion: Quaternion, angular_velocity: Vector) -> float:
    """Return the heading's rate of change, rad/s: (q sin(roll) + r cos(roll)) / cos(pitch)."""
    x, y, z, w = quaternion
    _, q, r = angular_velocity
    sine, cosine = 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)
    squared = sine * sine + cosine * cosine  # cos(pitch)^2
    return (q * sine + r * cosine) / squared if squared > 1e-6 else 0.0
