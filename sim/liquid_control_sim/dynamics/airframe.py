"""Forces on the body in one physics step: rotors, motor lag and drag, as one force and one torque.

Rotors are numbered front right, rear left, front left, rear right; the first two turn
counter-clockwise.
"""

import math
from typing import NamedTuple

from liquid_control_sim.dynamics.vectors import (
    Flat,
    Four,
    Quaternion,
    Vector,
    body_up,
    compiled,
    norm,
    to_body,
)
from liquid_control_sim.dynamics.vehicle import Vehicle

FULL_EFFICIENCY: Four = (1.0, 1.0, 1.0, 1.0)
"""Efficiencies of rotors without a fault."""


class RotorModel(NamedTuple):
    """Coefficients of four rotors.

    Attributes:
        thrust: thrust over speed squared, N s^2/rad^2.
        torque: reaction torque over speed squared, N m s^2/rad^2.
        max_speed: highest speed, rad/s.
        up: fraction of a speed increase that is completed in one step, 1.
        down: fraction of a speed decrease that is completed in one step, 1.
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


def rotor_model(vehicle: Vehicle, dt: float, efficiency: Four = FULL_EFFICIENCY) -> RotorModel:
    """Return the rotor coefficients of a vehicle for steps of `dt` seconds."""
    rotors = vehicle.rotors
    return RotorModel(
        rotors.thrust_coefficient,
        rotors.torque_coefficient,
        rotors.max_speed_radps,
        _fraction_reached(dt, rotors.spin_up_s),
        _fraction_reached(dt, rotors.spin_down_s),
        vehicle.arm_m / math.sqrt(2.0),
        *efficiency,
    )


@compiled
def spin(model: RotorModel, speeds: Four, targets: Four) -> Four:
    """Return the speeds one step later, rad/s.

    First-order lag, exact for a target that is constant over the step:
    w' = t + (w - t) exp(-dt / tau), with tau by the direction of the change.
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


def _fraction_reached(dt: float, tau: float) -> float:
    return 1.0 - math.exp(-dt / tau) if tau > 0.0 else 1.0


AIR_DENSITY = 1.225
"""kg/m^3, standard atmosphere at sea level."""


class DragModel(NamedTuple):
    """Coefficients of `vehicle.DragSettings`, with the same names."""

    rotor_xy: float
    rotor_z: float
    area_xy: float
    area_z: float


def drag_model(vehicle: Vehicle) -> DragModel:
    """Return the drag coefficients of a vehicle."""
    drag = vehicle.drag
    return DragModel(drag.rotor_xy, drag.rotor_z, drag.area_xy_m2, drag.area_z_m2)


@compiled
def drag_force(model: DragModel, airspeed: Vector, rotor_speed_sum: float) -> Vector:
    """Return the drag force in base_link, N.

    F = -(diag(k) sum(w) + 0.5 rho diag(C_D A) |v|) v: rotor drag, linear in airspeed and
    proportional to the rotor speeds (Forster 2015, as in gym-pybullet-drones; linear in
    airspeed at hover as in Faessler et al. 2018, doi 10.1109/LRA.2017.2776353), and body drag.

    Args:
        model: drag coefficients.
        airspeed: velocity of the vehicle relative to the air, m/s, base_link.
        rotor_speed_sum: sum of the four rotor speeds, rad/s.
    """
    x, y, z = airspeed
    pressure = 0.5 * AIR_DENSITY * norm(x, y, z)
    across = model.rotor_xy * rotor_speed_sum + pressure * model.area_xy
    along = model.rotor_z * rotor_speed_sum + pressure * model.area_z
    return (-across * x, -across * y, -along * z)


_ROTORS = len(RotorModel._fields)
_DRAG = _ROTORS + len(DragModel._fields)


class BodyForces(NamedTuple):
    """Forces of one physics step, base_link.

    Attributes:
        speeds: rotor speeds, rad/s.
        force: force of rotors and drag, N.
        torque: torque of the rotors, N m.
        drag: drag component of the force, N.
        specific_force: specific force that an accelerometer measures, m/s^2.
    """

    speeds: Four
    force: Vector
    torque: Vector
    drag: Vector
    specific_force: Vector


def airframe_model(vehicle: Vehicle, dt: float, efficiency: Four = FULL_EFFICIENCY) -> Flat:
    """Return the model for `body_forces`, for steps of `dt` seconds."""
    rotors, drag = rotor_model(vehicle, dt, efficiency), drag_model(vehicle)
    return (*rotors, *drag, vehicle.mass_kg, vehicle.engine.linear_damping)


@compiled
def body_forces(
    model: Flat,
    speeds: Four,
    targets: Four,
    quaternion: Quaternion,
    axes: Quaternion,
    velocity: Vector,
    wind: Vector,
    thrust_gain: float,
) -> tuple[Four, Vector, Vector, Vector, Vector]:
    """Return the fields of `BodyForces` after one step.

    Args:
        model: from `airframe_model`.
        speeds: rotor speeds before the step, rad/s.
        targets: commanded rotor speeds, rad/s.
        quaternion: attitude, base_link to map.
        axes: attitude whose z axis is the thrust direction: `quaternion`, or that of the step
            before.
        velocity: velocity of the vehicle, m/s, map.
        wind: velocity of the air, m/s, map.
        thrust_gain: factor on the thrusts, above 1 in ground effect.
    """
    rotors, drag = RotorModel(*model[:_ROTORS]), DragModel(*model[_ROTORS:_DRAG])
    mass, damping = model[_DRAG], model[_DRAG + 1]
    speeds = spin(rotors, speeds, targets)
    vx, vy, vz = velocity
    airspeed = to_body(quaternion, (vx - wind[0], vy - wind[1], vz - wind[2]))
    dx, dy, dz = drag_force(drag, airspeed, speeds[0] + speeds[1] + speeds[2] + speeds[3])
    thrust, torque = _wrench(rotors, speeds, to_body(quaternion, body_up(axes)), thrust_gain)
    force = (dx + thrust[0], dy + thrust[1], dz + thrust[2])
    # PyBullet's linear damping acts as a specific force too.
    damping_rate = damping * (1.0 + norm(vx, vy, vz))
    bx, by, bz = to_body(quaternion, velocity)
    specific_force = (
        force[0] / mass - damping_rate * bx,
        force[1] / mass - damping_rate * by,
        force[2] / mass - damping_rate * bz,
    )
    return speeds, force, torque, (dx, dy, dz), specific_force


@compiled
def _wrench(
    rotors: RotorModel, speeds: Four, axis: Vector, thrust_gain: float
) -> tuple[Vector, Vector]:
    """Return force and torque of four rotors with a common thrust axis, base_link."""
    a, b, c, d = thrusts(rotors, speeds)
    lever = rotors.offset * thrust_gain
    # Sum of r x F with r = (x, y, 0) and F = thrust * axis: the moments y F and -x F.
    along_y, along_x = lever * (b + c - a - d), lever * (a + c - b - d)
    total = thrust_gain * (a + b + c + d)
    yaw = yaw_torque(rotors, speeds)
    x, y, z = axis
    force = (total * x, total * y, total * z)
    torque = (
        along_y * z + yaw * x,
        -along_x * z + yaw * y,
        along_x * y - along_y * x + yaw * z,
    )
    return force, torque
