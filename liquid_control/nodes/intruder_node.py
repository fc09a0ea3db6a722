"""Node of a fault campaign: a foreign publisher on one topic of the graph."""

import time

import numpy as np
from rclpy.node import Node

from liquid_control import topics
from liquid_control.config import CameraSettings
from liquid_control.nodes import conversions
from liquid_control.nodes.node_settings import IntruderSettings
from liquid_control.nodes.pace import STEADY
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.nodes.shutdown import main_of
from liquid_control.types import NANOSECONDS, Command

FEATURES = 38
"""As many as a policy's features, inertial values and other inputs."""
BACKWARDS = Command(forward_mps=-4.0, yaw_rate_radps=2.0)
"""What nobody should fly."""


class IntruderNode(Node):
    """Publishes plausible but wrong messages, from its start until it is ended.

    Stamps are those of ROS time, so that no check of stamps refuses them.
    """

    def __init__(self) -> None:
        super().__init__("intruder_node")
        settings = declare(self, IntruderSettings)
        self._topic = settings.topic
        kind = CLASSES[self._topic]
        self._publisher = self.create_publisher(
            kind, self._topic, profile(self._topic, settings.mode)
        )
        self.create_timer(1.0 / settings.rate_hz, self._publish, clock=STEADY)

    def _publish(self) -> None:
        now_ns = self.get_clock().now().nanoseconds
        if now_ns:
            self._publisher.publish(_message(self._topic, now_ns))


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


def main() -> None:
    """Run intruder_node."""
    main_of(lambda shutdown: [IntruderNode()])


if __name__ == "__main__":
    main()
