"""Decode the vehicle state from odometry messages of ROS and PX4, in ENU and FLU.

The frames are those that the message states in `header.frame_id` and `child_frame_id`.
"""

from functools import lru_cache
from math import hypot
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control import frames, message_types
from liquid_control.bags.bag import MessageSource
from liquid_control.bags.decoding import px4
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics.stated_frames import OPTICAL, UNCLEAR, velocity_frame_of
from liquid_control.bags.topics.topic_rules import VelocityFrame
from liquid_control.errors import ObservationError
from liquid_control.types import Floats, VehicleState

UNIT_TOLERANCE = 1e-9
"""Tolerance of a quaternion's norm; beyond it, the quaternion is normalised."""
MAX_NORM_ERROR = 0.5
"""A norm farther than this from 1 is rejected, such as that of an all-zero quaternion."""


def state_of(bag: MessageSource, message: RawMessage) -> VehicleState:
    """Return the vehicle state of a message.

    Only the attitude has to be finite: each use checks the other values that it needs.

    Raises:
        BagError: the bytes do not fit the type.
        ObservationError: the attitude is not finite, or a frame is unknown.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        state = _decode(bag, message)
    if not np.isfinite(state.quaternion).all():
        raise ObservationError("expected a finite attitude, got one that is not")
    return VehicleState(
        state.position, unit(state.quaternion), state.velocity, state.angular_velocity
    )


def missing_values(state: VehicleState) -> list[str]:
    """Return the names of the values of a state that are not finite."""
    values = {
        "position": state.position,
        "velocity": state.velocity,
        "rates": state.angular_velocity,
    }
    return [name for name, value in values.items() if not np.isfinite(value).all()]


def _decode(bag: MessageSource, message: RawMessage) -> VehicleState:
    if message.type == message_types.VEHICLE_ODOMETRY:
        return px4.vehicle_odometry(px4.fields_of(bag, message))
    if message.type == message_types.VEHICLE_LOCAL_POSITION:
        return px4.vehicle_local_position(px4.fields_of(bag, message))
    return state_of_odometry(bag.decode(message))


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


class OdometryFrames(NamedTuple):
    """Frames of a `nav_msgs/Odometry`.

    Attributes:
        is_ned: whether the pose is in north-east-down axes; else in east-north-up.
        is_frd: whether the body has forward-right-down axes, as it has in north-east-down axes
            unless the message states others; else forward-left-up.
        in_world: whether the twist is in the axes of the world, against the definition of the
            message; its `child_frame_id` then names them.
    """

    is_ned: bool
    is_frd: bool
    in_world: bool


@lru_cache(maxsize=64)
def frames_of(frame_id: str, child_frame_id: str) -> OdometryFrames:
    """Return the frames that an odometry message states.

    Raises:
        ObservationError: the child frame is that of a camera, whose position on the vehicle is
            not known.
    """
    parent, child = velocity_frame_of(frame_id), velocity_frame_of(child_frame_id)
    if child == OPTICAL:
        raise ObservationError(
            f"expected the state of the vehicle, got that of {child_frame_id}, whose place on it "
            "is not known"
        )
    is_ned = parent in (VelocityFrame.NED, UNCLEAR)
    in_world = child in (VelocityFrame.MAP, VelocityFrame.NED)
    is_frd = child in (VelocityFrame.FRD, UNCLEAR) or (is_ned and (in_world or child is None))
    return OdometryFrames(is_ned, is_frd, in_world)


_HALF_TURN_ABOUT_X: NDArray[np.float64] = np.array([1.0, 0.0, 0.0, 0.0])
"""Attitude of forward-right-down axes in forward-left-up axes, (x, y, z, w)."""
_NED_IN_ENU: NDArray[np.float64] = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])


def state_of_odometry(message: Any) -> VehicleState:
    """Return the state of a `nav_msgs/Odometry`: pose in the parent frame, twist in the child's.

    Raises:
        ObservationError: the attitude is not a unit quaternion.
    """
    pose, twist = message.pose.pose, message.twist.twist
    stated = frames_of(message.header.frame_id, message.child_frame_id)
    q = pose.orientation
    quaternion = unit(np.array([q.x, q.y, q.z, q.w]))
    position, linear, angular = xyz(pose.position), xyz(twist.linear), xyz(twist.angular)
    if stated.is_ned:
        quaternion, position = product(_NED_IN_ENU, quaternion), frames.enu_from_ned(position)
        if stated.in_world:
            linear, angular = frames.enu_from_ned(linear), frames.enu_from_ned(angular)
    if stated.is_frd:
        quaternion = product(quaternion, _HALF_TURN_ABOUT_X)
        if not stated.in_world:
            linear, angular = frames.flu_from_frd(linear), frames.flu_from_frd(angular)
    rotation = frames.rotation_from_quaternion(quaternion)
    return VehicleState(
        position=position,
        quaternion=quaternion,
        velocity=linear if stated.in_world else rotation @ linear,
        angular_velocity=rotation.T @ angular if stated.in_world else angular,
    )


def product(first: Floats, second: Floats) -> Floats:
    """Return the quaternion (x, y, z, w) of a rotation by `second`, then by `first`."""
    ax, ay, az, aw = first.tolist()
    bx, by, bz, bw = second.tolist()
    return np.array(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ]
    )
