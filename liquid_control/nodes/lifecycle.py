"""Base of the perception and controller nodes: a lifecycle node with a model."""

from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import (
    LifecycleNode,
    LifecyclePublisher,
    LifecycleState,
    TransitionCallbackReturn,
)
from rclpy.timer import Timer

from liquid_control.errors import LiquidControlError, ModelError
from liquid_control.nodes.diagnostics import Diagnostics
from liquid_control.nodes.node_settings import ModelNodeSettings
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.qos import CLASSES, profile
from liquid_control.nodes.shutdown import Shutdown
from liquid_control.policy import Policy, load_model

S = TypeVar("S", bound=ModelNodeSettings)

START_DELAY_S = 0.01


class ModelNode(LifecycleNode, Generic[S]):
    """A lifecycle node that loads a model when it is configured.

    Subclasses create publishers and subscriptions in `connect`, and reset their state in `reset`.

    Attributes:
        settings: the parameters.
        diagnostics: of the node.
        active: whether the node answers.
    """

    def __init__(self, name: str, model: type[S], shutdown: Shutdown) -> None:
        super().__init__(name)
        self.settings: S = declare(self, model)
        self.diagnostics = Diagnostics(self, self.settings.mode)
        self._shutdown = shutdown
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._cleanups: list[Callable[[], object]] = []
        self.active = False
        self._starter = self.create_timer(START_DELAY_S, self._start, clock=self._steady)
        if not self.settings.autostart:
            self._starter.cancel()

    def connect(self) -> None:
        """Create publishers, subscriptions and timers, with the three methods below."""
        raise NotImplementedError

    def reset(self) -> None:
        """Begin a flight with a fresh state."""
        raise NotImplementedError

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model; fail with one line in the log if it does not load."""
        try:
            if not self.settings.model:
                raise ModelError("expected a model folder in the parameter model, got nothing")
            self.policy = Policy(load_model(self.settings.model))
        except LiquidControlError as error:
            self.get_logger().error(" ".join(str(error).split()))
            return TransitionCallbackReturn.FAILURE
        self.reset()
        self.connect()
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin a flight."""
        self.reset()
        self.active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop answering."""
        self.active = False
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Destroy everything that was created for the model."""
        for cleanup in self._cleanups:
            cleanup()
        self._cleanups = []
        return super().on_cleanup(state)

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
        """Subscribe to a topic, or to a substitute with another name and type."""
        subscription = self.create_subscription(
            kind or CLASSES[topic],
            name or topic,
            handler,
            profile(topic, self.settings.mode),
        )
        self._cleanups.append(partial(self.destroy_subscription, subscription))

    def every(self, period_s: float, callback: Callable[[], None]) -> Timer:
        """Return a timer on wall time."""
        timer = self.create_timer(period_s, callback, clock=self._steady)
        self._cleanups.append(partial(self.destroy_timer, timer))
        return timer

    def _start(self) -> None:
        self._starter.cancel()
        success = TransitionCallbackReturn.SUCCESS
        if self.trigger_configure() != success or self.trigger_activate() != success:
            self._shutdown.request(2)
