"""Features in, commands and neurons out: the liquid network with the real elapsed time."""

import numpy as np
from sensor_msgs.msg import Image

from liquid_control import topics
from liquid_control.errors import LiquidControlError, ObservationError
from liquid_control.nodes import conversions
from liquid_control.nodes.lifecycle import ModelNode
from liquid_control.nodes.node_settings import ControllerSettings
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control.policy import Decision, FrameClock
from liquid_control.types import HOVER, NANOSECONDS


class ControllerNode(ModelNode[ControllerSettings]):
    """Runs `Policy.act` on features; dt is the difference of the stamps of two answered frames.

    Features that cannot be used are answered with hover, and leave state and clock as they were.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.CONTROLLER, ControllerSettings, shutdown)

    def connect(self) -> None:
        """Create publishers and the subscription."""
        self._commands = self.publish_to(topics.POLICY_COMMAND)
        self._neurons = self.publish_to(topics.NEURONS)
        self.subscribe_to(topics.FEATURES, self._on_features)

    def forget(self) -> None:
        """Begin a flight with a fresh state."""
        settings = self.policy.model.settings
        self._names = list(self.policy.neuron_names)
        self._frame_clock = FrameClock(settings.nominal_dt_s, settings.max_gap_s)
        self._state = self.policy.init_state()
        self._previous_ns: int | None = None

    def _on_features(self, message: Image) -> None:
        if not self.active:
            return
        stamp_ns = conversions.stamp_of(message.header.stamp)
        try:
            decision = self._decide(message, stamp_ns)
        except LiquidControlError as error:
            self.diagnostics.count("features_refused", str(error))
            self._commands.publish(conversions.command_message(HOVER, stamp_ns))
            return
        self._commands.publish(conversions.command_message(decision.command, stamp_ns))
        self._neurons.publish(
            conversions.neurons_message(self._names, decision.state, decision.gates, stamp_ns)
        )

    def _decide(self, message: Image, stamp_ns: int) -> Decision:
        features = conversions.features_from(message)
        if not np.isfinite(features).all():
            raise ObservationError("expected finite features, got NaN: the frame was not usable")
        previous_ns = self._previous(stamp_ns)
        elapsed = self._frame_clock.elapsed(stamp_ns, previous_ns)
        if elapsed.fresh and previous_ns is not None:
            self.diagnostics.count("fresh_state", f"frames jumped to {stamp_ns} ns")
        state = self.policy.init_state() if elapsed.fresh else self._state
        decision = self.policy.act(features, state, elapsed.dt_s)
        self._state, self._previous_ns = decision.state, elapsed.stamp_ns
        return decision

    def _previous(self, stamp_ns: int) -> int | None:
        """Return the stamp before, or None where stamps went back so far that they begin anew."""
        gap_ns = round(self._frame_clock.max_gap_s * NANOSECONDS)
        if self._previous_ns is not None and stamp_ns < self._previous_ns - gap_ns:
            self.diagnostics.count("fresh_state", f"frames went back to {stamp_ns} ns")
            return None
        return self._previous_ns


def main() -> None:
    """Run controller_node."""
    main_of(lambda shutdown: [ControllerNode(shutdown)])


if __name__ == "__main__":
    main()
