"""Binding of a node's topics to one publisher each, by the graph."""

from collections.abc import Sequence

from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node

from liquid_control.nodes.diagnostics import Diagnostics
from liquid_control.publishers import (
    UNKNOWN,
    Endpoint,
    PublisherBinding,
    SecondPublisher,
    expected_publishers,
)

CHECK_PERIOD_S = 0.2
_UNNAMED = "_NODE_NAME_UNKNOWN_"
SECOND_PUBLISHER = "second_publisher"
REFUSED = "message_of_second_publisher"


def endpoints_of(node: Node, topic: str) -> list[Endpoint]:
    """Return the publishers of a topic that the graph knows."""
    return [
        Endpoint(_full_name(info.node_namespace, info.node_name), bytes(info.endpoint_gid))
        for info in node.get_publishers_info_by_topic(topic)
    ]


def _full_name(namespace: str, name: str) -> str:
    return UNKNOWN if name == _UNNAMED else f"{namespace.rstrip('/')}/{name}"


class BoundTopics:
    """The topics that a node subscribes to, each bound to one publisher.

    A publisher is found when the subscription is matched with it, which is before its first
    message. Its name follows within some 0.1 s.

    Args:
        node: the subscriber.
        diagnostics: counts the second publishers, and the messages that are refused because of
            them.
        second: see `PublisherBinding`.
        publishers: expected nodes, as `topic=node`; other topics may be published by any node.
        topics: those that the node may subscribe to.

    Raises:
        ConfigError: `publishers` is malformed, or has another topic.
    """

    def __init__(
        self,
        node: Node,
        diagnostics: Diagnostics,
        second: SecondPublisher,
        publishers: Sequence[str],
        topics: Sequence[str],
    ) -> None:
        self._node = node
        self._diagnostics = diagnostics
        self._second = second
        self._expected = expected_publishers(publishers, topics)
        self._bindings: dict[str, PublisherBinding] = {}
        self._timer = node.create_timer(
            CHECK_PERIOD_S, self.check, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def bind(self, topic: str) -> SubscriptionEventCallbacks:
        """Bind a topic; return the callbacks for its subscription."""
        self._bindings[topic] = PublisherBinding(
            self._node.resolve_topic_name(topic), self._expected.get(topic, ""), self._second
        )
        return SubscriptionEventCallbacks(matched=lambda event: self._check(topic))

    def unbind(self, topic: str) -> None:
        """Forget a topic whose subscription is destroyed."""
        self._bindings.pop(topic, None)
        self._report()

    def release(self) -> None:
        """Bind every topic to the publisher that it has now, as at the start of a flight."""
        for binding in self._bindings.values():
            binding.release()
        self.check()

    @property
    def refusal(self) -> str:
        """Reason why messages cannot be used, of any topic; empty if all can."""
        return next((one.refusal for one in self._bindings.values() if one.refusal), "")

    def refuses(self, topic: str) -> bool:
        """Return whether a message that has arrived must not be used; count it if so."""
        if not self._bindings[topic].refusal:
            return False
        self._diagnostics.counts[REFUSED] += 1
        return True

    def check(self) -> None:
        """Compare the publishers of every topic with the bound ones."""
        for topic in self._bindings:
            self._check(topic)

    def _check(self, topic: str) -> None:
        binding = self._bindings.get(topic)
        if binding is None:
            return
        for notice in binding.update(endpoints_of(self._node, topic)):
            if notice.second:
                self._diagnostics.count(SECOND_PUBLISHER, notice.text)
            else:
                self._node.get_logger().info(notice.text)
        self._report()

    def _report(self) -> None:
        self._diagnostics.refusal = self.refusal
