"""Controller node: runs the liquid network on features and publishes commands and neurons."""

from sensor_msgs.msg import Image

from liquid_control import topics
from liquid_control.errors import LiquidControlError
from liquid_control.nodes import conversions
from liquid_control.nodes.lifecycle import ModelNode
from liquid_control.nodes.node_settings import ControllerSettings
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control.perception import IMU_LIMIT
from liquid_control.plausibility import check_features
from liquid_control.policy import Decision, PolicySession
from liquid_control.types import HOVER


class ControllerNode(ModelNode[ControllerSettings]):
    """Runs a `PolicySession` on features; dt is the difference of the stamps of answered frames.

    The node answers with hover the features that the session refuses, those that no encoder and
    no IMU can give, and all of them while a second node publishes features.
    """

    subscribed = (topics.FEATURES,)

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.CONTROLLER, ControllerSettings, shutdown)

    def connect(self) -> None:
        """Create publishers and the subscription."""
        self._commands = self.publish_to(topics.POLICY_COMMAND)
        self._neurons = self.publish_to(topics.NEURONS)
        self.subscribe_to(topics.FEATURES, self._on_features)

    def reset(self) -> None:
        """Begin a flight with a fresh state."""
        self._names = list(self.policy.state_names)
        self._session = PolicySession(self.policy)

    def _on_features(self, message: Image) -> None:
        if not self.active:
            return
        stamp_ns = conversions.stamp_of(message.header.stamp)
        if self.bound.refuses(topics.FEATURES):
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

    def _answer(self, message: Image, stamp_ns: int) -> Decision:
        features = conversions.features_from(message)
        image = self.policy.model.settings.features.image
        check_features(features, image, self.settings.max_image_feature, IMU_LIMIT)
        return self._session.answer(features, stamp_ns)


def main() -> None:
    """Run controller_node."""
    main_of(lambda shutdown: [ControllerNode(shutdown)])


if __name__ == "__main__":
    main()
