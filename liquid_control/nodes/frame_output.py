"""Transforms and robot description of a simulated or replayed vehicle."""

from importlib import import_module
from math import pi
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import String

from liquid_control import frames, topics
from liquid_control.config import CameraSettings
from liquid_control.nodes import conversions
from liquid_control.nodes.qos import KEPT
from liquid_control.nodes.vehicle_model import camera_pose, robot_description
from liquid_control.types import Floats, VehicleState

TF_DEPTH = 100
NO_TF = "tf2_msgs is not installed: no transforms are published"


def transform(
    parent: str, child: str, position: Floats, quaternion: Floats, stamp_ns: int
) -> TransformStamped:
    """Return the pose of a frame in its parent; the quaternion is (x, y, z, w)."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = conversions.time_message(stamp_ns)
    translation, rotation = message.transform.translation, message.transform.rotation
    translation.x, translation.y, translation.z = map(float, position)
    rotation.x, rotation.y, rotation.z, rotation.w = map(float, quaternion)
    return message


class FrameOutput:
    """Publishes `tf`, `tf_static` and `robot_description`, relative to the node's namespace.

    Without tf2_msgs only the description is published, and one line is logged.

    Args:
        node: the publisher.
        camera: of a simulated vehicle, for its mount; None where it is not known.
        ranged: whether the vehicle has a range sensor.
    """

    def __init__(
        self, node: Node, camera: CameraSettings | None = None, ranged: bool = False
    ) -> None:
        if camera is not None:
            self._description = node.create_publisher(String, topics.DESCRIPTION, KEPT)
            self._description.publish(String(data=robot_description(camera)))
        self._kind, self._dynamic = _tf_message(), None
        if self._kind is None:
            node.get_logger().info(NO_TF)
            return
        self._dynamic: Publisher | None = node.create_publisher(self._kind, topics.TF, TF_DEPTH)
        self._static = node.create_publisher(self._kind, topics.TF_STATIC, KEPT)
        self._static.publish(self._kind(transforms=static_transforms(camera, ranged)))

    def publish(self, state: VehicleState, stamp_ns: int) -> None:
        """Publish the vehicle's pose."""
        if self._dynamic is not None:
            pose = transform(
                frames.ODOM, frames.BASE_LINK, state.position, state.quaternion, stamp_ns
            )
            self._dynamic.publish(self._kind(transforms=[pose]))


def static_transforms(
    camera: CameraSettings | None, ranged: bool = False
) -> list[TransformStamped]:
    """Return the map's frame, which is that of odometry, and the mounts of known sensors."""
    fixed = [transform(frames.MAP, frames.ODOM, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0), 0)]
    if camera is not None:
        mount = camera_pose(camera)
        fixed.append(transform(frames.BASE_LINK, frames.CAMERA_OPTICAL, *mount, 0))
    if ranged:
        down = frames.quaternion_from_euler(0.0, 0.5 * pi, 0.0)
        beam = transform(frames.BASE_LINK, frames.RANGE_BEAM, (0.0, 0.0, 0.0), down, 0)
        fixed.append(beam)
    return fixed


def _tf_message() -> Any:
    """Return the class of tf2_msgs/TFMessage; None where it is not installed."""
    try:
        return import_module("tf2_msgs.msg").TFMessage
    except ImportError:
        return None
