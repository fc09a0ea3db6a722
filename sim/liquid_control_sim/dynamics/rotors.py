"""Four rotors: thrust and reaction torque, motor lag and saturation.

Numbered front right, rear left, front left, rear right; the first two turn counter-clockwise.
"""

import math
from typing import NamedTuple

from liquid_control_sim.dynamics.vectors import Four, compiled
from liquid_control_sim.dynamics.vehicle import Vehicle

SOUND: Four = (1.0, 1.0, 1.0, 1.0)
"""Efficiencies of rotors without a fault."""


class RotorModel(NamedTuple):
    """What the rotors of one vehicle do.

    Attributes:
        thrust: N s^2/rad^2.
        torque: N m s^2/rad^2.
        max_speed: rad/s.
        up: share of the way to a faster speed that is gone in one step, 1.
        down: to a slower one, 1.
        offset: distance of every rotor from the x and the y axis of base_link, m.
        first: efficiency of the first rotor, a factor on thrust and torque, 1; and so on.
    """

    thrust: float
    torque: float
    max_speed: float
    up: float
    down: float
    offset: float
    first: float
    second: float
    third: float
    fourth: float


def rotor_model(vehicle: Vehicle, dt: float, efficiency: Four = SOUND) -> RotorModel:
    """Return the rotors of a vehicle, for steps of `dt` seconds."""
    rotors = vehicle.rotors
    return RotorModel(
        rotors.thrust_coefficient,
        rotors.torque_coefficient,
        rotors.max_speed_radps,
        _share_reached(dt, rotors.spin_up_s),
        _share_reached(dt, rotors.spin_down_s),
        vehicle.arm_m / math.sqrt(2.0),
        *efficiency,
    )


@compiled
def spin(model: RotorModel, speeds: Four, targets: Four) -> Four:
    """Return the speeds one step later, rad/s.

    First-order lag, exact for a target that holds over the step:
    w' = t + (w - t) exp(-dt / tau), tau by the direction of the change.
    """
    a, b, c, d = speeds
    return (
        _spin_one(model, a, targets[0]),
        _spin_one(model, b, targets[1]),
        _spin_one(model, c, targets[2]),
        _spin_one(model, d, targets[3]),
    )


@compiled
def _spin_one(model: RotorModel, speed: float, target: float) -> float:
    change = min(max(target, 0.0), model.max_speed) - speed
    return speed + change * (model.up if change > 0.0 else model.down)


@compiled
def thrusts(model: RotorModel, speeds: Four) -> Four:
    """Return the thrust of each rotor along z of base_link, N."""
    a, b, c, d = speeds
    kf = model.thrust
    return (
        kf * model.first * a * a,
        kf * model.second * b * b,
        kf * model.third * c * c,
        kf * model.fourth * d * d,
    )


@compiled
def yaw_torque(model: RotorModel, speeds: Four) -> float:
    """Return the reaction torque about z of base_link, N m."""
    a, b, c, d = speeds
    clockwise = model.third * c * c + model.fourth * d * d
    return model.torque * (clockwise - model.first * a * a - model.second * b * b)


def _share_reached(dt: float, tau: float) -> float:
    return 1.0 - math.exp(-dt / tau) if tau > 0.0 else 1.0
