"""Publishers of a simulated vehicle's drivers that have faults for a time."""

from array import array
from collections import deque
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Protocol

from liquid_control import topics
from liquid_control.config.driver_faults import DELAY_S, JUMP_S, DriverFault, DriverFaultKind
from liquid_control.nodes import conversions
from liquid_control.seeding import stream
from liquid_control.types import NANOSECONDS


class MessagePublisher(Protocol):
    """What publishes messages: rclpy's publisher, or one with faults."""

    def publish(self, message: Any) -> None:
        """Publish a message."""
        ...


def message_stamp_ns(message: Any) -> int:
    """Return the stamp of a message with a header, or the time of a clock message, ns."""
    return conversions.stamp_of(_time(message))


def _time(message: Any) -> Any:
    return message.clock if hasattr(message, "clock") else message.header.stamp


def _set_stamp(message: Any, stamp_ns: int) -> Any:
    time = conversions.time_message(stamp_ns)
    if hasattr(message, "clock"):
        message.clock = time
    else:
        message.header.stamp = time
    return message


class FaultyPublisher:
    """Publishes messages as a driver with faults does.

    Args:
        publisher: of the topic.
        topic: its name.
        faults: of all topics; those of others are ignored.
        seed: of random content, from the stream `faults.<topic>`.
    """

    def __init__(
        self, publisher: MessagePublisher, topic: str, faults: Sequence[DriverFault], seed: int
    ) -> None:
        self._publisher = publisher
        self._topic = topic
        self._faults = [fault for fault in faults if fault.topic == topic]
        self._rng = stream(seed, f"faults.{topic}")
        self._last: Any = None
        self._late: deque[Any] = deque()
        self._held: Any = None
        self._count = 0

    def publish(self, message: Any) -> None:
        """Publish a message, or what the active fault makes of it."""
        stamp_ns = message_stamp_ns(message)
        while self._late and message_stamp_ns(self._late[0]) + DELAY_S * NANOSECONDS <= stamp_ns:
            self._publisher.publish(self._late.popleft())
        fault = next((fault for fault in self._faults if fault.active(stamp_ns)), None)
        if fault is None:
            self._release()
            # Drivers may reuse a message: what a fault repeats must be a copy.
            self._last = deepcopy(message) if self._faults else None
            self._publisher.publish(message)
            return
        self._count += 1
        for changed in self._changed(fault.kind, message, stamp_ns):
            self._publisher.publish(changed)

    def _release(self) -> None:
        if self._held is not None:
            self._publisher.publish(self._held)
            self._held = None

    def _changed(self, kind: DriverFaultKind, message: Any, stamp_ns: int) -> list[Any]:
        """Return the messages to publish instead of one."""
        if kind is DriverFaultKind.FROZEN:
            last = self._last
            return [] if last is None else [_set_stamp(deepcopy(last), stamp_ns)]
        if kind is DriverFaultKind.STUCK:
            return [] if self._last is None else [self._last]
        if kind is DriverFaultKind.DELAYED:
            self._late.append(deepcopy(message))
            return []
        if kind is DriverFaultKind.DUPLICATED:
            return [message, message]
        if kind is DriverFaultKind.REORDERED:
            held, self._held = self._held, None
            if held is not None:
                return [message, held]
            self._held = deepcopy(message)
            return []
        if kind is DriverFaultKind.JUMPED:
            return [_set_stamp(deepcopy(message), stamp_ns + round(JUMP_S * NANOSECONDS))]
        if kind is DriverFaultKind.NOT_FINITE:
            return [_not_finite(self._topic, deepcopy(message))]
        if kind is DriverFaultKind.GARBAGE:
            return [self._garbage(deepcopy(message))]
        return []

    def _garbage(self, message: Any) -> Any:
        if self._topic == topics.IMAGE:
            size = len(message.data) - (self._count % 2)
            message.data = array("B", self._rng.bytes(size))
            return message
        for vector in (message.angular_velocity, message.linear_acceleration):
            vector.x, vector.y, vector.z = (1e30 * self._rng.standard_normal(3)).tolist()
        return message


def _not_finite(topic: str, message: Any) -> Any:
    nan = float("nan")
    if topic == topics.CAMERA_INFO:
        message.k = [nan] * 9
    elif topic == topics.IMU:
        for vector in (message.angular_velocity, message.linear_acceleration):
            vector.x = vector.y = vector.z = nan
    else:
        position, velocity = message.pose.pose.position, message.twist.twist.linear
        position.x = position.y = position.z = velocity.x = velocity.y = velocity.z = nan
    return message
