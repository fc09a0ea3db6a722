import math
from xml.etree import ElementTree

import numpy as np
import pytest

from liquid_control.config import CameraSettings
from liquid_control.frames import rotation_from_quaternion
from liquid_control.nodes.vehicle_model import camera_pose, robot_description
from liquid_control_sim.render.optics import make_mount

pytestmark = pytest.mark.unit

CAMERA = CameraSettings(forward_m=0.12, up_m=-0.03, pitch_down_deg=20.0)


def test_the_camera_is_mounted_as_the_simulator_renders_it():
    mount = make_mount(CAMERA)
    position, quaternion = camera_pose(CAMERA)
    np.testing.assert_allclose(position, mount.offset)
    np.testing.assert_allclose(rotation_from_quaternion(quaternion), mount.rotation, atol=1e-12)


def test_the_robot_description_has_the_mount():
    robot = ElementTree.fromstring(robot_description(CAMERA))
    assert [link.get("name") for link in robot.iter("link")] == [
        "base_link",
        "camera_optical_frame",
    ]
    origin = robot.find("joint/origin")
    assert origin.get("xyz") == "0.12 0 -0.03"
    angles = [float(word) for word in origin.get("rpy").split()]
    np.testing.assert_allclose(angles, [-math.radians(110.0), 0.0, -math.pi / 2], atol=1e-8)
