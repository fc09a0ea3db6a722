"""What pushes the body in one physics step: rotors and air, summed to one force and one torque."""

from typing import NamedTuple

from liquid_control_sim.dynamics.rotors import (
    SOUND,
    RotorModel,
    rotor_model,
    spin,
    thrusts,
    yaw_torque,
)
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

AIR_DENSITY = 1.225
"""kg/m^3, standard atmosphere at sea level."""


class DragModel(NamedTuple):
    """Coefficients of `vehicle.DragSettings`, under its names."""

    rotor_xy: float
    rotor_z: float
    area_xy: float
    area_z: float


def drag_model(vehicle: Vehicle) -> DragModel:
    """Return the drag of a vehicle."""
    drag = vehicle.drag
    return DragModel(drag.rotor_xy, drag.rotor_z, drag.area_xy_m2, drag.area_z_m2)


@compiled
def drag_force(model: DragModel, airspeed: Vector, rotor_speed_sum: float) -> Vector:
    """Return the drag force in base_link, N.

    F = -(diag(k) sum(w) + 0.5 rho diag(C_D A) |v|) v: rotor drag, linear in airspeed and
    proportional to the rotor speeds (Forster 2015, as gym-pybullet-drones has it; linear in
    airspeed at hover as in Faessler et al. 2018, doi 10.1109/LRA.2017.2776353), and body drag.

    Args:
        model: the vehicle's coefficients.
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


class Push(NamedTuple):
    """What one step does to the vehicle, base_link.

    Attributes:
        speeds: of the rotors, rad/s.
        force: of rotors and drag, N.
        torque: of the rotors, N m.
        drag: the air's share of the force, N.
        specific_force: what an accelerometer feels, m/s^2.
    """

    speeds: Four
    force: Vector
    torque: Vector
    drag: Vector
    specific_force: Vector


def airframe_model(vehicle: Vehicle, dt: float, efficiency: Four = SOUND) -> Flat:
    """Return what `pushed` needs to know of a vehicle, for steps of `dt` seconds."""
    rotors, drag = rotor_model(vehicle, dt, efficiency), drag_model(vehicle)
    return (*rotors, *drag, vehicle.mass_kg, vehicle.engine.linear_damping)


@compiled
def pushed(
    model: Flat,
    speeds: Four,
    targets: Four,
    quaternion: Quaternion,
    axes: Quaternion,
    velocity: Vector,
    wind: Vector,
    thrust_gain: float,
) -> tuple[Four, Vector, Vector, Vector, Vector]:
    """Return the values of a `Push`.

    Args:
        model: from `airframe_model`.
        speeds: of the rotors before the step, rad/s.
        targets: that they are asked for, rad/s.
        quaternion: base_link to map.
        axes: attitude along whose z axis the rotors push; `quaternion`, or one step older.
        velocity: of the vehicle, m/s, map.
        wind: of the air, m/s, map.
        thrust_gain: factor on the thrusts, more than 1 in ground effect.
    """
    rotors, drag = RotorModel(*model[:_ROTORS]), DragModel(*model[_ROTORS:_DRAG])
    mass, damping = model[_DRAG], model[_DRAG + 1]
    speeds = spin(rotors, speeds, targets)
    vx, vy, vz = velocity
    airspeed = to_body(quaternion, (vx - wind[0], vy - wind[1], vz - wind[2]))
    dx, dy, dz = drag_force(drag, airspeed, speeds[0] + speeds[1] + speeds[2] + speeds[3])
    thrust, torque = _wrench(rotors, speeds, to_body(quaternion, body_up(axes)), thrust_gain)
    force = (dx + thrust[0], dy + thrust[1], dz + thrust[2])
    # What PyBullet's damping takes is felt as well.
    slowed = damping * (1.0 + norm(vx, vy, vz))
    bx, by, bz = to_body(quaternion, velocity)
    felt = (
        force[0] / mass - slowed * bx,
        force[1] / mass - slowed * by,
        force[2] / mass - slowed * bz,
    )
    return speeds, force, torque, (dx, dy, dz), felt


@compiled
def _wrench(
    rotors: RotorModel, speeds: Four, axis: Vector, thrust_gain: float
) -> tuple[Vector, Vector]:
    """Return force and torque of four rotors that push along an axis, base_link."""
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
