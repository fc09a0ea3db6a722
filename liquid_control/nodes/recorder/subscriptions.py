"""What a recorder hears: topics as bytes, each once, of our type or of the one that is found."""

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

_FOREVER = QosTime(9223372036, 854775807)
_PICTURES = (topics.IMAGE, topics.COMPRESSED)


def deep_profile(topic: str, mode: str) -> QoSProfile:
    """Return a topic's profile for a recorder: seconds deep, since a disk may be busy for one."""
    usual = profile(topics.IMAGE if topic in _PICTURES else topic, mode)
    return _with_depth(topic, usual.reliability, usual.durability)


def offered_profile(topic: str, offers: Sequence[TopicEndpointInfo]) -> QoSProfile:
    """Return a profile that hears every one of a topic's publishers."""
    qualities = [offer.qos_profile for offer in offers]
    reliable = all(q.reliability == ReliabilityPolicy.RELIABLE for q in qualities)
    kept = all(q.durability == DurabilityPolicy.TRANSIENT_LOCAL for q in qualities)
    return _with_depth(
        topic,
        ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        DurabilityPolicy.TRANSIENT_LOCAL if kept else DurabilityPolicy.VOLATILE,
    )


def _with_depth(
    topic: str, reliability: ReliabilityPolicy, durability: DurabilityPolicy
) -> QoSProfile:
    depth = IMAGE_DEPTH if topic in _PICTURES else LOCKSTEP_DEPTH
    return QoSProfile(depth=depth, reliability=reliability, durability=durability)


def told_profile(heard: QoSProfile) -> Qos:
    """Return a profile as bags tell it, for players."""
    return Qos(
        QosHistory.KEEP_LAST,
        heard.depth,
        QosReliability[heard.reliability.name],
        QosDurability[heard.durability.name],
        _FOREVER,
        _FOREVER,
        QosLiveliness.AUTOMATIC,
        _FOREVER,
        False,
    )


def published(node: Node, topic: str) -> tuple[str, QoSProfile] | None:
    """Return type and profile of a topic that somebody publishes, None where nobody does."""
    offers = node.get_publishers_info_by_topic(topic)
    return (offers[0].topic_type, offered_profile(topic, offers)) if offers else None


def offered_types(node: Node, topic: str) -> set[str]:
    """Return the types that a topic is published with."""
    return {offer.topic_type for offer in node.get_publishers_info_by_topic(topic)}


class MessageHandler(Protocol):
    """Takes what is heard."""

    def announce(self, topic: str, kind: type, profile: QoSProfile) -> None:
        """Take note that a topic is heard from now on."""
        ...

    def take(self, topic: str, stamped: bool, serialised: bytes) -> None:
        """Take a message; one that is stamped begins with its time."""
        ...


class RecorderSubscriptions:
    """Subscribes for a recorder.

    Args:
        node: who hears.
        mode: lockstep or realtime.
        listener: takes topics and messages.
        diagnostics: counts what is known not to be heard.
    """

    def __init__(
        self, node: Node, mode: str, listener: MessageHandler, diagnostics: Diagnostics
    ) -> None:
        self._node = node
        self._mode = mode
        self._listener = listener
        self._diagnostics = diagnostics
        self._heard: dict[str, tuple[str, Subscription]] = {}
        self._unmatched: set[str] = set()
        self._unknown: set[str] = set()
        self._strange: set[tuple[str, str]] = set()

    def hears(self, topic: str) -> bool:
        """Return whether a topic is heard, by this or another of its names."""
        return self._node.resolve_topic_name(topic) in self._heard

    def publishers(self, topic: str) -> int:
        """Return how many publishers of a topic that is heard have been found."""
        _, subscription = self._heard[self._node.resolve_topic_name(topic)]
        return subscription.get_publisher_count()

    def hear_ours(self, topic: str) -> None:
        """Hear a topic of the graph, whether it is there yet or not."""
        self._hear(topic, CLASSES[topic], deep_profile(topic, self._mode))

    def hear_found(self, topic: str) -> None:
        """Hear a topic as it is published; do nothing while it is not."""
        found = None if topic in self._unknown else published(self._node, topic)
        if found is None:
            return
        try:
            self._hear(topic, message_class(found[0]), found[1])
        except OutputError as error:
            self._unknown.add(topic)
            self._diagnostics.count("topic_without_type", f"{topic}: {error}")

    def look(self) -> None:
        """Hear those who promise less than is usual; count topics of another type than ours."""
        for topic in list(self._unmatched):
            self._unmatched.remove(topic)
            if found := published(self._node, topic):
                name, old = self._heard[topic]
                self._heard[topic] = name, self._subscribe(name, old.msg_type, found[1])
                self._node.destroy_subscription(old)
        for topic, (_, subscription) in self._heard.items():
            ours = name_of(subscription.msg_type)
            for theirs in offered_types(self._node, topic) - {ours}:
                self._count_strange(topic, theirs, ours)

    def _count_strange(self, topic: str, theirs: str, ours: str) -> None:
        if (topic, theirs) not in self._strange:
            self._strange.add((topic, theirs))
            reason = f"{topic}: expected {ours}, got {theirs}, which is not recorded"
            self._diagnostics.count("topic_of_another_type", reason)

    def _hear(self, topic: str, kind: type, profile: QoSProfile) -> None:
        self._listener.announce(topic, kind, profile)
        resolved = self._node.resolve_topic_name(topic)
        self._heard[resolved] = topic, self._subscribe(topic, kind, profile)

    def _subscribe(self, topic: str, kind: type, profile: QoSProfile) -> Subscription:
        resolved = self._node.resolve_topic_name(topic)
        return self._node.create_subscription(
            kind,
            topic,
            partial(self._listener.take, topic, begins_with_stamp(kind)),
            profile,
            raw=True,
            event_callbacks=SubscriptionEventCallbacks(
                message_lost=lambda event: self._diagnostics.count(
                    "message_lost", f"{event.total_count_change} on {topic}"
                ),
                incompatible_qos=lambda _: self._unmatched.add(resolved),
            ),
        )
