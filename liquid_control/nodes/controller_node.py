"""Controller node: runs the liquid network on features and publishes commands and neurons."""

from collections import deque

from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image

from liquid_control import topics
from liquid_control.errors import LiquidControlError
from liquid_control.nodes import conversions
from liquid_control.nodes.lifecycle import ModelNode
from liquid_control.nodes.node_settings import ControllerSettings
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control.perception import IMU_LIMIT
from liquid_control.plausibility import check_features
from liquid_control.policy import Decision, OnlineAdaptation, PolicySession, VelocityReading
from liquid_control.types import HOVER

ODOMETRY_WAIT_S = 0.5
"""In lockstep, wall time that features wait for the odometry of their frame."""
READINGS = 64
"""Number of odometry messages that are kept."""


class ControllerNode(ModelNode[ControllerSettings]):
    """Runs a `PolicySession` on features; dt is the difference of the stamps of answered frames.

    The node answers with hover the features that the session refuses, those that no encoder and
    no IMU can give, and all of them while a second node publishes features.

    With an online adaptation it reads odometry. In lockstep features wait for the odometry of
    their frame; in real time the newest one before the frame is used.

    Args:
        shutdown: ends the process.
        subscribes: whether features come over their topic; else `take` is called with them.
    """

    subscribed = (topics.FEATURES, topics.ODOM)

    def __init__(self, shutdown: Shutdown, subscribes: bool = True) -> None:
        super().__init__(topics.CONTROLLER, ControllerSettings, shutdown)
        self.subscribes = subscribes

    def check(self) -> None:
        """Load the certificate that an online adaptation needs."""
        wanted = self.settings.online_adaptation
        self._adaptation = (
            OnlineAdaptation.for_model(self.policy.model, wanted) if wanted else None
        )

    def connect(self) -> None:
        """Create publishers and the subscriptions."""
        self._commands = self.publish_to(topics.POLICY_COMMAND)
        self._neurons = self.publish_to(topics.NEURONS)
        if self._adaptation is not None:
            self._adapted = self.publish_to(topics.ADAPTATION)
            self._late = self.every(ODOMETRY_WAIT_S, self._answer_late)
            self._late.cancel()
            self.subscribe_to(topics.ODOM, self._on_odometry)
        if self.subscribes:
            self.subscribe_to(topics.FEATURES, self.take)

    def reset(self) -> None:
        """Begin a flight with a fresh state."""
        self._names = list(self.policy.state_names)
        self._session = PolicySession(self.policy, adaptation=self._adaptation)
        self._readings: deque[VelocityReading] = deque(maxlen=READINGS)
        self._odometry_ns = -1
        self._waiting: Image | None = None

    def _on_odometry(self, message: Odometry) -> None:
        if not self.active or self.bound.refuses(topics.ODOM):
            return
        self._odometry_ns = conversions.stamp_of(message.header.stamp)
        reading = conversions.velocity_reading_from(message)
        if reading is None:
            self.diagnostics.count("odometry_refused", "odometry refused: it is not finite")
        else:
            self._readings.append(reading)
        self._answer_waiting()

    def take(self, message: Image) -> None:
        """Answer the features of a frame, unless the node is not active."""
        if not self.active:
            return
        if self._adaptation is None or self.settings.mode == "realtime":
            self._respond(message)
            return
        self._answer_late()
        self._waiting = message
        self._late.reset()
        self._answer_waiting()

    def _answer_waiting(self) -> None:
        """Answer the features that wait once the odometry of their frame is there."""
        message = self._waiting
        if message is None or self._odometry_ns < conversions.stamp_of(message.header.stamp):
            return
        self._answer_late()

    def _answer_late(self) -> None:
        """Answer the features that wait, with the odometry that is there."""
        self._late.cancel()
        message, self._waiting = self._waiting, None
        if message is not None:
            self._respond(message)

    def _reading(self, stamp_ns: int) -> VelocityReading | None:
        """Return the newest motion of the vehicle that is not newer than a frame."""
        found = [reading for reading in self._readings if reading.stamp_ns <= stamp_ns]
        return found[-1] if found else None

    def _respond(self, message: Image) -> None:
        stamp_ns = conversions.stamp_of(message.header.stamp)
        if self.subscribes and self.bound.refuses(topics.FEATURES):
            self._commands.publish(conversions.command_message(HOVER, stamp_ns))
            return
        previous_ns, fresh_starts = self._session.stamp_ns, self._session.fresh_starts
        try:
            decision = self._answer(message, stamp_ns)
        except LiquidControlError as error:
            self.diagnostics.count("features_refused", f"features refused, hovering: {error}")
            self._commands.publish(conversions.command_message(HOVER, stamp_ns))
            return
        if self._session.fresh_starts > fresh_starts:
            self.diagnostics.count(
                "fresh_state",
                f"stamps jump from {previous_ns * 1e-9:.3f} s to {stamp_ns * 1e-9:.3f} s: "
                "the network starts from a fresh state",
            )
        self._commands.publish(conversions.command_message(decision.command, stamp_ns))
        self._neurons.publish(
            conversions.neurons_message(self._names, decision.state, decision.gates, stamp_ns)
        )
        if self._session.adapted is not None:
            self._adapted.publish(conversions.adaptation_message(self._session.adapted, stamp_ns))

    def _answer(self, message: Image, stamp_ns: int) -> Decision:
        features = conversions.features_from(message)
        image = self.policy.model.settings.features.image
        check_features(features, image, self.settings.max_image_feature, IMU_LIMIT)
        return self._session.answer(features, stamp_ns, self._reading(stamp_ns))


def main() -> None:
    """Run controller_node."""
    main_of(lambda shutdown: [ControllerNode(shutdown)])


if __name__ == "__main__":
    main()
