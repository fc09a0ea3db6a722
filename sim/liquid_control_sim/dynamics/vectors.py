"""Vectors and quaternions as tuples of floats, for compiled physics steps."""

import math
from pathlib import Path
from typing import TypeAlias

from liquid_control_sim.compiling import Compiler

compiled = Compiler("dynamics", Path(__file__).parent)
"""Decorator that compiles a function. Compiled functions use `norm` instead of `math.hypot`,
whose rounding differs between Python and C.
"""

Vector: TypeAlias = tuple[float, float, float]
Four: TypeAlias = tuple[float, float, float, float]
"""One value per rotor: front right, rear left, front left, rear right."""
Quaternion: TypeAlias = tuple[float, float, float, float]
"""(x, y, z, w), unit."""
Flat: TypeAlias = tuple[float, ...]
"""Many floats in one tuple: the cheapest argument type of compiled code."""
ZERO: Vector = (0.0, 0.0, 0.0)


@compiled
def times(a: Quaternion, b: Quaternion) -> Quaternion:
    """Return the product of two quaternions."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


@compiled
def inverse(q: Quaternion) -> Quaternion:
    """Return the inverse of a unit quaternion."""
    return (-q[0], -q[1], -q[2], q[3])


@compiled
def body_up(q: Quaternion) -> Vector:
    """Return the z axis of base_link in the map."""
    x, y, z, w = q
    return 2.0 * (x * z + y * w), 2.0 * (y * z - x * w), 1.0 - 2.0 * (x * x + y * y)


@compiled
def map_up(q: Quaternion) -> Vector:
    """Return the z axis of the map in base_link."""
    x, y, z, w = q
    return 2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)


@compiled
def to_body(quaternion: Quaternion, vector: Vector) -> Vector:
    """Rotate a vector from the map into base_link."""
    x, y, z, w = quaternion
    a, b, c = vector
    # v + 2 w (u x v) + 2 u x (u x v), with u the vector part of the inverse rotation
    tx, ty, tz = 2.0 * (z * b - y * c), 2.0 * (x * c - z * a), 2.0 * (y * a - x * b)
    return (
        a + w * tx + z * ty - y * tz,
        b + w * ty + x * tz - z * tx,
        c + w * tz + y * tx - x * ty,
    )


@compiled
def norm(x: float, y: float, z: float) -> float:
    """Return the length of a vector; bit-identical with and without compilation."""
    return math.sqrt(x * x + y * y + z * z)


@compiled
def clip(value: float, limit: float) -> float:
    """Clip a value to [-limit, limit]."""
    return min(max(value, -limit), limit)
