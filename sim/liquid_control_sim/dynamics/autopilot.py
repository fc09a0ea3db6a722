"""Autopilot and mixer: rotor speeds from a velocity command, at 240 Hz.

The cascade is that of a PX4 multicopter: velocity PID with acceleration feed-forward, thrust
vector with a tilt limit, quaternion attitude P, rate PID and mixer. Gains have the names of PX4.
The estimate equals the true state except under faults: sensor noise affects the policy, not the
autopilot.

The mixer saturates like PX4's sequential desaturation with roll/pitch airmode: roll and pitch are
kept, yaw is reduced first and the common thrust next. Roll and pitch are scaled down together only
where they alone exceed the range of a rotor.
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
from liquid_control_sim.dynamics.vectors import Flat, Four, Quaternion, Vector, clip, compiled
from liquid_control_sim.dynamics.vehicle import Vehicle
from liquid_control_sim.dynamics.velocity_loop import (
    Estimate,
    VelocityModel,
    VelocityState,
    velocity_model,
    velocity_start,
    velocity_step,
)


class MixerModel(NamedTuple):
    """Inverse geometry of a vehicle.

    Attributes:
        thrust: thrust of a rotor over speed squared, N s^2/rad^2.
        top: largest thrust of a rotor, N.
        per_tilt: thrust of a rotor for roll or pitch torque, 1/m.
        per_yaw: thrust of a rotor for yaw torque, 1/m.
    """

    thrust: float
    top: float
    per_tilt: float
    per_yaw: float


def mixer_model(vehicle: Vehicle) -> MixerModel:
    """Invert the geometry of a vehicle."""
    rotors = vehicle.rotors
    return MixerModel(
        rotors.thrust_coefficient,
        rotors.max_thrust_n,
        1.0 / (4.0 * vehicle.arm_m / math.sqrt(2.0)),
        rotors.thrust_coefficient / (4.0 * rotors.torque_coefficient),
    )


@compiled
def mixed_speeds(model: MixerModel, thrust_n: float, torque: Vector) -> Four:
    """Return the rotor speeds for a thrust and a torque, rad/s.

    Args:
        model: inverse geometry.
        thrust_n: sum of the four thrusts, N.
        torque: torque about x, y, z of base_link, N m.
    """
    a, b, c, d = mixed_thrusts(model, thrust_n, torque)
    kf = model.thrust
    return (math.sqrt(a / kf), math.sqrt(b / kf), math.sqrt(c / kf), math.sqrt(d / kf))


@compiled
def mixed_thrusts(model: MixerModel, thrust_n: float, torque: Vector) -> Four:
    """Return the thrust of each rotor, N, within its range."""
    top = model.top
    roll, pitch = torque[0] * model.per_tilt, torque[1] * model.per_tilt
    span = abs(roll) + abs(pitch)  # the tilt thrusts of the rotors are within [-span, span]
    if span > 0.5 * top:
        roll, pitch, span = roll * 0.5 * top / span, pitch * 0.5 * top / span, 0.5 * top
    common = min(max(0.25 * thrust_n, span), top - span)
    front_right, front_left = common - roll - pitch, common + roll - pitch
    rear_left, rear_right = common + roll + pitch, common - roll + pitch
    yaw = torque[2] * model.per_yaw
    if yaw > 0.0:  # the clockwise pair speeds up
        yaw = min(yaw, top - max(front_left, rear_right), min(front_right, rear_left))
    else:
        yaw = -min(-yaw, top - max(front_right, rear_left), min(front_left, rear_right))
    return (
        _within(front_right - yaw, top),
        _within(rear_left - yaw, top),
        _within(front_left + yaw, top),
        _within(rear_right + yaw, top),
    )


@compiled
def _within(thrust: float, top: float) -> float:
    return min(max(thrust, 0.0), top)  # corrects rounding only


_VELOCITY = len(VelocityModel._fields)
_ATTITUDE = _VELOCITY + len(AttitudeModel._fields)
_MIXER = _ATTITUDE + len(MixerModel._fields)


class AutopilotState(NamedTuple):
    """State of the autopilot.

    Attributes:
        heading: heading set-point, rad, in [-pi, pi).
        turn: first two derivatives of the heading set-point, rad/s and rad/s^2.
        velocity: state of the velocity loop.
        rate: state of the rate loop.
    """

    heading: float
    turn: tuple[float, float]
    velocity: VelocityState
    rate: RateState


class Autopilot:
    """Computes rotor speeds from velocity commands in the heading frame; the state is explicit."""

    def __init__(self, vehicle: Vehicle, dt: float) -> None:
        """Build the model for steps of `dt` seconds."""
        self.model: Flat = (
            *velocity_model(vehicle, dt),
            *attitude_model(vehicle, dt),
            *mixer_model(vehicle),
            vehicle.gains.attitude.yaw_reference_radps,
            vehicle.limits.yaw_lead_rad,
        )
        """Packed constants, argument of `autopilot_step`."""

    def start(self, estimate: Estimate, lift_mps2: float = 0.0) -> Flat:
        """Return the packed state of a hovering vehicle.

        Args:
            estimate: estimated state of the vehicle.
            lift_mps2: value of the vertical integrator.
        """
        velocity = velocity_start(estimate, lift_mps2)
        heading = heading_of_four(estimate.quaternion)
        return packed(AutopilotState(heading, (0.0, 0.0), velocity, RateState()))

    def step(self, command: Command, estimate: Estimate, memory: Flat) -> tuple[Four, Flat]:
        """Return the commanded rotor speeds, rad/s, and the next packed state."""
        # An integer component would compile the step a second time.
        forward, left, up, turn = command.values
        four = float(forward), float(left), float(up), float(turn)
        result: tuple[Four, Flat] = autopilot_step(self.model, memory, four, *estimate)
        return result


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
    """Return the rotor speeds and the next packed state; see `Autopilot.step`.

    The heading set-point follows the smoothed yaw rate and stays within `yaw_lead_rad` of the
    heading. A vehicle that cannot follow therefore does not overshoot later.
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
    """Return a state as a flat tuple."""
    outer, rate = state.velocity, state.rate
    # Numba does not support unpacking into a tuple display.
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
    """Return the state of a flat tuple; the inverse of `packed`."""
    m = memory
    velocity = VelocityState(
        _three(m, 3), _three(m, 6), m[9], _three(m, 10), _three(m, 13), _three(m, 16)
    )
    rate = RateState(_three(m, 19), _three(m, 22), _three(m, 25))
    return AutopilotState(m[0], (m[1], m[2]), velocity, rate)


@compiled
def _three(flat: Flat, at: int) -> Vector:
    """Return three values of a flat tuple, from an index on."""
    return flat[at], flat[at + 1], flat[at + 2]


@compiled
def _smooth(
    setpoint: float, turn: tuple[float, float], dt: float, bandwidth: float, most: float
) -> tuple[float, float]:
    """Filter the commanded yaw rate: second order, critically damped."""
    rate, change = turn
    change += dt * bandwidth * (bandwidth * (clip(setpoint, most) - rate) - 2.0 * change)
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
