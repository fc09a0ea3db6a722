"""Node of a fault campaign: a foreign publisher on one topic of the graph."""

import time
from typing import Literal

import numpy as np
from pydantic import Field
from rclpy.node import Node
from rclpy.publisher import Publisher

from liquid_control import topics
from liquid_control.config import CameraSettings
from liquid_control.nodes import conversions
from liquid_control.nodes.node_settings import Mode, NodeSettings
from liquid_control.nodes.pace import STEADY
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.nodes.shutdown import main_of
from liquid_control.types import NANOSECONDS, Command

FEATURES = 38
"""As many as a policy's features, inertial values and other inputs."""
BACKWARDS = Command(forward_mps=-4.0, yaw_rate_radps=2.0)
"""What nobody should fly."""


class IntruderSettings(NodeSettings):
    """Parameters of intruder_node."""

    mode: Mode = Field("realtime", description="quality of service of the graph")
    topic: Literal[
        "camera/image_raw",
        "camera/camera_info",
        "imu/data",
        "perception/features",
        "policy/cmd_vel",
        "cmd_vel",
        "clock",
    ] = Field("policy/cmd_vel", description="topic to publish on")
    rate_hz: float = Field(50.0, gt=0.0, le=5000.0, description="messages, 1/s")
    start_s: float = Field(0.0, ge=0.0, description="begin, s of ROS time")
    duration_s: float = Field(1e6, gt=0.0, description="length, s of ROS time")


class IntruderNode(Node):
    """Publishes plausible but wrong messages for a time.

    Stamps are those of ROS time, so that no check of stamps refuses them. The publisher exists for
    that time only: the graph answers a second publisher before its first message.
    """

    def __init__(self) -> None:
        super().__init__("intruder_node")
        self._settings = settings = declare(self, IntruderSettings)
        self._publisher: Publisher | None = None
        self.create_timer(1.0 / settings.rate_hz, self._publish, clock=STEADY)

    def _publish(self) -> None:
        settings, now_ns = self._settings, self.get_clock().now().nanoseconds
        begun_s = now_ns / NANOSECONDS - settings.start_s
        if now_ns == 0 or begun_s < 0.0:
            return
        if begun_s < settings.duration_s:
            if self._publisher is None:
                qos = profile(settings.topic, settings.mode)
                kind = CLASSES[settings.topic]
                self._publisher = self.create_publisher(kind, settings.topic, qos)
            self._publisher.publish(_message(settings.topic, now_ns))
        elif self._publisher is not None:
            self.destroy_publisher(self._publisher)
            self._publisher = None


def _message(topic: str, now_ns: int) -> object:
    if topic in (topics.POLICY_COMMAND, topics.COMMAND):
        return conversions.command_message(BACKWARDS, now_ns)
    if topic == topics.FEATURES:
        return conversions.features_message(np.full(FEATURES, -1.0, np.float32), now_ns)
    if topic == topics.IMAGE:
        size = CameraSettings()
        return conversions.image_message(np.zeros((size.height, size.width, 3), np.uint8), now_ns)
    if topic == topics.CAMERA_INFO:
        return conversions.camera_info_message(CameraSettings(), now_ns)
    if topic == topics.CLOCK:
        return conversions.clock_message(now_ns + (1 if time.time_ns() % 2 else -1) * NANOSECONDS)
    return conversions.imu_message((9.0, 9.0, 9.0), (0.0, 0.0, 9.81), now_ns)


if __name__ == "__main__":
    main_of(lambda shutdown: [IntruderNode()])
