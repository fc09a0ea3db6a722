"""Topics that are read when a viewer is due a message, not when one arrives."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from liquid_control.viewers.rates import Pacer, TopicReading

KEPT = 10
"""Messages that wait for the next reading of a topic of which every one is needed."""


@dataclass
class PolledTopic:
    """A subscription and when it is read next."""

    subscription: Subscription
    source: TopicReading
    pacer: Pacer


class PolledTopics:
    """Subscribes to topics and takes their newest messages, serialised, at rates of its own.

    A message that arrives costs the system's copy and no Python: the subscriptions belong to a ROS
    node that no executor spins. They are best effort and shallow, so no publisher waits for them.

    Args:
        node: whose namespace and remapping rules they have.
        kind_of: returns the message class of a topic.
        clock: steady time, s.
    """

    def __init__(
        self,
        node: Node,
        kind_of: Callable[[str], type],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node, self._kind_of, self._clock = node, kind_of, clock
        self._topics: dict[str, PolledTopic] = {}
        self._reader = rclpy.create_node(
            f"{node.get_name()}_reader",
            context=node.context,
            namespace=node.get_namespace(),
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
        )

    def follow(self, sources: Mapping[str, TopicReading]) -> None:
        """Subscribe to these topics and to no others; they are read in this order."""
        for topic, one in list(self._topics.items()):
            if topic not in sources or sources[topic].every != one.source.every:
                self._reader.destroy_subscription(self._topics.pop(topic).subscription)
        self._topics = {topic: self._followed(topic, one) for topic, one in sources.items()}

    def _followed(self, topic: str, source: TopicReading) -> PolledTopic:
        known = self._topics.get(topic)
        if known is not None and known.source == source:
            return known
        subscription = self._subscribe(topic, source) if known is None else known.subscription
        return PolledTopic(subscription, source, Pacer(source.rate_hz))

    def _subscribe(self, topic: str, source: TopicReading) -> Subscription:
        quality = QoSProfile(
            depth=KEPT if source.every else 1, reliability=ReliabilityPolicy.BEST_EFFORT
        )
        return self._reader.create_subscription(
            self._kind_of(topic),
            self._node.resolve_topic_name(topic),
            _never_called,
            quality,
            raw=True,
        )

    def take(self) -> Iterator[tuple[str, bytes]]:
        """Yield topic and message of what has arrived on the topics that are due.

        The messages of a topic come in the order of their arrival.
        """
        now_s = self._clock()
        for topic, one in self._topics.items():
            if not one.pacer.due(now_s):
                continue
            take = one.subscription.handle.take_message
            with one.subscription.handle:
                for _ in range(KEPT if one.source.every else 1):
                    if (taken := take(one.subscription.msg_type, True)) is None:
                        break
                    yield topic, taken[0]

    def close(self) -> None:
        """End the subscriptions."""
        self._topics = {}
        self._reader.destroy_node()


def _never_called(message: bytes) -> None:
    raise AssertionError("no executor spins the reader")
