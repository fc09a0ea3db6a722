"""Readings of the guard's rules: subscriptions to the topics that the enabled rules need."""

from collections.abc import Callable
from dataclasses import replace
from math import inf, isfinite, nan
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import BatteryState, CameraInfo, Imu, JointState, Range

from liquid_control import topics
from liquid_control.autopilots import AutopilotStatus
from liquid_control.command import (
    AutopilotReading,
    GuardInputs,
    GuardRules,
    PoseReading,
    RangeReading,
)
from liquid_control.frames import rotation_from_quaternion
from liquid_control.nodes.conversions import imu_from, stamp_of, time_message
from liquid_control.nodes.publisher_binding import BoundTopics
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.types import PictureHealth, VehicleState


def needed_topics(rules: GuardRules) -> tuple[str, ...]:
    """Return the topics that the enabled rules read."""
    needed = {
        topics.ODOM: rules.fence.exists or rules.barrier or rules.odometry_max_age_s > 0.0,
        topics.CAMERA_INFO: rules.camera_max_age_s > 0.0,
        topics.IMU: rules.imu_max_age_s > 0.0,
        topics.FORWARD_RANGE: rules.min_forward_m > 0.0,
        topics.RANGE: rules.min_ground_m > 0.0,
        topics.PICTURE: rules.checks_pictures,
        topics.BATTERY: rules.min_battery > 0.0,
        topics.AUTOPILOT: rules.some,
    }
    return tuple(topic for topic, is_needed in needed.items() if is_needed)


class GuardReadings:
    """Newest readings, from one publisher a topic.

    In real time subscriptions are best effort, which fits every publisher.

    Args:
        node: the guard.
        rules: those that are enabled decide what is read.
        mode: `lockstep` or `realtime`.

    Attributes:
        inputs: the readings.
    """

    def __init__(self, node: Node, rules: GuardRules, mode: str) -> None:
        self.inputs = GuardInputs()
        self._node = node
        self._rules = rules
        self._mode = mode
        self._needed = needed_topics(rules)
        self._bound: BoundTopics | None = None
        self._changed: Callable[[], None] = lambda: None

    def subscribe(self, bound: BoundTopics, changed: Callable[[], None]) -> None:
        """Subscribe; `changed` is called after every message."""
        self._bound, self._changed = bound, changed
        handlers: dict[str, Callable[[Any], GuardInputs]] = {
            topics.ODOM: self._odometry,
            topics.CAMERA_INFO: self._camera_info,
            topics.IMU: self._imu,
            topics.FORWARD_RANGE: self._forward,
            topics.RANGE: self._ground,
            topics.PICTURE: self._picture,
            topics.BATTERY: self._battery,
            topics.AUTOPILOT: self._autopilot,
        }
        for topic in self._needed:
            self._subscribe(topic, handlers[topic])

    def complete(self, stamp_ns: int, framed: bool) -> bool:
        """Return whether the readings of a control tick of a lockstep flight have arrived.

        Args:
            stamp_ns: of the tick.
            framed: whether it has a frame.
        """
        pose, picture, ground = self.inputs.pose, self.inputs.picture, self.inputs.ground
        newest = {topics.ODOM: pose and pose.stamp_ns, topics.IMU: self.inputs.imu_ns}
        if framed:
            newest |= {
                topics.CAMERA_INFO: self.inputs.camera_ns,
                topics.PICTURE: picture and picture.stamp_ns,
                topics.RANGE: ground and ground.stamp_ns,
            }
        awaited = (newest[topic] for topic in self._needed if topic in newest)
        return all(one is not None and one >= stamp_ns for one in awaited)

    def _subscribe(self, topic: str, read: Callable[[Any], GuardInputs]) -> None:
        assert self._bound is not None
        bound = self._bound

        def receive(message: Any) -> None:
            if not bound.refuses(topic):
                self.inputs = read(message)
                self._changed()

        lockstep = self._mode == "lockstep"
        quality = profile(topic, self._mode) if lockstep else qos_profile_sensor_data
        self._node.create_subscription(
            CLASSES[topic], topic, receive, quality, event_callbacks=bound.bind(topic)
        )

    def _odometry(self, message: Odometry) -> GuardInputs:
        pose = pose_from(message)
        return self.inputs if pose is None else replace(self.inputs, pose=pose)

    def _camera_info(self, message: CameraInfo) -> GuardInputs:
        return replace(self.inputs, camera_ns=stamp_of(message.header.stamp))

    def _imu(self, message: Imu) -> GuardInputs:
        return replace(self.inputs, imu_ns=imu_from(message)[0])

    def _forward(self, message: Range) -> GuardInputs:
        return replace(self.inputs, forward=range_reading(message))

    def _ground(self, message: Range) -> GuardInputs:
        return replace(self.inputs, ground=range_reading(message))

    def _picture(self, message: JointState) -> GuardInputs:
        health = picture_health_from(message)
        return self.inputs if health is None else self.inputs.with_picture(health, self._rules)

    def _battery(self, message: BatteryState) -> GuardInputs:
        charge = float(message.percentage)
        return replace(self.inputs, battery=charge) if isfinite(charge) else self.inputs

    def _autopilot(self, message: DiagnosticArray) -> GuardInputs:
        return replace(self.inputs, autopilot=autopilot_from(message))


def pose_from(message: Odometry) -> PoseReading | None:
    """Return pose and velocity of odometry in the map; None where the pose is not finite."""
    position, turned = message.pose.pose.position, message.pose.pose.orientation
    linear = message.twist.twist.linear
    quaternion = np.array([turned.x, turned.y, turned.z, turned.w])
    body = np.array([linear.x, linear.y, linear.z])
    state = VehicleState(
        np.array([position.x, position.y, position.z]),
        quaternion,
        rotation_from_quaternion(quaternion) @ body,
        np.zeros(3),
    )
    return PoseReading.of(stamp_of(message.header.stamp), state)


def range_reading(message: Range) -> RangeReading:
    """Return a range: infinite beyond the sensor's reach, 0 for an object too near (REP 117).

    NaN is no measurement: its distance is 0, the cautious value.
    """
    distance_m = float(message.range)
    limited = message.min_range < message.max_range
    if limited and distance_m > message.max_range:
        distance_m = inf
    elif not distance_m > 0.0 or (limited and distance_m < message.min_range):
        distance_m = 0.0
    return RangeReading(stamp_of(message.header.stamp), distance_m)


HEALTH_NAMES = PictureHealth._fields[1:]


def picture_health_message(health: PictureHealth) -> JointState:
    """Return the health of a picture: values (position) by name, with the frame's stamp."""
    message = JointState(name=list(HEALTH_NAMES))
    message.header.stamp = time_message(health.stamp_ns)
    message.position = [float(value) for value in health[1:]]
    return message


def picture_health_from(message: JointState) -> PictureHealth | None:
    """Return the health of a picture; None where the message has other or non-finite values."""
    values = list(message.position)
    if tuple(message.name) != HEALTH_NAMES or not all(isfinite(one) for one in values):
        return None
    repeats, *others = values
    return PictureHealth(stamp_of(message.header.stamp), int(repeats), *others)


def autopilot_message(
    name: str, status: AutopilotStatus | None, connected: bool, stamp_ns: int
) -> DiagnosticArray:
    """Return an autopilot's state: link, mode, arming, and whether the mode follows set-points.

    Args:
        name: of the node that states it.
        status: of the autopilot; None before it is found.
        connected: whether its link is.
        stamp_ns: time of the message.
    """
    values = {"connected": connected and status is not None, "obeys": False, "armed": False}
    if status is not None:
        values |= {"obeys": status.obeys, "armed": status.armed}
    text = {name: str(value).lower() for name, value in values.items()}
    text["mode"] = "" if status is None else status.mode
    one = DiagnosticStatus(
        level=DiagnosticStatus.OK if values["connected"] else DiagnosticStatus.ERROR,
        name=name,
        message="no autopilot yet" if status is None else str(status),
        values=[KeyValue(key=key, value=value) for key, value in text.items()],
    )
    message = DiagnosticArray(status=[one])
    message.header.stamp = time_message(stamp_ns)
    return message


def autopilot_from(message: DiagnosticArray) -> AutopilotReading:
    """Return an autopilot's state; what the message does not state is false."""
    pairs = {pair.key: pair.value for one in message.status for pair in one.values}
    connected, obeys, armed = (pairs.get(k) == "true" for k in ("connected", "obeys", "armed"))
    return AutopilotReading(stamp_of(message.header.stamp), connected, obeys, armed)


def battery_message(charge: float | None, voltage_v: float | None, stamp_ns: int) -> BatteryState:
    """Return a battery's charge, of 1, and voltage; NaN for what is not known."""
    message = BatteryState(present=True)
    message.header.stamp = time_message(stamp_ns)
    message.percentage = nan if charge is None else charge
    message.voltage = nan if voltage_v is None else voltage_v
    return message
