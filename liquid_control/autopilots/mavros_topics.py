"""MAVROS's topics: velocity set-points in the frame of its parameter `mav_frame`, and its state.

Source: the plugin `setpoint_velocity` of MAVROS for ROS 2. It takes the axes of `base_link`, FLU,
with `mav_frame` BODY_NED, and those of `map`, ENU, with LOCAL_NED, its default. Of the twist, the
linear velocity and the rate about z are used.
"""

from typing import Any, Literal

from liquid_control import frames
from liquid_control.autopilots.interface import AutopilotStatus, Firmware
from liquid_control.autopilots.px4_topics import enu_velocity
from liquid_control.types import Command

MavFrame = Literal["BODY_NED", "LOCAL_NED"]
SETPOINT = "setpoint_velocity/cmd_vel"
PLUGIN = "setpoint_velocity"
"""Node of the plugin, which has the parameter `mav_frame`."""
PARAMETER = "mav_frame"
STATE = "state"
FOLLOWING = ("GUIDED", "OFFBOARD")
"""Modes that follow set-points, of ArduPilot and PX4."""


def mavros_velocity(
    command: Command, mav_frame: MavFrame, heading_rad: float
) -> tuple[str, Command]:
    """Return the frame of a set-point's message, and its velocity and yaw rate in this frame.

    Args:
        command: heading frame.
        mav_frame: MAVROS's parameter.
        heading_rad: of the vehicle, counter-clockwise from east; used with LOCAL_NED only.
    """
    if mav_frame == "BODY_NED":
        return frames.BASE_LINK, command
    east, north, up = enu_velocity(command, heading_rad).tolist()
    return frames.MAP, Command(east, north, up, command.yaw_rate_radps)


def frame_problem(plugin: str, wanted: MavFrame, found: object) -> str:
    """Return the line about MAVROS's parameter; empty if it is the one wanted.

    Args:
        plugin: full name of the plugin's node.
        wanted: the frame that set-points are sent in.
        found: value of the parameter; None if the node does not have it.
    """
    if found == wanted:
        return ""
    shown = f"is {found}" if found else "does not exist"
    return (
        f"{PARAMETER} of {plugin} {shown}, expected {wanted}: set it with "
        f"`ros2 param set {plugin} {PARAMETER} {wanted}`, or mav_frame of this node"
    )


def status_of(message: Any) -> AutopilotStatus | None:
    """Return mode and arming of a `mavros_msgs/State`; None while its link is not connected."""
    if not message.connected:
        return None
    mode = str(message.mode)
    obeys = mode in FOLLOWING
    return AutopilotStatus(Firmware.BEHIND_MAVROS, 0, mode, obeys, bool(message.armed))
