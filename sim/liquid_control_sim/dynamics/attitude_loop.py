"""Attitude and rate loops of the autopilot: thrust and torque from a force and heading set-point.

Quaternion attitude P and rate PID, as in PX4's mc_att_control and mc_rate_control. The output of
the rate loop is an angular acceleration, which the vehicle's inertia converts to torque.
"""

import math
from typing import NamedTuple

from liquid_control_sim.dynamics.vectors import (
    ZERO,
    Quaternion,
    Vector,
    body_up,
    clip,
    compiled,
    inverse,
    map_up,
    norm,
    times,
)
from liquid_control_sim.dynamics.vehicle import RateGains, Vehicle
from liquid_control_sim.dynamics.velocity_loop import Estimate


class RateState(NamedTuple):
    """State of the rate loop.

    Attributes:
        integral: angular acceleration of the integrators, rad/s^2, base_link.
        measured: angular velocity of the step before, rad/s, base_link.
        measured_rate: filtered rate of change of the angular velocity, rad/s^2, base_link.
    """

    integral: Vector = ZERO
    measured: Vector = ZERO
    measured_rate: Vector = ZERO


class AttitudeModel(NamedTuple):
    """Gains and limits of the attitude and rate loops.

    Attributes:
        derivative_alpha: coefficient of the derivative's low-pass filter for one step, 1.
        i_limit: largest integral, rad/s^2.
        tilt_rate: largest roll and pitch rate, rad/s.
        yaw_rate: largest yaw rate, rad/s.
        jx, jy, jz: principal moments of inertia, kg m^2.
    """

    dt: float
    tilt_p: float
    yaw_p: float
    p: float
    i: float
    d: float
    i_limit: float
    derivative_alpha: float
    yaw_rate_p: float
    yaw_rate_i: float
    yaw_rate_d: float
    yaw_i_limit: float
    yaw_derivative_alpha: float
    tilt_rate: float
    yaw_rate: float
    jx: float
    jy: float
    jz: float


def attitude_model(vehicle: Vehicle, dt: float) -> AttitudeModel:
    """Return the model of a vehicle for steps of `dt` seconds."""
    gains, limits = vehicle.gains, vehicle.limits
    return AttitudeModel(
        dt,
        gains.attitude.tilt_p,
        gains.attitude.yaw_p,
        *_rate_model(gains.tilt_rate, dt),
        *_rate_model(gains.yaw_rate, dt),
        limits.tilt_rate_radps,
        limits.yaw_rate_radps,
        *vehicle.inertia_kgm2,
    )


def _rate_model(gains: RateGains, dt: float) -> tuple[float, float, float, float, float]:
    derivative_alpha = 1.0 - math.exp(-2.0 * math.pi * gains.derivative_cutoff_hz * dt)
    return gains.p, gains.i, gains.d, gains.i_limit_radps2, derivative_alpha


@compiled
def attitude_step(
    model: AttitudeModel,
    force: Vector,
    heading: float,
    turn: tuple[float, float],
    estimate: Estimate,
    state: RateState,
) -> tuple[float, Vector, RateState]:
    """Return thrust, N, torque, N m, base_link, and the next state.

    Args:
        model: gains and limits.
        force: force set-point, N, map; z is positive.
        heading: heading set-point, rad.
        turn: first two derivatives of the heading set-point, rad/s and rad/s^2, used as
            feed-forward.
        estimate: estimated state of the vehicle.
        state: state of the step before; `RateState()` at the start.
    """
    up, now = body_up(estimate.quaternion), estimate.angular_velocity
    thrust = max(0.0, up[0] * force[0] + up[1] * force[1] + up[2] * force[2])
    setpoint = _rates(model, _attitude(force, heading), turn[0], estimate.quaternion)
    total, last, rate = state.integral, state.measured, state.measured_rate
    ax, ix, rx = _tilt_axis(model, setpoint[0] - now[0], now[0] - last[0], total[0], rate[0])
    ay, iy, ry = _tilt_axis(model, setpoint[1] - now[1], now[1] - last[1], total[1], rate[1])
    az, iz, rz = _yaw_axis(model, setpoint[2] - now[2], now[2] - last[2], total[2], rate[2])
    torque = (model.jx * ax, model.jy * ay, model.jz * (az + turn[1]))
    return thrust, torque, RateState((ix, iy, iz), now, (rx, ry, rz))


@compiled
def _rates(
    model: AttitudeModel, setpoint: Quaternion, rate: float, quaternion: Quaternion
) -> Vector:
    """Return body-rate set-points, rad/s: P on the quaternion error, tilt before yaw, as in PX4.

    The error is split into a tilt and a twist about the desired z axis. The twist is weighted by
    yaw_p / tilt_p, so that a slow yaw does not affect the path to the desired tilt
    (Brescianini et al. 2013, doi 10.3929/ethz-a-009970340).
    """
    p = model.tilt_p
    x, y, z, w = times(inverse(quaternion), setpoint)
    cosine = norm(z, w, 0.0)  # of half the tilt
    turn, s, c = 0.0, 0.0, 1.0
    if cosine >= 1e-9:
        s, c = z / cosine, w / cosine
        turn = math.atan2(s, c)
        turn -= math.copysign(math.pi, turn) if abs(turn) > 0.5 * math.pi else 0.0
    # tilt = error * twist^-1: a rotation about an axis in the body's xy plane.
    tilt_x, tilt_y = c * x - s * y, c * y + s * x
    turn *= model.yaw_p / p
    s, c = math.sin(turn), math.cos(turn)
    ex, ey, ez = c * tilt_x + s * tilt_y, c * tilt_y - s * tilt_x, cosine * s
    ux, uy, uz = map_up(quaternion)
    return (
        clip(2.0 * p * ex + rate * ux, model.tilt_rate),
        clip(2.0 * p * ey + rate * uy, model.tilt_rate),
        clip(2.0 * p * ez + rate * uz, model.yaw_rate),
    )


@compiled
def _tilt_axis(
    model: AttitudeModel, error: float, change: float, integral: float, measured_rate: float
) -> tuple[float, float, float]:
    """Return angular acceleration, rad/s^2, next integral and next measured rate of a PID step.

    Args:
        model: gains and limits.
        error: body-rate error, rad/s.
        change: change of the measured body rate since the step before, rad/s, for the derivative.
        integral: integral of the step before, rad/s^2.
        measured_rate: measured rate of the step before, rad/s^2.
    """
    measured_rate += model.derivative_alpha * (change / model.dt - measured_rate)
    output = model.p * error + integral - model.d * measured_rate
    return output, clip(integral + model.i * error * model.dt, model.i_limit), measured_rate


@compiled
def _yaw_axis(
    model: AttitudeModel, error: float, change: float, integral: float, measured_rate: float
) -> tuple[float, float, float]:
    """Apply the PID of `_tilt_axis` with the gains of yaw."""
    measured_rate += model.yaw_derivative_alpha * (change / model.dt - measured_rate)
    output = model.yaw_rate_p * error + integral - model.yaw_rate_d * measured_rate
    after = clip(integral + model.yaw_rate_i * error * model.dt, model.yaw_i_limit)
    return output, after, measured_rate


@compiled
def _attitude(force: Vector, heading: float) -> Quaternion:
    """Return the attitude whose z axis points along a force, at a given heading."""
    x, y, z = force
    c, s = math.cos(heading), math.sin(heading)
    forward, left = c * x + s * y, c * y - s * x
    half_roll = 0.5 * math.atan2(-left, norm(forward, z, 0.0))
    half_pitch = 0.5 * math.atan2(forward, z)
    cr, sr = math.cos(half_roll), math.sin(half_roll)
    cp, sp = math.cos(half_pitch), math.sin(half_pitch)
    tilt = (sr * cp, cr * sp, -sr * sp, cr * cp)
    return times((0.0, 0.0, math.sin(0.5 * heading), math.cos(0.5 * heading)), tilt)
