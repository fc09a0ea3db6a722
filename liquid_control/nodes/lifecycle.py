"""Bases of the lifecycle nodes: those of the policy, and one of a viewer."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from rclpy.clock import Clock, ClockType
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import (
    LifecycleNode,
    LifecyclePublisher,
    LifecycleState,
    TransitionCallbackReturn,
)
from rclpy.timer import Timer

from liquid_control.errors import LiquidControlError, ModelError
from liquid_control.nodes.diagnostics import Diagnostics
from liquid_control.nodes.input_wait import InputWait
from liquid_control.nodes.node_settings import LifecycleSettings, ModelNodeSettings
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.publisher_binding import BoundTopics
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.nodes.shutdown import Shutdown
from liquid_control.policy import Policy, load_model

S = TypeVar("S", bound=LifecycleSettings)
M = TypeVar("M", bound=ModelNodeSettings)
RCLError = rclpy_implementation.RCLError

START_DELAY_S = 0.01
INPUT_PERIOD_S = 0.5


class ManagedNode(LifecycleNode, Generic[S]):
    """A lifecycle node that starts itself where `autostart` is set.

    Subclasses check and load in `prepare`, create publishers, subscriptions and timers in
    `connect`, and reset their state in `reset`.

    Attributes:
        settings: the parameters.
        diagnostics: of the node.
        active: whether the node works.
    """

    def __init__(self, name: str, model: type[S], shutdown: Shutdown) -> None:
        super().__init__(name)
        self.settings: S = declare(self, model)
        self.diagnostics = Diagnostics(self, self.settings.mode, self.more_counts)
        self._shutdown = shutdown
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._cleanups: list[Callable[[], object]] = []
        self.active = False
        self._starter = self.create_timer(START_DELAY_S, self._start, clock=self._steady)
        if not self.settings.autostart:
            self._starter.cancel()

    def prepare(self) -> None:
        """Check the settings and load what they name.

        Raises:
            LiquidControlError: they cannot be used.
        """
        raise NotImplementedError

    def connect(self) -> None:
        """Create publishers, subscriptions and timers."""
        raise NotImplementedError

    def reset(self) -> None:
        """Begin a flight with a fresh state."""
        raise NotImplementedError

    def more_counts(self) -> Mapping[str, int]:
        """Return counts for the diagnostics that are kept elsewhere."""
        return {}

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and check; fail with one line in the log if something cannot be used."""
        try:
            self.prepare()
        except LiquidControlError as error:
            self.get_logger().error(" ".join(str(error).split()))
            return TransitionCallbackReturn.FAILURE
        self.reset()
        self._rest()
        self.connect()
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin a flight."""
        self.reset()
        self.diagnostics.state = "ok"
        self.active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop answering."""
        self.active = False
        self._rest()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Destroy everything that was created when the node was configured."""
        for cleanup in self._cleanups:
            cleanup()
        self._cleanups = []
        return super().on_cleanup(state)

    def every(self, period_s: float, callback: Callable[[], None]) -> Timer:
        """Return a timer on wall time."""
        timer = self.create_timer(period_s, callback, clock=self._steady)
        self._cleanups.append(partial(self.destroy_timer, timer))
        return timer

    def _LifecycleNodeMixin__change_state(  # noqa: N802 the name that rclpy mangles
        self, number: int
    ) -> TransitionCallbackReturn:
        """Refuse a transition that the node's state does not have.

        rclpy raises instead, and any request for such a transition would end the process.
        """
        try:
            return super()._LifecycleNodeMixin__change_state(number)
        except RCLError:
            _, state = self._state_machine.current_state
            self.get_logger().warning(f"transition {number} refused: the node is {state}")
            return TransitionCallbackReturn.FAILURE

    def _rest(self) -> None:
        """Report a normal state: configured, and not active."""
        self.diagnostics.problem, self.diagnostics.state = "", "inactive"

    def _now_s(self) -> float:
        return self._steady.now().nanoseconds * 1e-9

    def _start(self) -> None:
        self._starter.cancel()
        success = TransitionCallbackReturn.SUCCESS
        if self.trigger_configure() != success or self.trigger_activate() != success:
            self._shutdown.request(2)


class ModelNode(ManagedNode[M]):
    """A lifecycle node that loads a model when it is configured.

    Subclasses create publishers and subscriptions in `connect`, and reset their state in `reset`.

    Attributes:
        subscribed: topics that the class may subscribe to.
        bound: topics that the node subscribes to, each bound to one publisher.
        inputs: its topics, for messages while the node is active.
    """

    subscribed: ClassVar[tuple[str, ...]] = ()

    def __init__(self, name: str, model: type[M], shutdown: Shutdown) -> None:
        super().__init__(name, model, shutdown)
        self.bound = BoundTopics(
            self,
            self.diagnostics,
            self.settings.second_publisher,
            self.settings.publishers,
            self.subscribed,
        )
        self.inputs = InputWait(
            lambda: self.active,
            lambda topic: self.count_publishers(self.resolve_topic_name(topic)),
        )
        self.create_timer(INPUT_PERIOD_S, self._report_inputs, clock=self._steady)

    def check(self) -> None:
        """Check the settings against the model; the default accepts all.

        Raises:
            LiquidControlError: they do not fit.
        """

    def prepare(self) -> None:
        """Load and check the model.

        Raises:
            LiquidControlError: it cannot be used.
        """
        if not self.settings.model:
            raise ModelError("expected a model folder in the parameter model, got nothing")
        self.policy = Policy(load_model(self.settings.model))
        self.check()

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin a flight."""
        self.bound.release()
        self.inputs.restart(self._now_s())
        return super().on_activate(state)

    def publish_to(self, topic: str) -> LifecyclePublisher:
        """Return a publisher of a topic; it publishes only while the node is active."""
        publisher = self.create_lifecycle_publisher(
            CLASSES[topic], topic, profile(topic, self.settings.mode)
        )
        self._cleanups.append(partial(self.destroy_lifecycle_publisher, publisher))
        return publisher

    def subscribe_to(
        self,
        topic: str,
        handler: Callable[[Any], None],
        name: str | None = None,
        kind: type | None = None,
    ) -> None:
        """Subscribe to a topic, or to a substitute with another name and type, and bind it."""
        bound = name or topic
        subscription = self.create_subscription(
            kind or CLASSES[topic],
            bound,
            self.inputs.expect(bound, handler),
            profile(topic, self.settings.mode),
            event_callbacks=self.bound.bind(bound),
        )
        self._cleanups.append(partial(self.destroy_subscription, subscription))
        self._cleanups.append(partial(self.bound.unbind, bound))

    def _report_inputs(self) -> None:
        if line := self.inputs.line(self._now_s()):
            self.get_logger().info(line)
