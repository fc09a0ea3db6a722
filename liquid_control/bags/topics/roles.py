"""What a topic can be in a flight, which types can play it, and in which frames they may speak."""

from enum import Enum

from liquid_control.message_types import (
    CAMERA_INFO,
    CLOCK,
    COMPRESSED_IMAGE,
    IMAGE,
    IMU,
    JOINT_STATE,
    ODOMETRY,
    POSITION_TARGET,
    SENSOR_COMBINED,
    TRAJECTORY_SETPOINT,
    TWIST,
    TWIST_STAMPED,
    VEHICLE_LOCAL_POSITION,
    VEHICLE_ODOMETRY,
)


class Role(str, Enum):
    """What a topic is to a flight; the values are what flags and files call it."""

    CAMERA = "camera"
    CAMERA_INFO = "camera_info"
    IMU = "imu"
    ODOMETRY = "odometry"
    POLICY_COMMAND = "policy_command"
    COMMAND = "command"
    FEATURES = "features"
    NEURONS = "neurons"
    CLOCK = "clock"


class VelocityFrame(str, Enum):
    """The frame that a command's velocity is told in.

    `heading` is `base_link` without roll and pitch, `body` is `base_link` (FLU) with them, `map`
    is ENU, `ned` is north-east-down.
    """

    HEADING = "heading"
    BODY = "body"
    MAP = "map"
    NED = "ned"


class Axes(str, Enum):
    """The axes of an IMU: of `base_link` (FLU), forward-right-down, or as a camera's."""

    FLU = "flu"
    FRD = "frd"
    OPTICAL = "optical"


_STATES = (ODOMETRY, VEHICLE_ODOMETRY, VEHICLE_LOCAL_POSITION)
_COMMANDS = (TWIST_STAMPED, TWIST, TRAJECTORY_SETPOINT, POSITION_TARGET, *_STATES)

TYPES: dict[Role, tuple[str, ...]] = {
    Role.CAMERA: (IMAGE, COMPRESSED_IMAGE),
    Role.CAMERA_INFO: (CAMERA_INFO,),
    Role.IMU: (IMU, SENSOR_COMBINED),
    Role.ODOMETRY: _STATES,
    Role.POLICY_COMMAND: _COMMANDS,
    Role.COMMAND: _COMMANDS,
    Role.FEATURES: (IMAGE,),
    Role.NEURONS: (JOINT_STATE,),
    Role.CLOCK: (CLOCK,),
}
"""The types that a role can be read from; a measured state as a command is its velocity."""
