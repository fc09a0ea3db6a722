"""Node that sends `cmd_vel` as velocity set-points of MAVROS, in the frame that it expects."""

import time
from typing import Any

from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import QoSProfile, qos_profile_sensor_data

from liquid_control import message_types, topics
from liquid_control.autopilots import ArmCheck, mavros_topics
from liquid_control.autopilots.bridge_session import BridgeSession
from liquid_control.autopilots.interface import OnSample
from liquid_control.nodes.autopilot_node import AutopilotNode
from liquid_control.nodes.autopilot_settings import MavrosNodeSettings
from liquid_control.nodes.conversions import command_message
from liquid_control.nodes.guard_inputs import pose_from
from liquid_control.nodes.message_classes import message_class
from liquid_control.nodes.service_calls import ServiceCalls
from liquid_control.nodes.shutdown import main_of
from liquid_control.nodes.topic_autopilot import TopicAutopilot
from liquid_control.types import HOVER, Command

SENT = QoSProfile(depth=1)
RECEIVED = QoSProfile(depth=10)


class MavrosTopics:
    """Topics of MAVROS, and its parameter `mav_frame`, which is asked for once a second.

    Until the parameter is known, set-points are zero velocity.

    Args:
        node: owns publishers, subscriptions and the client.
        settings: its parameters.

    Raises:
        OutputError: `mavros_msgs` is not installed.
    """

    def __init__(self, node: Node, settings: MavrosNodeSettings) -> None:
        self._node, self._frame = node, settings.mav_frame
        self.session = BridgeSession(settings.rules)
        space = settings.mavros.rstrip("/")
        state = f"{space}/{mavros_topics.STATE}"
        self._plugin = node.resolve_service_name(f"{space}/{mavros_topics.PLUGIN}")
        self._publisher = node.create_publisher(
            TwistStamped, f"{space}/{mavros_topics.SETPOINT}", SENT
        )
        kind = message_class(message_types.MAVROS_STATE)
        node.create_subscription(kind, state, self._on_state, RECEIVED)
        if settings.rules.needs_heading:
            qos = qos_profile_sensor_data  # as MAVROS publishes it
            node.create_subscription(Odometry, topics.ODOM, self._on_odometry, qos)
        self._client = node.create_client(GetParameters, f"{self._plugin}/get_parameters")
        self._calls = ServiceCalls()
        self._is_checked = False
        missing = (
            f"no {node.resolve_topic_name(state)} with a connected autopilot arrived (is MAVROS "
            "running?)"
        )
        self.bridge = TopicAutopilot(node, self.session, self.publish, missing, self.check)

    def publish(self, command: Command, heading_rad: float) -> None:
        """Publish a set-point."""
        checked = command if self._is_checked else HOVER
        frame, velocity = mavros_topics.mavros_velocity(checked, self._frame, heading_rad)
        message = command_message(velocity, self._node.get_clock().now().nanoseconds)
        message.header.frame_id = frame
        self._publisher.publish(message)

    def check(self) -> None:
        """Ask for the parameter; one request is on its way at most."""
        if self._plugin in self._calls:
            self._calls.repeat_overdue()
        elif self._client.service_is_ready():
            request = GetParameters.Request(names=[mavros_topics.PARAMETER])
            self._calls.send(self._plugin, self._client, request, self._on_parameter)

    def _on_parameter(self, response: GetParameters.Response) -> None:
        values = response.values
        found = parameter_value_to_python(values[0]) if values else None
        self.session.problem = mavros_topics.frame_problem(self._plugin, self._frame, found)
        self._is_checked = True

    def _on_state(self, message: Any) -> None:
        if (state := mavros_topics.status_of(message)) is not None:
            self.session.status(state, time.monotonic_ns(), ArmCheck(None))

    def _on_odometry(self, message: Odometry) -> None:
        if (pose := pose_from(message)) is not None:
            self.session.heading(pose.yaw_rad, time.monotonic_ns())


def connect(node: Node, settings: MavrosNodeSettings, on_sample: OnSample) -> TopicAutopilot:
    """Return the bridge; IMU, odometry and battery are topics of MAVROS."""
    return MavrosTopics(node, settings).bridge


def main() -> None:
    """Run mavros_setpoint_node."""
    main_of(
        lambda shutdown: [
            AutopilotNode(topics.MAVROS, MavrosNodeSettings, connect, shutdown, samples=False)
        ]
    )


if __name__ == "__main__":
    main()
