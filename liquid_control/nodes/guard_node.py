"""Guard node: holds commands to the envelope, and hovers while none arrive.

It is the last node before the autopilot, in a process of its own that outlives the network's.
"""

import time
from collections import Counter, deque
from collections.abc import Callable

from geometry_msgs.msg import TwistStamped
from rclpy.clock import Clock as RosClock
from rclpy.clock import ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState

from liquid_control import topics
from liquid_control.autopilots.setpoint_stream import MAX_TIMEOUT_S
from liquid_control.command import (
    ChangeWatch,
    Guard,
    GuardAction,
    GuardEvent,
    GuardLock,
    GuardState,
    sentence,
    status_line,
)
from liquid_control.nodes import conversions
from liquid_control.nodes.diagnostics import Diagnostics
from liquid_control.nodes.guard_inputs import GuardReadings, needed_topics
from liquid_control.nodes.guard_mirror import ParameterMirror
from liquid_control.nodes.node_settings import GuardSettings
from liquid_control.nodes.parameters import declare, on_parameter_change
from liquid_control.nodes.publisher_binding import (
    CHECK_PERIOD_S,
    SECOND_PUBLISHER,
    BoundTopics,
    endpoints_of,
)
from liquid_control.nodes.qos import profile
from liquid_control.nodes.shutdown import main_of
from liquid_control.publishers import SolePublisher
from liquid_control.types import HOVER, Command

SUBSCRIBED = (topics.POLICY_COMMAND, topics.CLOCK)
NOT_LOGGED = Counter({GuardEvent.CLAMPED: 1, GuardEvent.SLEWED: 1})
"""Events of every flight: counted only."""
PAIR_PERIOD_S = 0.01
"""Between two attempts of a standby to take over."""
FIRST_TIMEOUT_S = 5.0
"""A standby takes over without having seen the first guard after so long."""
READINGS_S = 1.0
"""In lockstep a tick waits so long for the readings of its rules, s of wall time."""
STEADY = RosClock(clock_type=ClockType.STEADY_TIME)


class GuardNode(Node):
    """Admits the policy's commands, and polls while none arrive.

    In lockstep every `/clock` later than the last output is answered with the output in force,
    stamped with that time. In real time the guard polls on its own timer, and repeats the command
    in force with the stamp of the frame that it answers; hover has the time of the poll.

    In lockstep a command or a `/clock` waits for the readings of the same tick that the enabled
    rules need. Handed back means in real time that the guard publishes hover once, then nothing.

    Of a pair of guards, one publishes. The other does the same with the same messages and the same
    envelope, so that it can publish the command in force once the first has ended.
    """

    def __init__(self, name: str = topics.GUARD) -> None:
        super().__init__(name)
        settings = declare(self, GuardSettings)
        self._rules = settings.rules
        self._readings = GuardReadings(self, self._rules, settings.mode)
        self._pending: deque[tuple[int, bool, Callable[[], None]]] = deque()
        self._silent = False
        self._apply(settings)
        on_parameter_change(self, GuardSettings, self._apply)
        self._state = GuardState()
        self._watch = ChangeWatch()
        self._sent_ns = -1
        mode = settings.mode
        self._lockstep = mode == "lockstep"
        self._diagnostics = Diagnostics(self, mode, self._events)
        self._publisher = self.create_publisher(
            TwistStamped, topics.COMMAND, profile(topics.COMMAND, mode)
        )
        self._actions = self.create_publisher(
            JointState, topics.GUARD_ACTIONS, profile(topics.GUARD_ACTIONS, mode)
        )
        self._start_pair(settings)
        subscribed = (*SUBSCRIBED, *needed_topics(self._rules))
        self._bound = BoundTopics(
            self, self._diagnostics, settings.second_publisher, settings.publishers, subscribed
        )
        self._readings.subscribe(self._bound, self._answer_pending)
        self._subscribe(topics.POLICY_COMMAND, TwistStamped, self._on_command, mode)
        if self._lockstep:
            self._subscribe(topics.CLOCK, Clock, self._on_clock, mode)
            self._late = self.create_timer(READINGS_S, self._answer_late, clock=STEADY)
            self._late.cancel()
            return
        self.create_timer(settings.period_s, self._on_timer)
        if settings.timeout_s > MAX_TIMEOUT_S:
            self.get_logger().warning(
                f"timeout_s is {settings.timeout_s:g} s: mavlink_node ends a set-point "
                f"{MAX_TIMEOUT_S:g} s after its frame, and another bridge holds it for longer"
            )

    def _subscribe(self, topic: str, kind: type, handler: object, mode: str) -> None:
        bound = self._bound.bind(topic)
        self.create_subscription(kind, topic, handler, profile(topic, mode), event_callbacks=bound)

    def _start_pair(self, settings: GuardSettings) -> None:
        name, namespace = self.get_fully_qualified_name(), self.get_namespace().rstrip("/")
        pair = {f"{namespace}/{one}" for one in (topics.GUARD, topics.GUARD_STANDBY)} - {name}
        partner = pair.pop() if settings.pair != "single" else ""
        topic = self.resolve_topic_name(topics.COMMAND)
        self._output = SolePublisher(topic, name, partner)
        self.create_timer(CHECK_PERIOD_S, self._check_output, clock=STEADY)
        self._pair_lock: GuardLock | None = None
        self._active = settings.pair == "single"
        if self._active:
            return
        self._pair_lock = GuardLock(self.context.get_domain_id(), topic)
        self._other: int | None = None
        waits = settings.pair == "standby"
        self._first_attempt_s = time.monotonic() + FIRST_TIMEOUT_S if waits else 0.0
        self._mirror = ParameterMirror(self, partner, GuardSettings.changeable)
        self._pair_timer = self.create_timer(PAIR_PERIOD_S, self._take_over, clock=STEADY)
        self._take_over()

    def _apply(self, settings: GuardSettings) -> None:
        self._guard = Guard(settings.envelope, self._rules)

    def _events(self) -> dict[str, int]:
        counts = {event.value: number for event, number in self._state.events.items()}
        return {**counts, "action": int(self._state.action)} if self._rules.some else counts

    def _take_over(self) -> None:
        """Publish from now on if no other guard does; the system releases a dead one's lock."""
        assert self._pair_lock is not None
        if self._other is None and time.monotonic() < self._first_attempt_s:
            self._other = self._pair_lock.other_holder()
            return
        if not self._pair_lock.acquire():
            self._other = self._pair_lock.other_holder()
            self._diagnostics.state = f"standby of process {self._other}"
            return
        self._pair_timer.cancel()
        self._mirror.stop()
        self._active = True
        self._diagnostics.state = "ok"
        if self._other is not None:
            self._repeat()
            self._diagnostics.count(
                "takeover",
                f"the guard of process {self._other} has ended: {self.get_name()} publishes "
                f"{self._output.topic} instead",
            )

    def _repeat(self) -> None:
        """Publish the output in force, of which the other guard may have lost the message."""
        if not self._lockstep:
            self._on_timer()
        elif self._sent_ns >= 0:
            self._send(self._sent_ns)

    def _on_command(self, message: TwistStamped) -> None:
        command, stamp_ns = conversions.command_from(message)
        if not self._lockstep:
            self._admit(command, stamp_ns, self.get_clock().now().nanoseconds)
            return
        self._answer_when_complete(stamp_ns, True, lambda: self._admit(command, stamp_ns))

    def _answer_when_complete(
        self, stamp_ns: int, framed: bool, answer: Callable[[], None]
    ) -> None:
        """Answer a tick of a lockstep flight after the ones before it and all its readings."""
        self._pending.append((stamp_ns, framed, answer))
        self._answer_pending()

    def _answer_pending(self) -> None:
        while self._pending and self._readings.complete(*self._pending[0][:2]):
            self._pending.popleft()[2]()
        if not self._pending:
            if self._lockstep:
                self._late.cancel()
        elif self._late.is_canceled():
            self._late.reset()

    def _answer_late(self) -> None:
        """Answer the first tick without all of its readings, as in a replay that lacks them."""
        self._late.cancel()
        if self._pending:
            self._diagnostics.count(
                "readings_missing", "a tick lacks readings that the rules need, such as odom"
            )
            self._pending.popleft()[2]()
            self._answer_pending()

    def _admit(self, command: Command, stamp_ns: int, now_ns: int | None = None) -> None:
        if self._bound.refuses(topics.POLICY_COMMAND):
            self._refuse(stamp_ns, now_ns)
            return
        before = self._state
        self._state = self._guard.admit(command, stamp_ns, before, now_ns, self._readings.inputs)
        if self._state.output_stamp_ns != before.output_stamp_ns:
            lands = now_ns is not None and self._state.action is GuardAction.LAND
            self._send(now_ns if lands else stamp_ns)
        self._log(before, stamp_ns if now_ns is None else now_ns, command)

    def _refuse(self, stamp_ns: int, now_ns: int | None) -> None:
        """Hover; in lockstep the frame is answered, but its stamp is not trusted as time."""
        moved = self._state.output != HOVER
        hover_ns = stamp_ns if now_ns is None else now_ns
        self._state = self._guard.hover(hover_ns, self._state)
        self._publish_change(hover_ns)
        if moved or self._lockstep:
            sent_ns = self._sent_ns
            self._send(hover_ns)
            self._sent_ns = sent_ns

    def _on_clock(self, message: Clock) -> None:
        if self._bound.refuses(topics.CLOCK):
            return
        now_ns = conversions.stamp_of(message.clock)
        self._answer_when_complete(now_ns, False, lambda: self._answer_clock(now_ns))

    def _answer_clock(self, now_ns: int) -> None:
        if now_ns > self._sent_ns:
            self._poll(now_ns)
            self._send(now_ns)

    def _on_timer(self) -> None:
        now_ns = self.get_clock().now().nanoseconds
        self._poll(now_ns)
        fresh_ns = self._state.fresh_stamp_ns
        stops = self._state.action >= GuardAction.HOVER or self._state.output == HOVER
        self._send(now_ns if stops or fresh_ns is None else fresh_ns)

    def _poll(self, now_ns: int) -> None:
        before = self._state
        self._state = self._guard.poll(now_ns, before, self._readings.inputs)
        self._log(before, now_ns)

    def _log(self, before: GuardState, now_ns: int, command: Command | None = None) -> None:
        """Publish and log what has changed in the guard's run at an instant."""
        self._publish_change(now_ns)
        if self._output.problem:
            self._diagnostics.problem = self._output.problem
        else:
            self._diagnostics.problem = status_line(self._state, self._guard)
        for event in self._state.events - before.events - NOT_LOGGED if self._active else ():
            text = sentence(event, self._guard.envelope, command, self._rules)
            self._diagnostics.log(event.value, text, self._state.events[event])

    def _publish_change(self, now_ns: int) -> None:
        state = self._state
        begun = state.fresh_stamp_ns is not None
        change = self._watch.change(now_ns, state.acting, begun) if self._active else None
        if change is not None:
            self._actions.publish(conversions.guard_message(change))

    def _check_output(self) -> None:
        """Announce every other publisher of the guard's own topic."""
        endpoints = endpoints_of(self, topics.COMMAND)
        if self._output.update(endpoints, time.monotonic()) and self._active:
            self._diagnostics.counts[SECOND_PUBLISHER] += 1
            number = self._diagnostics.counts[SECOND_PUBLISHER]
            self._diagnostics.log("output", self._output.problem, number, error=True)

    def _send(self, stamp_ns: int) -> None:
        self._sent_ns = stamp_ns
        was_silent, self._silent = self._silent, self._state.action is GuardAction.HAND_BACK
        if self._active and (self._lockstep or not (was_silent and self._silent)):
            self._publisher.publish(conversions.command_message(self._state.output, stamp_ns))


def main() -> None:
    """Run guard_node."""
    main_of(lambda shutdown: [GuardNode()])


if __name__ == "__main__":
    main()
