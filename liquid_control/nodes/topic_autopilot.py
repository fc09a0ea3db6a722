"""Bridge to an autopilot behind ROS topics: a session, polled by a timer of its node."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from liquid_control.autopilots import (
    ArmCheck,
    AutopilotStatus,
    BatteryStatus,
    LinkHealth,
    LinkNotice,
    StreamPhase,
)
from liquid_control.autopilots.bridge_session import BridgeSession
from liquid_control.types import Command

POLL_S = 0.005
"""A command whose end has come is replaced this late at most, on an idle machine."""
CHECK_S = 1.0


@dataclass
class TopicAutopilot:
    """Sends the set-points of a session as messages.

    Attributes:
        node: owns publishers, subscriptions and timers.
        session: decides what is sent.
        publish: publishes a set-point, given the command and the heading, rad.
        missing: what does not arrive while there is no autopilot, for the message.
        check: looks at the graph once a second, for versions and parameters.
        battery: the battery; set by the functions that subscribe.
    """

    node: Node
    session: BridgeSession
    publish: Callable[[Command, float], None]
    missing: str
    check: Callable[[], None]
    battery: BatteryStatus | None = None

    def start(self) -> None:
        """Begin to look for the autopilot."""
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.node.create_timer(POLL_S, self._poll, clock=steady)
        self.node.create_timer(CHECK_S, self.check, clock=steady)

    @property
    def state(self) -> AutopilotStatus | None:
        """State of the autopilot; None before it is found."""
        return self.session.state

    @property
    def refusal(self) -> str:
        """Reason why there is no autopilot to command; empty if there is one."""
        return self.session.mismatch or self.session.problem or self.session.refusal

    @property
    def phase(self) -> StreamPhase:
        """What the set-point stream sends at present."""
        return self.session.stream.phase

    def absence(self, elapsed_s: float) -> str:
        """Return the line on an autopilot that was not found within a time, s."""
        return self.refusal or f"{self.missing} in {elapsed_s:g} s"

    def command(self, command: Command, stamp_ns: int, age_ns: int) -> None:
        """Send a set-point, and keep sending it until it is too old."""
        self.session.command(command, stamp_ns, age_ns, time.monotonic_ns())
        self._poll()

    def arm_check(self) -> ArmCheck:
        """Return what the autopilot states about its checks before arming."""
        return self.session.arm_check()

    def health(self) -> LinkHealth:
        """Return the health of the link."""
        return self.session.health(time.monotonic_ns())

    def notices(self) -> list[LinkNotice]:
        """Return the news since the last call."""
        return self.session.notices()

    def close(self) -> None:
        """Send zero velocity once if set-points were sent."""
        if (last := self.session.last()) is not None:
            self.publish(*last)

    def _poll(self) -> None:
        if (setpoint := self.session.poll(time.monotonic_ns())) is not None:
            self.publish(*setpoint)
