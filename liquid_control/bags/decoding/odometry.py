"""Decode the vehicle state from odometry messages of ROS and PX4, in ENU and FLU."""

from math import hypot
from typing import Any

import numpy as np

from liquid_control import frames, message_types
from liquid_control.bags.bag import MessageSource
from liquid_control.bags.decoding import px4
from liquid_control.bags.storage.part import RawMessage
from liquid_control.errors import ObservationError
from liquid_control.types import Floats, VehicleState

UNIT_TOLERANCE = 1e-9
"""Tolerance of a quaternion's norm; beyond it, the quaternion is normalised."""
MAX_NORM_ERROR = 0.5
"""A norm farther than this from 1 is rejected, such as that of an all-zero quaternion."""


def state_of(bag: MessageSource, message: RawMessage) -> VehicleState:
    """Return the vehicle state of a message.

    Raises:
        BagError: the bytes do not fit the type.
        ObservationError: a value is not finite, or a frame is unknown.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        state = _decode(bag, message)
    values = (state.position, state.velocity, state.angular_velocity, state.quaternion)
    if not all(np.isfinite(value).all() for value in values):
        raise ObservationError("expected finite position, attitude, velocity and rates")
    return VehicleState(
        state.position, unit(state.quaternion), state.velocity, state.angular_velocity
    )


def _decode(bag: MessageSource, message: RawMessage) -> VehicleState:
    if message.type == message_types.VEHICLE_ODOMETRY:
        return px4.vehicle_odometry(px4.fields_of(bag, message))
    if message.type == message_types.VEHICLE_LOCAL_POSITION:
        return px4.vehicle_local_position(px4.fields_of(bag, message))
    return _odometry(bag.decode(message))


def unit(quaternion: Floats) -> Floats:
    """Return a quaternion normalised to length 1.

    Raises:
        ObservationError: its norm is not close to 1.
    """
    norm = hypot(*quaternion.tolist())
    if not abs(norm - 1.0) <= MAX_NORM_ERROR:
        raise ObservationError(f"expected a unit quaternion, got {quaternion.tolist()}")
    return quaternion if abs(norm - 1.0) <= UNIT_TOLERANCE else quaternion / norm


def xyz(vector: Any) -> Floats:
    """Return a `geometry_msgs` vector or point as float64 [3]."""
    return np.array([vector.x, vector.y, vector.z])


def _odometry(message: Any) -> VehicleState:
    """Decode `nav_msgs/Odometry`: pose in the parent frame, twist in the child frame."""
    pose, twist = message.pose.pose, message.twist.twist
    q = pose.orientation
    quaternion = unit(np.array([q.x, q.y, q.z, q.w]))
    return VehicleState(
        position=xyz(pose.position),
        quaternion=quaternion,
        velocity=frames.rotation_from_quaternion(quaternion) @ xyz(twist.linear),
        angular_velocity=xyz(twist.angular),
    )
