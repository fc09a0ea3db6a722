"""Mount of the camera and robot description of a simulated vehicle; independent of ROS."""

import math

import numpy as np
from numpy.typing import NDArray

from liquid_control import frames
from liquid_control.config import CameraSettings


def camera_pose(camera: CameraSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return position, m, and quaternion (x, y, z, w) of the optical frame in base_link."""
    position = np.array([camera.forward_m, 0.0, camera.up_m])
    roll, pitch, yaw = optical_angles(camera)
    return position, frames.quaternion_from_euler(roll, pitch, yaw)


def optical_angles(camera: CameraSettings) -> tuple[float, float, float]:
    """Return roll, pitch and yaw of the optical frame in base_link, rad, intrinsic z-y-x.

    A camera that looks forward has z forward, x right and y down: roll and yaw of -90 degrees.
    Pitching it down by an angle adds to the roll.
    """
    return -0.5 * math.pi - math.radians(camera.pitch_down_deg), 0.0, -0.5 * math.pi


def robot_description(camera: CameraSettings) -> str:
    """Return the URDF of the vehicle's frames: base_link and the camera's optical frame."""
    roll, pitch, yaw = optical_angles(camera)
    return (
        '<?xml version="1.0"?>\n'
        '<robot name="liquid_control">\n'
        f'  <link name="{frames.BASE_LINK}"/>\n'
        f'  <link name="{frames.CAMERA_OPTICAL}"/>\n'
        '  <joint name="camera_mount" type="fixed">\n'
        f'    <parent link="{frames.BASE_LINK}"/>\n'
        f'    <child link="{frames.CAMERA_OPTICAL}"/>\n'
        f'    <origin xyz="{camera.forward_m:g} 0 {camera.up_m:g}"'
        f' rpy="{roll:.9g} {pitch:g} {yaw:.9g}"/>\n'
        "  </joint>\n"
        "</robot>\n"
    )
