"""Who is missing: a flight begins once everybody hears everybody, and says who does not."""

from collections.abc import Mapping, Sequence
from functools import partial

from lifecycle_msgs.srv import GetState
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from rclpy.task import Future

from liquid_control import topics

LIFECYCLE_NODES = (topics.PERCEPTION, topics.CONTROLLER)


class GraphWatch:
    """Watches the other nodes of the graph.

    Args:
        node: who watches.
        publishers: the node's, by topic.
        commands: the node's subscription to the guard.
        recorder: whether a recorder is expected.
    """

    def __init__(
        self,
        node: Node,
        publishers: Mapping[str, Publisher],
        commands: Subscription,
        recorder: bool,
    ) -> None:
        self._node = node
        self._publishers = publishers
        self._commands = commands
        self._hearers: dict[str, Sequence[str]] = {
            topic: self._expected_hearers(topic, recorder) for topic in publishers
        }
        self._states: dict[str, str] = {}
        self._clients = {
            name: node.create_client(GetState, f"{name}/get_state") for name in LIFECYCLE_NODES
        }
        self._asked: dict[str, Future] = {}

    @staticmethod
    def _expected_hearers(topic: str, recorder: bool) -> Sequence[str]:
        hearers = [topics.RECORDER] if recorder else []
        if topic in (topics.IMAGE, topics.IMU):
            hearers.append(topics.PERCEPTION)
        if topic == topics.CLOCK:
            hearers.append(topics.GUARD)
        return hearers

    def missing(self) -> list[str]:
        """Return what is missing, each as a clause that names node and topic or state."""
        self._ask_states()
        clauses = [
            f"{name} is {self._states.get(name, 'not there')}"
            for name in LIFECYCLE_NODES
            if self._states.get(name) != "active"
        ]
        for topic, publisher in self._publishers.items():
            clauses += self._deaf(topic, publisher)
        if self._commands.get_publisher_count() == 0:
            clauses.append(f"{topics.GUARD} does not publish {topics.COMMAND}")
        return clauses

    def gone(self) -> list[str]:
        """Return the names of the nodes that are no longer in the graph."""
        there = set(self._node.get_node_names())
        expected = dict.fromkeys(name for names in self._hearers.values() for name in names)
        names = [*LIFECYCLE_NODES, topics.GUARD, *expected]
        return sorted(set(names) - there)

    def _deaf(self, topic: str, publisher: Publisher) -> list[str]:
        expected = self._hearers[topic]
        infos = self._node.get_subscriptions_info_by_topic(topic)
        hearing = {info.node_name for info in infos}
        deaf = [name for name in expected if name not in hearing]
        if not deaf and publisher.get_subscription_count() < len(expected):
            return [f"{' or '.join(expected)} hears {topic} with another mode or not yet"]
        return [f"{name} does not hear {topic}" for name in deaf]

    def _ask_states(self) -> None:
        for name, client in self._clients.items():
            if name not in self._asked and client.service_is_ready():
                self._asked[name] = client.call_async(GetState.Request())
                self._asked[name].add_done_callback(partial(self._on_state, name))

    def _on_state(self, name: str, future: Future) -> None:
        self._states[name] = future.result().current_state.label
        del self._asked[name]
