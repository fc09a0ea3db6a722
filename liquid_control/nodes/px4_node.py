"""Node that connects PX4 over ROS 2 (`px4_msgs`, uXRCE-DDS): `cmd_vel` out, its state in."""

import math
import time
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from liquid_control import frames, topics
from liquid_control.autopilots import OdometrySample, px4_topics
from liquid_control.autopilots.bridge_session import BridgeSession
from liquid_control.autopilots.interface import OnSample
from liquid_control.bags.decoding.px4 import vehicle_odometry
from liquid_control.errors import ObservationError
from liquid_control.nodes.autopilot_node import AutopilotNode
from liquid_control.nodes.autopilot_settings import Px4NodeSettings
from liquid_control.nodes.message_classes import message_class, type_definition
from liquid_control.nodes.shutdown import main_of
from liquid_control.nodes.topic_autopilot import TopicAutopilot
from liquid_control.types import Command

NOT_CONTROLLED = [math.nan] * 3
RECEIVED = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
"""PX4's publishers are best effort."""
SENT = QoSProfile(depth=1)
NANOSECONDS_PER_MICROSECOND = 1000
CLOCK_TOLERANCE_NS = 500_000_000
"""A stamp further from now is of another clock: the time of arrival is used."""


class Px4Topics:
    """PX4's topics in the namespace of a node.

    Args:
        node: owns publishers and subscriptions.
        settings: its parameters.
        on_sample: called with IMU samples and odometry.

    Raises:
        OutputError: `px4_msgs` is not installed, or lacks a type.
    """

    def __init__(self, node: Node, settings: Px4NodeSettings, on_sample: OnSample) -> None:
        self._node, self._on_sample = node, on_sample
        self._classes = {
            one: message_class(one.kind)
            for one in (*px4_topics.USED, px4_topics.REQUEST, px4_topics.RESPONSE)
        }
        self.session = BridgeSession(settings.rules)
        self._setpoint = self._publisher(px4_topics.SETPOINT)
        self._mode = self._publisher(px4_topics.MODE)
        self._request = self._publisher(px4_topics.REQUEST)
        self._unchecked = list(px4_topics.USED) if settings.check_formats else []
        self._format_problem = ""
        callbacks = {
            px4_topics.STATUS: self._on_status,
            px4_topics.ODOMETRY: self._on_odometry,
            px4_topics.SENSORS: self._on_sensors,
            px4_topics.BATTERY: self._on_battery,
            px4_topics.RESPONSE: self._on_format,
        }
        for topic, callback in callbacks.items():
            kind, name = self._classes[topic], topic.named(self._version(topic))
            node.create_subscription(kind, name, callback, RECEIVED)
        status = node.resolve_topic_name(px4_topics.STATUS.named(self._version(px4_topics.STATUS)))
        missing = f"no {status} arrived (is the uXRCE-DDS agent running, and PX4 connected to it?)"
        self.bridge = TopicAutopilot(node, self.session, self.publish, missing, self.check)

    def publish(self, command: Command, heading_rad: float) -> None:
        """Publish a set-point, and with it the mode, which is PX4's proof of life.

        A timestamp of 0 lets PX4 set it.
        """
        velocity, yawspeed = px4_topics.ned_setpoint(command, heading_rad)
        setpoint = self._classes[px4_topics.SETPOINT](yaw=math.nan, yawspeed=yawspeed)
        setpoint.velocity = list(velocity)
        setpoint.position = setpoint.acceleration = setpoint.jerk = NOT_CONTROLLED
        self._mode.publish(self._classes[px4_topics.MODE](velocity=True))
        self._setpoint.publish(setpoint)

    def check(self) -> None:
        """Compare versions of messages with those of PX4, and ask for the formats."""
        versions = {topic: self._version(topic) for topic in px4_topics.NEEDED}
        prefix = self._node.resolve_topic_name("fmu").removesuffix("fmu")
        problem = px4_topics.version_problem(self._present(), prefix, versions)
        self.session.mismatch = problem or self._format_problem
        self._request_format()

    def _request_format(self) -> None:
        """Ask PX4 for the next format; it is asked again once a second until it answers."""
        if not self._unchecked or self._request.get_subscription_count() == 0:
            return
        protocol = px4_topics.FORMAT_PROTOCOL
        request = self._classes[px4_topics.REQUEST](protocol_version=protocol)
        name = self._unchecked[0].name.encode()
        request.topic_name = list(name.ljust(len(request.topic_name), b"\0"))
        self._request.publish(request)

    def _present(self) -> list[str]:
        """Return the topics that others publish for us, or subscribe to."""
        node, names = self._node, [name for name, _ in self._node.get_topic_names_and_types()]
        out = [one for one in names if "/fmu/out/" in one and node.count_publishers(one) > 0]
        into = [one for one in names if "/fmu/in/" in one and node.count_subscribers(one) > 0]
        return out + into

    def _publisher(self, topic: px4_topics.Px4Topic) -> Any:
        kind = self._classes[topic]
        return self._node.create_publisher(kind, topic.named(self._version(topic)), SENT)

    def _version(self, topic: px4_topics.Px4Topic) -> int:
        return int(getattr(self._classes[topic], "MESSAGE_VERSION", 0))

    def _on_status(self, message: Any) -> None:
        state, check = px4_topics.status_of(message)
        self.session.status(state, time.monotonic_ns(), check)

    def _on_odometry(self, message: Any) -> None:
        try:
            state = vehicle_odometry(message)
        except ObservationError:
            return
        heading_rad = frames.heading_of(state.quaternion)
        if math.isfinite(heading_rad):
            self.session.heading(heading_rad, time.monotonic_ns())
            self._on_sample(OdometrySample(self._stamp_ns(message), state))

    def _on_sensors(self, message: Any) -> None:
        if (sample := px4_topics.imu_sample(message, self._stamp_ns(message))) is not None:
            self._on_sample(sample)

    def _on_battery(self, message: Any) -> None:
        self.bridge.battery = px4_topics.battery_of(message)

    def _on_format(self, message: Any) -> None:
        name = bytes(message.topic_name).split(b"\0")[0].decode(errors="replace")
        topic = next((one for one in self._unchecked if one.name == name), None)
        if topic is None:
            return
        self._unchecked.remove(topic)
        self._request_format()
        wanted = px4_topics.format_hash(type_definition(self._classes[topic]))
        full = self._node.resolve_topic_name(name)
        known, received = bool(message.success), int(message.message_hash)
        problem = px4_topics.format_problem(full, known, wanted, received)
        if problem and topic in px4_topics.NEEDED:
            self._format_problem = self.session.mismatch = problem

    def _stamp_ns(self, message: Any) -> int:
        """Return a message's time in our steady clock; the agent gives it in the system's."""
        stamp_ns = int(message.timestamp) * NANOSECONDS_PER_MICROSECOND
        age_ns = time.time_ns() - stamp_ns
        return time.monotonic_ns() - (age_ns if abs(age_ns) < CLOCK_TOLERANCE_NS else 0)


def connect(node: Node, settings: Px4NodeSettings, on_sample: OnSample) -> TopicAutopilot:
    """Return the bridge."""
    return Px4Topics(node, settings, on_sample).bridge


def main() -> None:
    """Run px4_node."""
    main_of(lambda shutdown: [AutopilotNode(topics.PX4, Px4NodeSettings, connect, shutdown)])


if __name__ == "__main__":
    main()
