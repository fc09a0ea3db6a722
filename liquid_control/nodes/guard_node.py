"""Guard node: holds commands to the envelope, and hovers while none arrive.

It is the last node before the autopilot, in a process of its own that outlives the network's.
"""

from collections import Counter

from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from liquid_control import topics
from liquid_control.command import Guard, GuardEvent, GuardState
from liquid_control.nodes import conversions
from liquid_control.nodes.diagnostics import Diagnostics
from liquid_control.nodes.node_settings import GuardSettings
from liquid_control.nodes.parameters import declare, on_parameter_change
from liquid_control.nodes.qos import profile
from liquid_control.nodes.shutdown import main_of
from liquid_control.types import HOVER

NOT_LOGGED = Counter({GuardEvent.CLAMPED: 1, GuardEvent.SLEWED: 1})
"""Events of every flight: counted only."""


class GuardNode(Node):
    """Admits the policy's commands, and polls while none arrive.

    In lockstep every `/clock` later than the last output is answered with the output in force,
    stamped with that time. In real time the guard polls on its own timer, and repeats the command
    in force with the stamp of the frame that it answers; hover has the time of the poll.
    """

    def __init__(self) -> None:
        super().__init__(topics.GUARD)
        settings = declare(self, GuardSettings)
        self._apply(settings)
        on_parameter_change(self, GuardSettings, self._apply)
        self._state = GuardState()
        self._sent_ns = -1
        mode = settings.mode
        self._lockstep = mode == "lockstep"
        self._diagnostics = Diagnostics(self, mode, self._events)
        self._publisher = self.create_publisher(
            TwistStamped, topics.COMMAND, profile(topics.COMMAND, mode)
        )
        self.create_subscription(
            TwistStamped,
            topics.POLICY_COMMAND,
            self._on_command,
            profile(topics.POLICY_COMMAND, mode),
        )
        if self._lockstep:
            self.create_subscription(
                Clock, topics.CLOCK, self._on_clock, profile(topics.CLOCK, mode)
            )
        else:
            self.create_timer(settings.period_s, self._on_timer)

    def _apply(self, settings: GuardSettings) -> None:
        self._guard = Guard(settings.envelope)

    def _events(self) -> dict[str, int]:
        return {event.value: number for event, number in self._state.events.items()}

    def _on_command(self, message: TwistStamped) -> None:
        command, stamp_ns = conversions.command_from(message)
        now_ns = None if self._lockstep else self.get_clock().now().nanoseconds
        before = self._state
        self._state = self._guard.admit(command, stamp_ns, before, now_ns)
        self._log(before)
        if self._state.output_stamp_ns != before.output_stamp_ns:
            self._send(stamp_ns)

    def _on_clock(self, message: Clock) -> None:
        now_ns = conversions.stamp_of(message.clock)
        if now_ns > self._sent_ns:
            self._poll(now_ns)
            self._send(now_ns)

    def _on_timer(self) -> None:
        now_ns = self.get_clock().now().nanoseconds
        self._poll(now_ns)
        fresh_ns = self._state.fresh_stamp_ns
        hovers = self._state.output == HOVER or fresh_ns is None
        self._send(now_ns if hovers else fresh_ns)

    def _poll(self, now_ns: int) -> None:
        before = self._state
        self._state = self._guard.poll(now_ns, before)
        self._log(before)

    def _log(self, before: GuardState) -> None:
        self._diagnostics.problem = "hover: no fresh command" if self._state.stale else ""
        for event in self._state.events - before.events - NOT_LOGGED:
            number = self._state.events[event]
            self.get_logger().warning(f"{event.value}: number {number}", throttle_duration_sec=1.0)

    def _send(self, stamp_ns: int) -> None:
        self._sent_ns = stamp_ns
        self._publisher.publish(conversions.command_message(self._state.output, stamp_ns))


def main() -> None:
    """Run guard_node."""
    main_of(lambda shutdown: [GuardNode()])


if __name__ == "__main__":
    main()
