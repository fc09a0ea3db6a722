"""Frames and rotations (REP 103, REP 105).

World `map` is ENU, body `base_link` is FLU, the camera's `camera_optical_frame` is
right-down-forward. Quaternions are (x, y, z, w) and rotate body vectors into the world. The
*heading frame* is `base_link` without roll and pitch: x forward along the heading, y left,
z up; velocity commands are given in it, as MAVLink does with BODY_NED.
"""

import math

import numpy as np
from numpy.typing import NDArray

MAP = "map"
ODOM = "odom"
"""Frame of odometry; the same as `map` in simulation and in a replay."""
BASE_LINK = "base_link"
CAMERA_OPTICAL = "camera_optical_frame"
RANGE_BEAM = "range_frame"
"""Frame of the range sensor: x along its beam, which points down in `base_link`."""

OPTICAL_TO_FLU: NDArray[np.float64] = np.array(
    [[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]
)
"""Rotation from an optical frame to the FLU frame with the same viewing direction."""


def wrap_angle(angle_rad: float) -> float:
    """Return the angle in [-pi, pi)."""
    return (angle_rad + math.pi) % (2.0 * math.pi) - math.pi


def rotation_from_quaternion(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 3x3 rotation, body to world, of a unit quaternion (x, y, z, w)."""
    x, y, z, w = (float(v) for v in quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_from_euler(roll: float, pitch: float, yaw: float) -> NDArray[np.float64]:
    """Return the unit quaternion (x, y, z, w) of intrinsic z-y-x angles in radians."""
    cr, sr = math.cos(roll / 2), math.sin(roll / 2)
    cp, sp = math.cos(pitch / 2), math.sin(pitch / 2)
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    return np.array(
        [
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
            cr * cp * cy + sr * sp * sy,
        ]
    )


def quaternion_product(
    left: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the Hamilton product of quaternions (x, y, z, w): `right` is applied first."""
    x1, y1, z1, w1 = map(float, left)
    x2, y2, z2, w2 = map(float, right)
    return np.array(
        [
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
        ]
    )


def heading_of(quaternion: NDArray[np.float64]) -> float:
    """Return the heading of a body-to-world quaternion, rad, counter-clockwise from east."""
    x, y, z, w = (float(v) for v in quaternion)
    return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def heading_from_world(vector: NDArray[np.float64], heading_rad: float) -> NDArray[np.float64]:
    """Return a world vector in the heading frame (forward, left, up)."""
    c, s = math.cos(heading_rad), math.sin(heading_rad)
    x, y, z = (float(v) for v in vector)
    return np.array([c * x + s * y, -s * x + c * y, z])


def world_from_heading(vector: NDArray[np.float64], heading_rad: float) -> NDArray[np.float64]:
    """Return a vector of the heading frame (forward, left, up) in the world."""
    return heading_from_world(vector, -heading_rad)


def enu_from_ned(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a north-east-down vector as east-north-up; it also converts ENU to NED."""
    x, y, z = (float(v) for v in vector)
    return np.array([y, x, -z])


def flu_from_frd(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a forward-right-down vector as forward-left-up; it also converts FLU to FRD."""
    x, y, z = (float(v) for v in vector)
    return np.array([x, -y, -z])


def quaternion_from_ned_frd(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the attitude (x, y, z, w), FLU to ENU, of an attitude (w, x, y, z), FRD to NED.

    ENU from NED is a half turn about (1, 1, 0) / sqrt(2), FRD from FLU one about x. The product
    q(ENU from NED) q q(FRD from FLU) is (w + z, x + y, x - y, w - z) / sqrt(2), in the order
    (w, x, y, z), up to the sign.
    """
    w, x, y, z = (float(v) for v in quaternion)
    half = math.sqrt(0.5)
    return np.array([half * (x + y), half * (x - y), half * (w - z), half * (w + z)])
