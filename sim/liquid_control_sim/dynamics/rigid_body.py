"""Rigid body of a vehicle in compiled arithmetic, with the bits of PyBullet's.

PyBullet steps a body without joints by Featherstone's articulated-body algorithm (R. Featherstone,
Rigid Body Dynamics Algorithms, 2008, section 7.3), here for the base alone:

    v' = F / m + g - k (1 + |v|) v,    J w' = T - w x (J w) - k (1 + |w|) w,

in body coordinates, then a semi-implicit Euler step of the position, and of the attitude by the
exponential map. The order of all operations is that of Bullet 3 (`btMultiBody`, double precision),
so that every result is equal bit for bit. `test_rigid_body.py` compares both. A call of PyBullet
costs more than the arithmetic of a step, and this body needs five of them.
"""

import math
from typing import NamedTuple

from liquid_control_sim.dynamics.vectors import Quaternion, Vector, compiled, to_body
from liquid_control_sim.dynamics.vehicle import Vehicle
from liquid_control_sim.dynamics.velocity_loop import Estimate

_EPSILON = 2.0**-52
_MOST_TURN_RAD = 0.25 * math.pi
"""Largest rotation in one step."""
_SMALL_RADPS = 0.001
"""Angular velocity below which sin(x) / x is a series."""
_SERIES = 0.020833333333

Matrix = tuple[Vector, Vector, Vector]
"""Rows of a rotation matrix."""


class BodyModel(NamedTuple):
    """Constants of a rigid body.

    Attributes:
        mass: kg.
        jx, jy, jz: principal moments of inertia, kg m^2.
        gravity: acceleration of free fall, m/s^2.
        linear_damping, angular_damping: k of PyBullet, 1/s.
        dt: duration of a step, s.
        axis_lags: 1 if thrust points along the z axis of the step before, else 0.
    """

    mass: float
    jx: float
    jy: float
    jz: float
    gravity: float
    linear_damping: float
    angular_damping: float
    dt: float
    axis_lags: float


class Body(NamedTuple):
    """State of a rigid body.

    Attributes:
        position: m, map.
        turn: (x, y, z, w), map to base_link.
        velocity: m/s, map.
        rates: angular velocity, rad/s, map.
    """

    position: Vector
    turn: Quaternion
    velocity: Vector
    rates: Vector


def body_model(vehicle: Vehicle, dt: float) -> BodyModel:
    """Return the constants of a vehicle for steps of `dt` seconds."""
    engine = vehicle.engine
    return BodyModel(
        vehicle.mass_kg,
        *vehicle.inertia_kgm2,
        engine.gravity_mps2,
        engine.linear_damping,
        engine.angular_damping,
        dt,
        float(engine.thrust_axis_lags),
    )


def body_at(position: Vector, heading_rad: float) -> Body:
    """Return a level body at rest.

    Args:
        position: m, map.
        heading_rad: counter-clockwise from east, rad.
    """
    half = 0.5 * heading_rad
    x, y, z, w = quaternion_of(matrix_of((0.0, 0.0, math.sin(half), math.cos(half))))
    still = (0.0, 0.0, 0.0)
    return Body(position, (-x, -y, -z, w), still, still)


@compiled
def estimate_of(body: Body) -> Estimate:
    """Return the state of a body as the autopilot knows it."""
    x, y, z, w = body.turn
    quaternion = quaternion_of(matrix_of((-x, -y, -z, w)))
    return Estimate(body.position, quaternion, body.velocity, to_body(quaternion, body.rates))


@compiled
def body_step(model: BodyModel, body: Body, force: Vector, torque: Vector) -> Body:
    """Return the state one step later.

    Args:
        model: constants.
        body: state.
        force: N, base_link, through the centre of mass.
        torque: N m, base_link.
    """
    x, y, z, w = body.turn
    to_map, to_base = matrix_of((-x, -y, -z, w)), matrix_of(body.turn)
    fx, fy, fz = _rotated(to_map, force)
    force = _rotated(to_base, (fx, fy, fz - model.gravity * model.mass))
    torque = _rotated(to_base, _rotated(to_map, torque))
    rates, velocity = _rotated(to_base, body.rates), _rotated(to_base, body.velocity)
    spin, push = _accelerations(model, rates, velocity, force, torque)
    to_map = _transposed(to_base)
    after_rates = _moved(body.rates, _rotated(to_map, spin), model.dt)
    after_velocity = _moved(body.velocity, _rotated(to_map, push), model.dt)
    return Body(
        _moved(body.position, after_velocity, model.dt),
        _turned(body.turn, after_rates, model.dt),
        after_velocity,
        after_rates,
    )


@compiled
def _accelerations(
    model: BodyModel, rates: Vector, velocity: Vector, force: Vector, torque: Vector
) -> tuple[Vector, Vector]:
    """Return the angular and the linear acceleration; all vectors are in base_link."""
    p, q, r = rates
    jx, jy, jz = model.jx, model.jy, model.jz
    damping = model.angular_damping + model.angular_damping * _size(rates)
    gx, gy, gz = _cross(rates, (jx * p, jy * q, jz * r))
    tx, ty, tz = torque
    spin = (
        -((-tx + jx * p * damping + gx) / jx),
        -((-ty + jy * q * damping + gy) / jy),
        -((-tz + jz * r * damping + gz) / jz),
    )
    mass, per_mass = model.mass, 1.0 / model.mass
    damping = model.linear_damping + model.linear_damping * _size(velocity)
    cx, cy, cz = _cross(rates, velocity)
    u, v, w = velocity
    fx, fy, fz = force
    push = (
        -((-fx + mass * u * damping + mass * cx) * per_mass) + cx,
        -((-fy + mass * v * damping + mass * cy) * per_mass) + cy,
        -((-fz + mass * w * damping + mass * cz) * per_mass) + cz,
    )
    return spin, push


@compiled
def _turned(turn: Quaternion, rates: Vector, dt: float) -> Quaternion:
    """Return the attitude (map to base_link) after a rotation at constant rates, rad/s, map."""
    speed = math.sqrt(_dot(rates, rates))
    if speed * dt > _MOST_TURN_RAD:
        speed = _MOST_TURN_RAD / dt
    if speed < _SMALL_RADPS:
        scale = 0.5 * dt - dt * dt * dt * _SERIES * speed * speed
    else:
        scale = math.sin(0.5 * speed * dt) / speed
    x, y, z, w = turn
    a, b, c, d = -(rates[0] * scale), -(rates[1] * scale), -(rates[2] * scale), 0.0
    d = math.cos(speed * dt * 0.5)
    nx = w * a + x * d + y * c - z * b
    ny = w * b + y * d + z * a - x * c
    nz = w * c + z * d + x * b - y * a
    nw = w * d - x * a - y * b - z * c
    scale = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + nw * nw)
    return nx * scale, ny * scale, nz * scale, nw * scale


@compiled
def matrix_of(quaternion: Quaternion) -> Matrix:
    """Return the rotation matrix of a quaternion."""
    x, y, z, w = quaternion
    scale = 2.0 / (x * x + y * y + z * z + w * w)
    xs, ys, zs = x * scale, y * scale, z * scale
    wx, wy, wz = w * xs, w * ys, w * zs
    xx, xy, xz = x * xs, x * ys, x * zs
    yy, yz, zz = y * ys, y * zs, z * zs
    return (
        (1.0 - (yy + zz), xy - wz, xz + wy),
        (xy + wz, 1.0 - (xx + zz), yz - wx),
        (xz - wy, yz + wx, 1.0 - (xx + yy)),
    )


@compiled
def quaternion_of(matrix: Matrix) -> Quaternion:
    """Return the quaternion of a rotation matrix."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = matrix
    trace = xx + yy + zz
    if trace > 0.0:
        root = math.sqrt(trace + 1.0)
        part = 0.5 / root
        return (zy - yz) * part, (xz - zx) * part, (yx - xy) * part, root * 0.5
    if yy <= xx >= zz:
        root = math.sqrt(xx - yy - zz + 1.0)
        part = 0.5 / root
        return root * 0.5, (yx + xy) * part, (zx + xz) * part, (zy - yz) * part
    if yy >= zz:
        root = math.sqrt(yy - zz - xx + 1.0)
        part = 0.5 / root
        return (xy + yx) * part, root * 0.5, (zy + yz) * part, (xz - zx) * part
    root = math.sqrt(zz - xx - yy + 1.0)
    part = 0.5 / root
    return (xz + zx) * part, (yz + zy) * part, root * 0.5, (yx - xy) * part


@compiled
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def _rotated(matrix: Matrix, vector: Vector) -> Vector:
    return _dot(matrix[0], vector), _dot(matrix[1], vector), _dot(matrix[2], vector)


@compiled
def _transposed(matrix: Matrix) -> Matrix:
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = matrix
    return (xx, yx, zx), (xy, yy, zy), (xz, yz, zz)


@compiled
def _cross(a: Vector, b: Vector) -> Vector:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


@compiled
def _moved(start: Vector, rate: Vector, dt: float) -> Vector:
    return start[0] + dt * rate[0], start[1] + dt * rate[1], start[2] + dt * rate[2]


@compiled
def _size(vector: Vector) -> float:
    square = _dot(vector, vector)
    return math.sqrt(square) if square > _EPSILON else 0.0
