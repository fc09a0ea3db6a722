"""Transforms and robot description of a simulated vehicle."""

import importlib.util

import numpy as np
import pytest
from std_msgs.msg import String

from liquid_control import topics
from liquid_control.config import CameraSettings
from liquid_control.frames import quaternion_from_euler, rotation_from_quaternion
from liquid_control.nodes import conversions, frame_output
from liquid_control.nodes.qos import KEPT
from liquid_control.nodes.vehicle_model import robot_description
from liquid_control.types import VehicleState

pytestmark = pytest.mark.ros

CAMERA = CameraSettings(pitch_down_deg=15.0)
LOCKSTEP = {"mode": "lockstep", "use_sim_time": True}


def test_the_static_transforms_lead_from_the_map_to_the_camera():
    fixed = frame_output.static_transforms(CAMERA)
    pairs = [(one.header.frame_id, one.child_frame_id) for one in fixed]
    assert pairs == [("map", "odom"), ("base_link", "camera_optical_frame")]
    assert fixed[0].transform.rotation.w == 1.0
    rotation = fixed[1].transform.rotation
    quaternion = np.array([rotation.x, rotation.y, rotation.z, rotation.w])
    ahead = rotation_from_quaternion(quaternion) @ [0.0, 0.0, 1.0]
    angle = np.radians(15.0)
    np.testing.assert_allclose(ahead, [np.cos(angle), 0.0, -np.sin(angle)], atol=1e-12)
    assert [one.child_frame_id for one in frame_output.static_transforms(None)] == ["odom"]


def test_a_transform_has_the_pose_and_the_stamp():
    state = VehicleState(
        np.array([1.0, 2.0, 3.0]), quaternion_from_euler(0.1, 0.2, 0.3), np.zeros(3), np.zeros(3)
    )
    one = frame_output.transform("odom", "base_link", state.position, state.quaternion, 1_500_000)
    assert conversions.stamp_of(one.header.stamp) == 1_500_000
    translation, rotation = one.transform.translation, one.transform.rotation
    assert (translation.x, translation.y, translation.z) == (1.0, 2.0, 3.0)
    assert [rotation.x, rotation.y, rotation.z, rotation.w] == state.quaternion.tolist()


def test_a_simulator_publishes_its_description_and_says_once_what_is_not_installed(launch, probe):
    received: list[String] = []
    probe.node.create_subscription(String, topics.DESCRIPTION, received.append, KEPT)
    simulator = launch(topics.SIMULATOR, **LOCKSTEP)
    probe.until(lambda: received, "the description")
    assert received[0].data == robot_description(CameraSettings())
    if importlib.util.find_spec("tf2_msgs") is None:
        probe.until(lambda: frame_output.NO_TF in simulator.log.read_text(), "the line")
        probe.spin(1.0)
        assert simulator.log.read_text().count(frame_output.NO_TF) == 1


def test_transforms_are_published_where_tf2_msgs_is_installed(launch, probe):
    messages = pytest.importorskip("tf2_msgs.msg")
    received: list = []
    probe.node.create_subscription(messages.TFMessage, topics.TF_STATIC, received.append, KEPT)
    launch(topics.SIMULATOR, **LOCKSTEP)
    probe.until(lambda: received, "the static transforms")
    assert [one.child_frame_id for one in received[0].transforms] == [
        "odom",
        "camera_optical_frame",
    ]
