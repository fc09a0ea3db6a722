"""Decode MAVROS set-points, also from bags that do not define their type."""

from functools import lru_cache
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from liquid_control import message_types
from liquid_control.bags.bag import MessageSource
from liquid_control.bags.decoding.odometry import xyz
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics.roles import VelocityFrame
from liquid_control.errors import BagError, ObservationError
from liquid_control.types import Floats

IGNORE_VELOCITY = 8 | 16 | 32
IGNORE_YAW_RATE = 2048
OF_THE_BODY = (8, 9)
"""`coordinate_frame`s BODY_NED and BODY_OFFSET_NED: MAVLink's word for the heading frame."""

LAYOUT = """
std_msgs/Header header
uint8 coordinate_frame
uint16 type_mask
geometry_msgs/Point position
geometry_msgs/Vector3 velocity
geometry_msgs/Vector3 acceleration_or_force
float32 yaw
float32 yaw_rate
"""


def position_target(
    bag: MessageSource, message: RawMessage
) -> tuple[VelocityFrame, Floats, float]:
    """Return frame, velocity in m/s, and yaw rate in rad/s, of a set-point.

    MAVROS takes ENU where MAVLink says NED, and FLU where it says body. A yaw rate that is to be
    ignored is taken to be 0.

    Raises:
        BagError: the bytes do not fit.
        ObservationError: the velocity is to be ignored.
    """
    content = _content(bag, message)
    if content.type_mask & IGNORE_VELOCITY:
        raise ObservationError(
            f"expected a set-point of velocity, got one without, type_mask {content.type_mask}"
        )
    in_body = content.coordinate_frame in OF_THE_BODY
    ignored = content.type_mask & IGNORE_YAW_RATE
    return (
        VelocityFrame.HEADING if in_body else VelocityFrame.MAP,
        xyz(content.velocity).astype(np.float64),
        0.0 if ignored else float(content.yaw_rate),
    )


def _content(bag: MessageSource, message: RawMessage) -> Any:
    info = bag.topics.get(message.topic)
    if info is not None and info.definition:
        return bag.decode(message)
    try:
        return _types().deserialize_cdr(message.data, message.type)
    except Exception as error:  # rosbags raises whatever a damaged byte leads it to
        raise BagError(f"{message.topic}: expected {message.type} ({error})") from error


@lru_cache(maxsize=1)
def _types() -> Typestore:
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(LAYOUT, message_types.POSITION_TARGET))
    return store
