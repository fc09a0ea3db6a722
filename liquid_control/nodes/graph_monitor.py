"""Supervision of a run: it begins once the graph is complete, and ends when the graph stalls."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from lifecycle_msgs.srv import GetState
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription

from liquid_control import topics
from liquid_control.errors import GraphError
from liquid_control.nodes.flight_log import LOG_PERIOD_S, waiting_sentence
from liquid_control.nodes.namespaces import graph_nodes
from liquid_control.nodes.node_settings import SourceSettings
from liquid_control.nodes.pace import STEADY, Pace
from liquid_control.nodes.service_calls import ServiceCalls
from liquid_control.nodes.shutdown import Shutdown
from liquid_control.stall_timer import StallTimer, cpu_time_s, siblings

LIFECYCLE_NODES = (topics.PERCEPTION, topics.CONTROLLER)
PROGRAMS = frozenset(
    {
        *LIFECYCLE_NODES,
        "policy_node",
        topics.GUARD,
        topics.GUARD_STANDBY,
        topics.RECORDER,
        topics.MANAGER,
        topics.MAVLINK,
    }
)
"""Programs of the nodes that a run waits for."""
CHECK_PERIOD_S = 0.05
WAITING_STATES = ("unconfigured", "inactive")
"""States in which a lifecycle node waits for an operator or its manager."""
ANSWER_S = 3.0
"""Age up to which a state counts: a node that hangs does not answer."""
ACKNOWLEDGE_S = 2.0
"""For subscribers to acknowledge the last messages of a run."""


def graph_cpu_time_s() -> float:
    """Return the CPU time of the graph's other nodes, as far as one parent started them all, s."""
    return cpu_time_s(siblings(PROGRAMS))


class GraphMonitor:
    """Observes the other nodes of the graph.

    Args:
        node: the observer.
        publishers: the node's, by topic.
        commands: the node's subscription to the guard.
        recorder: whether a recorder is expected.
        others: returns a clause for everything else that is not ready.
    """

    def __init__(
        self,
        node: Node,
        publishers: Mapping[str, Publisher],
        commands: Subscription,
        recorder: bool,
        others: Callable[[], list[str]] = list,
    ) -> None:
        self._node = node
        self._publishers = publishers
        self._commands = commands
        self._others = others
        self._subscribers: dict[str, Sequence[str]] = {
            topic: self._expected_subscribers(topic, recorder) for topic in publishers
        }
        self._states: dict[str, str] = {}
        self._answered_s: dict[str, float] = {}
        self._clients = {
            name: node.create_client(GetState, f"{name}/get_state") for name in LIFECYCLE_NODES
        }
        self._calls = ServiceCalls()

    @staticmethod
    def _expected_subscribers(topic: str, recorder: bool) -> Sequence[str]:
        subscribers = [topics.RECORDER] if recorder else []
        if topic in (topics.IMAGE, topics.IMU, topics.CAMERA_INFO):
            subscribers.append(topics.PERCEPTION)
        if topic == topics.CLOCK:
            subscribers.append(topics.GUARD)
        return subscribers

    def missing(self) -> list[str]:
        """Return a clause for each node that is not ready, with its topic or its state."""
        self._request_states()
        clauses = [
            f"{name} is {self._states.get(name, 'not there')}"
            for name in LIFECYCLE_NODES
            if self._states.get(name) != "active"
        ]
        for topic, publisher in self._publishers.items():
            clauses += self._missing_subscribers(topic, publisher)
        if self._commands.get_publisher_count() == 0:
            clauses.append(f"{topics.GUARD} does not publish {topics.COMMAND}")
        return clauses + self._others()

    def gone(self) -> list[str]:
        """Return the names of the expected nodes that are no longer in the graph."""
        expected = {name for names in self._subscribers.values() for name in names}
        expected |= {*LIFECYCLE_NODES, topics.GUARD}
        return sorted(expected - self.node_names())

    def waits_for_operator(self) -> bool:
        """Return whether a lifecycle node answers that it is not active, a normal state."""
        now_s = time.monotonic()
        return any(
            self._states[name] in WAITING_STATES and now_s - answered_s < ANSWER_S
            for name, answered_s in self._answered_s.items()
        )

    def node_names(self) -> set[str]:
        """Return the names of the nodes in the observer's namespace."""
        return graph_nodes(self._node)

    def _missing_subscribers(self, topic: str, publisher: Publisher) -> list[str]:
        expected = self._subscribers[topic]
        resolved, space = self._node.resolve_topic_name(topic), self._node.get_namespace()
        infos = self._node.get_subscriptions_info_by_topic(topic)
        found = {info.node_name for info in infos if info.node_namespace == space}
        missing = sorted(set(expected) - found)
        if not missing and publisher.get_subscription_count() < len(expected):
            names = " or ".join(expected)
            return [f"{names} subscribes to {resolved} with another mode or is not matched yet"]
        return [f"{name} does not subscribe to {resolved}" for name in missing]

    def _request_states(self) -> None:
        self._calls.repeat_overdue()
        for name, client in self._clients.items():
            if name not in self._calls and client.service_is_ready():
                self._calls.send(name, client, GetState.Request(), partial(self._on_state, name))

    def _on_state(self, name: str, response: GetState.Response) -> None:
        self._states[name] = response.current_state.label
        self._answered_s[name] = time.monotonic()


class RunSupervisor:
    """Begins a run once its graph is complete, and ends the process when the graph stalls.

    Both waits follow the rule of `stall_timer`: they fail when neither the graph nor the CPU time
    of its nodes has advanced for the time limit.

    Args:
        node: owner of the timer.
        shutdown: ends the process with an error.
        monitor: of the graph.
        pace: knows the awaited answer.
        settings: the time limits.
        begin: begins the run.
        complete: whether to wait for a complete graph.
        settling_s: time between the complete graph and the beginning, s; subscribers may still be
            matching each other.
    """

    def __init__(
        self,
        node: Node,
        shutdown: Shutdown,
        monitor: GraphMonitor,
        pace: Pace,
        settings: SourceSettings,
        begin: Callable[[], None],
        complete: bool = True,
        settling_s: float = 0.0,
    ) -> None:
        self._shutdown = shutdown
        self._monitor = monitor
        self._pace = pace
        self._begin = begin
        self._complete = complete
        self._settling_s = settling_s
        self._starting = StallTimer(settings.start_timeout_s, graph_cpu_time_s)
        self._answering = StallTimer(settings.answer_timeout_s, graph_cpu_time_s)
        self._logger = node.get_logger()
        self._waiting_s = time.monotonic()
        self._begun_s: float | None = None
        self._complete_s: float | None = None
        self._timer = node.create_timer(CHECK_PERIOD_S, self._check, clock=STEADY)

    @property
    def elapsed_s(self) -> float:
        """Wall time since the beginning of the run, s; 0 before it."""
        return 0.0 if self._begun_s is None else time.monotonic() - self._begun_s

    def _check(self) -> None:
        if self._begun_s is None:
            self._begin_if_complete()
        elif self._pace.awaited_ns is None:
            self._answering.restart()
        elif self._answering.expired(self._pace.awaited_ns):
            gone = self._monitor.gone()
            reason = f"gone: {', '.join(gone)}" if gone else "all nodes are still in the graph"
            self._fail(
                f"no {topics.COMMAND} from {topics.GUARD} for the awaited tick, and no progress "
                f"for {self._answering.limit_s:g} s ({reason})"
            )

    def _begin_if_complete(self) -> None:
        missing = self._monitor.missing() if self._complete else []
        if not missing:
            self._complete_s = self._complete_s or time.monotonic()
            if time.monotonic() - self._complete_s >= self._settling_s:
                self._begun_s = time.monotonic()
                self._begin()
            return
        if time.monotonic() - self._waiting_s >= LOG_PERIOD_S:
            self._waiting_s = time.monotonic()
            self._logger.info(waiting_sentence(missing))
        if self._monitor.waits_for_operator():
            self._starting.restart()
        elif self._starting.expired((missing, self._monitor.node_names())):
            self._fail(
                "the graph is not complete, and there was no progress for "
                f"{self._starting.limit_s:g} s: {'; '.join(missing)}"
            )

    def _fail(self, reason: str) -> None:
        self._timer.cancel()
        self._shutdown.fail(GraphError(reason))


def wait_for_acknowledgement(publishers: Iterable[Publisher]) -> None:
    """Wait until subscribers have acknowledged all messages, or do not progress any more."""
    timer = StallTimer(ACKNOWLEDGE_S, graph_cpu_time_s)
    for publisher in publishers:
        while not publisher.wait_for_all_acked(Duration(seconds=0.2)) and not timer.expired():
            pass
