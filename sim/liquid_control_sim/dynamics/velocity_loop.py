"""Velocity loop of the autopilot: a force set-point from a velocity command.

It corresponds to PX4's position mode with smoothed velocity. The command is filtered into a
reference whose acceleration is fed forward; a PID controller acts on the error to the reference.
The altitude is held while no climb or descent is commanded.
"""

import math
from typing import NamedTuple

from liquid_control_sim.dynamics.vectors import ZERO, Four, Vector, compiled, norm
from liquid_control_sim.dynamics.vehicle import Vehicle


class Estimate(NamedTuple):
    """Estimated state of the vehicle.

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
    """State of the velocity loop.

    Attributes:
        reference: smoothed command, m/s, heading frame.
        acceleration: rate of change of the reference, m/s^2, heading frame.
        altitude: altitude set-point, m; NaN while a vertical velocity is tracked.
        integral: acceleration of the integrators, m/s^2, map.
        measured: velocity of the step before, m/s, map.
        measured_rate: filtered rate of change of the measured velocity, m/s^2, map.
    """

    reference: Vector
    acceleration: Vector
    altitude: float
    integral: Vector
    measured: Vector
    measured_rate: Vector


class VelocityModel(NamedTuple):
    """Gains and limits of `vehicle.VelocityGains` and `vehicle.Limits`, with the same names.

    Attributes:
        derivative_alpha: coefficient of the derivative's low-pass filter for one step, 1.
        tilt: tangent of the largest tilt, 1.
        min_specific_thrust: smallest thrust over mass, m/s^2.
        max_specific_thrust: largest thrust over mass, m/s^2.
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
    max_specific_thrust: float


def velocity_model(vehicle: Vehicle, dt: float) -> VelocityModel:
    """Return the model of a vehicle for steps of `dt` seconds."""
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
        max_specific_thrust=limits.max_thrust * full,
    )


def velocity_start(estimate: Estimate, lift_mps2: float = 0.0) -> VelocityState:
    """Return the state of a hovering vehicle.

    Args:
        estimate: estimated state of the vehicle.
        lift_mps2: value of the vertical integrator.
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
    """Return the force set-point of the rotors, N, map, and the next state.

    Args:
        model: gains and limits.
        command: forward, left, up, m/s, heading frame, and yaw rate; clipped to the limits.
        estimate: estimated state of the vehicle.
        heading: heading of base_link, rad.
        rate: rate of change of the heading, rad/s.
        state: state from `velocity_start` or the step before.
    """
    reference, acceleration = _smooth(model, command, state)
    climb, altitude = _hold(model, command, reference[2], estimate, state)
    c, s = math.cos(heading), math.sin(heading)
    forward, left = reference[0], reference[1]
    ahead = acceleration[0] - rate * left
    aside = acceleration[1] + rate * forward
    setpoint = (c * forward - s * left, s * forward + c * left, climb)
    feedforward = (c * ahead - s * aside, s * ahead + c * aside, acceleration[2])
    measured_rate = _measured_rate(model, estimate.velocity, state)
    requested = _feedback(
        model, setpoint, feedforward, estimate.velocity, measured_rate, state.integral
    )
    limited = _within_limits(model, requested)
    integral = _integrate(model, setpoint, estimate.velocity, requested, limited, state.integral)
    mass = model.mass
    force = (mass * limited[0], mass * limited[1], mass * (limited[2] + model.gravity))
    return force, VelocityState(
        reference, acceleration, altitude, integral, estimate.velocity, measured_rate
    )


@compiled
def _smooth(model: VelocityModel, command: Four, state: VelocityState) -> tuple[Vector, Vector]:
    """Filter the command: second order, critically damped, with limited acceleration."""
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
    """Return the vertical velocity to track and the altitude to hold, or NaN.

    The held altitude follows the reference until the reference is zero, so that a climb ends
    without overshoot.
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
    setpoint: Vector,
    feedforward: Vector,
    velocity: Vector,
    measured_rate: Vector,
    integral: Vector,
) -> Vector:
    p, d, vp, vd = model.p, model.d, model.vertical_p, model.vertical_d
    x, y, z = velocity
    fx, fy, fz = feedforward
    rx, ry, rz = measured_rate
    return (
        fx + p * (setpoint[0] - x) + d * (fx - rx) + integral[0],
        fy + p * (setpoint[1] - y) + d * (fy - ry) + integral[1],
        fz + vp * (setpoint[2] - z) + vd * (fz - rz) + integral[2],
    )


@compiled
def _within_limits(model: VelocityModel, requested: Vector) -> Vector:
    """Limit thrust and tilt of an acceleration; the vertical component has priority."""
    ax, ay, az = requested
    most = model.max_specific_thrust
    lift = min(max(az + model.gravity, model.min_specific_thrust), most)
    reach = min(lift * model.tilt, math.sqrt(most * most - lift * lift))
    size = norm(ax, ay, 0.0)
    if size > reach:
        ax, ay = ax * reach / size, ay * reach / size
    return ax, ay, lift - model.gravity


@compiled
def _integrate(
    model: VelocityModel,
    setpoint: Vector,
    velocity: Vector,
    requested: Vector,
    limited: Vector,
    integral: Vector,
) -> Vector:
    """Integrate the velocity error with tracking anti-windup (gain 2 / P, as in PX4)."""
    back, i = 2.0 / model.p, model.i * model.dt
    vertical_back, vertical_i = 2.0 / model.vertical_p, model.vertical_i * model.dt
    x, y, z = integral
    return (
        x + i * (setpoint[0] - velocity[0] - back * (requested[0] - limited[0])),
        y + i * (setpoint[1] - velocity[1] - back * (requested[1] - limited[1])),
        z + vertical_i * (setpoint[2] - velocity[2] - vertical_back * (requested[2] - limited[2])),
    )
