"""Outer half of the autopilot: a velocity command in, the force that the rotors should make out.

What PX4 calls position mode with smoothed velocity: the command is filtered into a reference
whose acceleration is fed forward, P, I and D act on the difference to it, and the altitude is
locked whenever no climb or descent is asked for.
"""

import math
from typing import NamedTuple

from liquid_control_sim.dynamics.vectors import ZERO, Four, Vector, compiled, norm
from liquid_control_sim.dynamics.vehicle import Vehicle


class Estimate(NamedTuple):
    """What the autopilot knows of the vehicle.

    Attributes:
        position: m, map.
        quaternion: (x, y, z, w), base_link to map.
        velocity: m/s, map.
        angular_velocity: rad/s, base_link.
    """

    position: Vector
    quaternion: tuple[float, float, float, float]
    velocity: Vector
    angular_velocity: Vector


class VelocityState(NamedTuple):
    """What the loop remembers from step to step.

    Attributes:
        reference: smoothed command, m/s, heading frame.
        acceleration: its rate of change, m/s^2, heading frame.
        altitude: set-point that is held, m; NaN while a vertical velocity is tracked.
        integral: acceleration that the integrators ask for, m/s^2, map.
        measured: velocity one step ago, m/s, map.
        measured_rate: filtered rate of change of the measured velocity, m/s^2, map.
    """

    reference: Vector
    acceleration: Vector
    altitude: float
    integral: Vector
    measured: Vector
    measured_rate: Vector


class VelocityModel(NamedTuple):
    """Gains and limits of `gains.VelocityGains` and `gains.Limits`, under their names.

    Attributes:
        share: of the derivative's low pass in one step, 1.
        tilt: tangent of the largest tilt, 1.
        weakest: least thrust over mass, m/s^2.
        strongest: most thrust over mass, m/s^2.
    """

    dt: float
    mass: float
    gravity: float
    p: float
    i: float
    d: float
    vertical_p: float
    vertical_i: float
    vertical_d: float
    altitude_p: float
    bandwidth: float
    derivative_alpha: float
    horizontal: float
    up: float
    down: float
    horizontal_accel: float
    vertical_accel: float
    deadband: float
    tilt: float
    min_specific_thrust: float
    strongest: float


def velocity_model(vehicle: Vehicle, dt: float) -> VelocityModel:
    """Return what the loop needs to know of a vehicle, for steps of `dt` seconds."""
    gains, limits = vehicle.gains.velocity, vehicle.limits
    full = 4.0 * vehicle.rotors.max_thrust_n / vehicle.mass_kg
    return VelocityModel(
        dt=dt,
        mass=vehicle.mass_kg,
        gravity=vehicle.engine.gravity_mps2,
        p=gains.horizontal_p,
        i=gains.horizontal_i,
        d=gains.horizontal_d,
        vertical_p=gains.vertical_p,
        vertical_i=gains.vertical_i,
        vertical_d=gains.vertical_d,
        altitude_p=gains.altitude_p,
        bandwidth=gains.reference_radps,
        derivative_alpha=1.0 - math.exp(-2.0 * math.pi * gains.derivative_cutoff_hz * dt),
        horizontal=limits.horizontal_mps,
        up=limits.up_mps,
        down=limits.down_mps,
        horizontal_accel=limits.horizontal_accel_mps2,
        vertical_accel=limits.vertical_accel_mps2,
        deadband=limits.altitude_deadband_mps,
        tilt=math.tan(math.radians(limits.tilt_deg)),
        min_specific_thrust=limits.min_thrust * full,
        strongest=limits.max_thrust * full,
    )


def velocity_start(estimate: Estimate, lift_mps2: float = 0.0) -> VelocityState:
    """Return the state of a vehicle that hovers where it is.

    Args:
        estimate: where it is.
        lift_mps2: what the vertical integrator has settled at.
    """
    altitude, integral = estimate.position[2], (0.0, 0.0, lift_mps2)
    return VelocityState(ZERO, ZERO, altitude, integral, estimate.velocity, ZERO)


@compiled
def velocity_step(
    model: VelocityModel,
    command: Four,
    estimate: Estimate,
    heading: float,
    rate: float,
    state: VelocityState,
) -> tuple[Vector, VelocityState]:
    """Return the force that the rotors should make, N, map, and the next state.

    Args:
        model: of the vehicle.
        command: forward, left, up, m/s, heading frame, and yaw rate; held to the limits here.
        estimate: where the vehicle is.
        heading: of base_link, rad.
        rate: its rate of change, rad/s.
        state: from `velocity_start` or the step before.
    """
    reference, acceleration = _smooth(model, command, state)
    climb, altitude = _hold(model, command, reference[2], estimate, state)
    c, s = math.cos(heading), math.sin(heading)
    forward, left = reference[0], reference[1]
    ahead = acceleration[0] - rate * left
    aside = acceleration[1] + rate * forward
    wanted = (c * forward - s * left, s * forward + c * left, climb)
    fed = (c * ahead - s * aside, s * ahead + c * aside, acceleration[2])
    measured_rate = _measured_rate(model, estimate.velocity, state)
    asked = _feedback(model, wanted, fed, estimate.velocity, measured_rate, state.integral)
    given = _within_limits(model, asked)
    integral = _integrate(model, wanted, estimate.velocity, asked, given, state.integral)
    mass = model.mass
    force = (mass * given[0], mass * given[1], mass * (given[2] + model.gravity))
    return force, VelocityState(
        reference, acceleration, altitude, integral, estimate.velocity, measured_rate
    )


@compiled
def _smooth(model: VelocityModel, command: Four, state: VelocityState) -> tuple[Vector, Vector]:
    """Second-order critically damped filter, its acceleration limited."""
    dt, w = model.dt, model.bandwidth
    forward, left, up = command[0], command[1], command[2]
    speed = norm(forward, left, 0.0)
    if speed > model.horizontal:
        forward, left = forward * model.horizontal / speed, left * model.horizontal / speed
    up = 0.0 if abs(up) < model.deadband else up
    up = min(max(up, -model.down), model.up)
    vx, vy, vz = state.reference
    ax, ay, az = state.acceleration
    ax += dt * w * (w * (forward - vx) - 2.0 * ax)
    ay += dt * w * (w * (left - vy) - 2.0 * ay)
    az += dt * w * (w * (up - vz) - 2.0 * az)
    size = norm(ax, ay, 0.0)
    if size > model.horizontal_accel:
        ax, ay = ax * model.horizontal_accel / size, ay * model.horizontal_accel / size
    az = min(max(az, -model.vertical_accel), model.vertical_accel)
    return (vx + dt * ax, vy + dt * ay, vz + dt * az), (ax, ay, az)


@compiled
def _hold(
    model: VelocityModel, command: Four, climb: float, estimate: Estimate, state: VelocityState
) -> tuple[float, float]:
    """Return the vertical velocity to track and the altitude that is held, or NaN.

    The locked altitude moves on with the reference until that stands still, so that a climb
    ends without coming back.
    """
    if abs(command[2]) >= model.deadband:
        return climb, math.nan
    height = estimate.position[2]
    locked = height if math.isnan(state.altitude) else state.altitude
    locked += climb * model.dt
    climb += model.altitude_p * (locked - height)
    return min(max(climb, -model.down), model.up), locked


@compiled
def _measured_rate(model: VelocityModel, velocity: Vector, state: VelocityState) -> Vector:
    x, y, z = velocity
    px, py, pz = state.measured
    rx, ry, rz = state.measured_rate
    derivative_alpha, rate = model.derivative_alpha, 1.0 / model.dt
    return (
        rx + derivative_alpha * ((x - px) * rate - rx),
        ry + derivative_alpha * ((y - py) * rate - ry),
        rz + derivative_alpha * ((z - pz) * rate - rz),
    )


@compiled
def _feedback(
    model: VelocityModel,
    wanted: Vector,
    fed: Vector,
    velocity: Vector,
    measured_rate: Vector,
    integral: Vector,
) -> Vector:
    p, d, vp, vd = model.p, model.d, model.vertical_p, model.vertical_d
    x, y, z = velocity
    fx, fy, fz = fed
    rx, ry, rz = measured_rate
    return (
        fx + p * (wanted[0] - x) + d * (fx - rx) + integral[0],
        fy + p * (wanted[1] - y) + d * (fy - ry) + integral[1],
        fz + vp * (wanted[2] - z) + vd * (fz - rz) + integral[2],
    )


@compiled
def _within_limits(model: VelocityModel, asked: Vector) -> Vector:
    """Hold thrust to its range and tilt to its limit; the vertical part comes first."""
    ax, ay, az = asked
    most = model.strongest
    lift = min(max(az + model.gravity, model.min_specific_thrust), most)
    reach = min(lift * model.tilt, math.sqrt(most * most - lift * lift))
    size = norm(ax, ay, 0.0)
    if size > reach:
        ax, ay = ax * reach / size, ay * reach / size
    return ax, ay, lift - model.gravity


@compiled
def _integrate(
    model: VelocityModel,
    wanted: Vector,
    velocity: Vector,
    asked: Vector,
    given: Vector,
    integral: Vector,
) -> Vector:
    """Integrate what is left of the error after tracking anti-windup (2 / P, as in PX4)."""
    back, i = 2.0 / model.p, model.i * model.dt
    vertical_back, vertical_i = 2.0 / model.vertical_p, model.vertical_i * model.dt
    x, y, z = integral
    return (
        x + i * (wanted[0] - velocity[0] - back * (asked[0] - given[0])),
        y + i * (wanted[1] - velocity[1] - back * (asked[1] - given[1])),
        z + vertical_i * (wanted[2] - velocity[2] - vertical_back * (asked[2] - given[2])),
    )
