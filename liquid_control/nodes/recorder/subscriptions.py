"""Subscriptions of a recorder: serialised messages, one subscription a topic."""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

from liquid_control import topics
from liquid_control.errors import OutputError
from liquid_control.nodes.diagnostics import Diagnostics
from liquid_control.nodes.message_classes import begins_with_stamp, message_class, name_of
from liquid_control.nodes.qos import CLASSES, IMAGE_DEPTH, LOCKSTEP_DEPTH, profile

_UNLIMITED = QosTime(9223372036, 854775807)
_PICTURES = (topics.IMAGE, topics.COMPRESSED)


def deep_profile(topic: str, mode: str) -> QoSProfile:
    """Return a topic's profile with queues for seconds: a disk may be busy for one."""
    shallow = profile(topics.IMAGE if topic in _PICTURES else topic, mode)
    return _with_depth(topic, shallow.reliability, shallow.durability)


def offered_profile(topic: str, offers: Sequence[TopicEndpointInfo]) -> QoSProfile:
    """Return a profile that is compatible with every publisher of a topic."""
    qualities = [offer.qos_profile for offer in offers]
    reliable = all(q.reliability == ReliabilityPolicy.RELIABLE for q in qualities)
    transient_local = all(q.durability == DurabilityPolicy.TRANSIENT_LOCAL for q in qualities)
    return _with_depth(
        topic,
        ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        DurabilityPolicy.TRANSIENT_LOCAL if transient_local else DurabilityPolicy.VOLATILE,
    )


def _with_depth(
    topic: str, reliability: ReliabilityPolicy, durability: DurabilityPolicy
) -> QoSProfile:
    depth = IMAGE_DEPTH if topic in _PICTURES else LOCKSTEP_DEPTH
    return QoSProfile(depth=depth, reliability=reliability, durability=durability)


def bag_profile(profile: QoSProfile) -> Qos:
    """Return a profile as bags store it for players."""
    return Qos(
        QosHistory.KEEP_LAST,
        profile.depth,
        QosReliability[profile.reliability.name],
        QosDurability[profile.durability.name],
        _UNLIMITED,
        _UNLIMITED,
        QosLiveliness.AUTOMATIC,
        _UNLIMITED,
        False,
    )


def published(node: Node, topic: str) -> tuple[str, QoSProfile] | None:
    """Return type and profile of a published topic; None without a publisher."""
    offers = node.get_publishers_info_by_topic(topic)
    return (offers[0].topic_type, offered_profile(topic, offers)) if offers else None


def offered_types(node: Node, topic: str) -> set[str]:
    """Return the types that a topic is published with."""
    return {offer.topic_type for offer in node.get_publishers_info_by_topic(topic)}


class MessageHandler(Protocol):
    """Receives topics and messages."""

    def announce(self, topic: str, kind: type, profile: QoSProfile) -> None:
        """Handle a new subscription."""
        ...

    def receive(self, topic: str, stamped: bool, serialised: bytes) -> None:
        """Handle a message; a stamped one begins with its time."""
        ...


class RecorderSubscriptions:
    """Subscriptions by resolved topic name. `topic in subscriptions` resolves the name.

    Args:
        node: the subscriber.
        mode: `lockstep` or `realtime`.
        handler: receives topics and messages.
        diagnostics: counts known losses.
    """

    def __init__(
        self, node: Node, mode: str, handler: MessageHandler, diagnostics: Diagnostics
    ) -> None:
        self._node = node
        self._mode = mode
        self._handler = handler
        self._diagnostics = diagnostics
        self._subscriptions: dict[str, tuple[str, Subscription]] = {}
        self._incompatible: set[str] = set()
        self._not_installed: set[str] = set()
        self._other_types: set[tuple[str, str]] = set()

    def __contains__(self, topic: str) -> bool:
        return self._node.resolve_topic_name(topic) in self._subscriptions

    def publishers(self, topic: str) -> int:
        """Return the number of matched publishers of a subscribed topic."""
        _, subscription = self._subscriptions[self._node.resolve_topic_name(topic)]
        return subscription.get_publisher_count()

    def subscribe(self, topic: str) -> None:
        """Subscribe to a topic of the graph, whether it is published yet or not."""
        self._add(topic, CLASSES[topic], deep_profile(topic, self._mode))

    def subscribe_as_published(self, topic: str) -> None:
        """Subscribe to a topic with its published type; do nothing while it is not published."""
        found = None if topic in self._not_installed else published(self._node, topic)
        if found is None:
            return
        try:
            self._add(topic, message_class(found[0]), found[1])
        except OutputError as error:
            self._not_installed.add(topic)
            self._diagnostics.count("topic_without_type", f"{topic}: {error}")

    def check(self) -> None:
        """Adapt to publishers with a weaker profile, and count topics of another type."""
        for topic in list(self._incompatible):
            self._incompatible.remove(topic)
            if found := published(self._node, topic):
                name, old = self._subscriptions[topic]
                new = self._create(name, old.msg_type, found[1])
                self._subscriptions[topic] = name, new
                self._node.destroy_subscription(old)
        for topic, (_, subscription) in self._subscriptions.items():
            expected = name_of(subscription.msg_type)
            for other in offered_types(self._node, topic) - {expected}:
                self._count_other_type(topic, other, expected)

    def _count_other_type(self, topic: str, other: str, expected: str) -> None:
        if (topic, other) not in self._other_types:
            self._other_types.add((topic, other))
            reason = f"{topic}: expected {expected}, got {other}, which is not recorded"
            self._diagnostics.count("topic_of_another_type", reason)

    def _add(self, topic: str, kind: type, profile: QoSProfile) -> None:
        self._handler.announce(topic, kind, profile)
        resolved = self._node.resolve_topic_name(topic)
        self._subscriptions[resolved] = topic, self._create(topic, kind, profile)

    def _create(self, topic: str, kind: type, profile: QoSProfile) -> Subscription:
        resolved = self._node.resolve_topic_name(topic)
        return self._node.create_subscription(
            kind,
            topic,
            partial(self._handler.receive, topic, begins_with_stamp(kind)),
            profile,
            raw=True,
            event_callbacks=SubscriptionEventCallbacks(
                message_lost=lambda event: self._diagnostics.count(
                    "message_lost",
                    f"the middleware lost {event.total_count_change} messages on {topic}",
                ),
                incompatible_qos=lambda _: self._incompatible.add(resolved),
            ),
        )
