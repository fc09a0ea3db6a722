"""How a recorder listens: deeper than those who act, and to whatever quality is offered."""

from collections.abc import Sequence

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

from liquid_control.nodes import topics
from liquid_control.nodes.qos import IMAGE_DEPTH, LOCKSTEP_DEPTH, profile

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
