"""Wanted thrust and torque to rotor speeds, by priority where the rotors cannot give all.

As PX4's sequential desaturation with roll/pitch airmode: roll and pitch are kept, yaw gives
way first and the common thrust next. Only when roll and pitch alone exceed the range of a
rotor are they scaled down together.
"""

import math
from typing import NamedTuple

from liquid_control_sim.dynamics.vectors import Four, Vector, compiled
from liquid_control_sim.dynamics.vehicle import Vehicle


class MixerModel(NamedTuple):
    """A vehicle's geometry, inverted.

    Attributes:
        thrust: of a rotor over its speed squared, N s^2/rad^2.
        top: most thrust of a rotor, N.
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
    """Return the rotor speeds to ask for, rad/s.

    Args:
        model: of the vehicle.
        thrust_n: sum of the four thrusts, N.
        torque: about x, y, z of base_link, N m.
    """
    a, b, c, d = mixed_thrusts(model, thrust_n, torque)
    kf = model.thrust
    return (math.sqrt(a / kf), math.sqrt(b / kf), math.sqrt(c / kf), math.sqrt(d / kf))


@compiled
def mixed_thrusts(model: MixerModel, thrust_n: float, torque: Vector) -> Four:
    """Return the thrust of each rotor, N, within what it can give."""
    top = model.top
    roll, pitch = torque[0] * model.per_tilt, torque[1] * model.per_tilt
    span = abs(roll) + abs(pitch)  # the four tilt shares reach from -span to span
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
    return min(max(thrust, 0.0), top)  # rounding only: the mixer has seen to the rest
