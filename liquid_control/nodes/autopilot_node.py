"""Shell of every node that connects an autopilot: `cmd_vel` out, its state in."""

import time
from collections.abc import Callable
from typing import TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from sensor_msgs.msg import BatteryState, Imu

from liquid_control import frames, topics
from liquid_control.autopilots import AutopilotBridge, ImuSample, LinkEvent, OdometrySample
from liquid_control.autopilots.interface import OnSample
from liquid_control.errors import AutopilotError
from liquid_control.nodes import conversions
from liquid_control.nodes.autopilot_settings import AutopilotNodeSettings
from liquid_control.nodes.diagnostics import Diagnostics
from liquid_control.nodes.guard_inputs import autopilot_message, battery_message
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.publisher_binding import REFUSED, SECOND_PUBLISHER, endpoints_of
from liquid_control.nodes.qos import profile
from liquid_control.nodes.shutdown import Shutdown
from liquid_control.publishers import SolePublisher
from liquid_control.types import HOVER

CHECK_PERIOD_S = 0.2
NEWS = (LinkEvent.CONNECTED, LinkEvent.MODE_CHANGED)
"""Events that are no trouble."""
MODE = "realtime"
S = TypeVar("S", bound=AutopilotNodeSettings)
Connect = Callable[[Node, S, OnSample], AutopilotBridge]
"""Makes the bridge of a node from its parameters; samples go to the function."""


class AutopilotNode(Node):
    """Sends commands of the guard to a bridge, and publishes what it learns of the autopilot.

    It ends with an error if no autopilot was found in time. Afterwards it stays: a link that fails
    is opened again.

    Args:
        name: of the node.
        model: its parameters.
        connect: makes the bridge.
        shutdown: ends the process.
        samples: whether the bridge gives IMU samples, odometry and the battery.
    """

    def __init__(
        self,
        name: str,
        model: type[S],
        connect: Connect[S],
        shutdown: Shutdown,
        samples: bool = True,
    ) -> None:
        super().__init__(name)
        settings = declare(self, model)
        self._shutdown = shutdown
        self._timeout_s = settings.connect_timeout_s
        self._start_s = time.monotonic()
        self._refusal = ""
        self._diagnostics = Diagnostics(self, MODE, self._counts)
        self._status = self.create_publisher(
            DiagnosticArray, topics.AUTOPILOT, profile(topics.AUTOPILOT, MODE)
        )
        if samples:
            self._imu = self.create_publisher(Imu, topics.IMU, profile(topics.IMU, MODE))
            self._odometry = self.create_publisher(
                Odometry, topics.ODOM, profile(topics.ODOM, MODE)
            )
            self._battery = self.create_publisher(
                BatteryState, topics.BATTERY, profile(topics.BATTERY, MODE)
            )
        self._bridge = connect(self, settings, self._publish)
        self._sole = self._sole_publisher(settings.guards)
        self.create_subscription(
            TwistStamped,
            topics.COMMAND,
            self._on_command,
            profile(topics.COMMAND, MODE),
            event_callbacks=SubscriptionEventCallbacks(matched=lambda event: self._check()),
        )
        self.create_timer(
            CHECK_PERIOD_S, self._check, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._bridge.start()

    def close(self) -> None:
        """Send zero velocity once, then close the link."""
        self._bridge.close()

    def _sole_publisher(self, guards: list[str]) -> SolePublisher | None:
        space = self.get_namespace().rstrip("/")
        names = [one if one.startswith("/") else f"{space}/{one}" for one in guards]
        if not names:
            return None
        return SolePublisher(self.resolve_topic_name(topics.COMMAND), *names)

    def _on_command(self, message: TwistStamped) -> None:
        command, stamp_ns = conversions.command_from(message)
        now_ns = self.get_clock().now().nanoseconds
        if self._sole is not None and self._sole.problem:
            self._diagnostics.counts[REFUSED] += 1
            self._bridge.command(HOVER, now_ns, 0)
        elif message.header.frame_id != frames.BASE_LINK:
            self._diagnostics.count(
                "frame_refused",
                f"expected commands in {frames.BASE_LINK}, the heading frame, got "
                f"{message.header.frame_id!r}: not used",
            )
        else:
            self._bridge.command(command, stamp_ns, now_ns - stamp_ns)

    def _publish(self, sample: ImuSample | OdometrySample) -> None:
        """Publish a sample, with its stamp in ROS time."""
        age_ns = time.monotonic_ns() - sample.stamp_ns
        stamp_ns = self.get_clock().now().nanoseconds - age_ns
        if isinstance(sample, OdometrySample):
            message = conversions.odometry_message(sample.state, stamp_ns, variance=0.0)
            self._odometry.publish(message)
            return
        _, rate, force, orientation = sample
        self._imu.publish(conversions.imu_message(rate, force, stamp_ns, orientation))

    def _check(self) -> None:
        """Report the news of the link and of the topic; end where no autopilot was found."""
        if self._sole is not None and self._sole.update(
            endpoints_of(self, topics.COMMAND), time.monotonic()
        ):
            self._diagnostics.count(SECOND_PUBLISHER, f"{self._sole.problem}: hovering")
        for notice in self._bridge.notices():
            if notice.event in NEWS:
                self._diagnostics.counts[notice.event.value] += 1
                self.get_logger().info(notice.text)
            else:
                self._diagnostics.count(notice.event.value, notice.text)
        elapsed_s = time.monotonic() - self._start_s
        if self._bridge.state is None and 0.0 < self._timeout_s <= elapsed_s:
            self._shutdown.fail(AutopilotError(self._bridge.absence(self._timeout_s)))
        self._describe()
        self._publish_status()

    def _publish_status(self) -> None:
        """Publish link, mode and battery, which rules of the guard need."""
        now_ns = self.get_clock().now().nanoseconds
        connected, state = self._bridge.health().connected, self._bridge.state
        self._status.publish(autopilot_message(self.get_name(), state, connected, now_ns))
        if (battery := self._bridge.battery) is not None:
            self._battery.publish(battery_message(*battery, now_ns))

    def _describe(self) -> None:
        """Set the message of the diagnostics."""
        refusal, health = self._bridge.refusal, self._bridge.health()
        if refusal and refusal != self._refusal:
            self.get_logger().warning(refusal)
        self._refusal = refusal
        state = self._bridge.state
        if refusal or state is None:
            self._diagnostics.problem = refusal or "no autopilot yet"
            return
        lost = f"no heartbeat from the autopilot for {health.heartbeat_age_s:.1f} s"
        self._diagnostics.problem = "" if health.connected else lost
        second = "" if self._sole is None else self._sole.problem
        self._diagnostics.refusal = second
        failed = () if state.armed else self._bridge.arm_check().reasons
        self._diagnostics.state = "; ".join([str(state), self._bridge.phase.value, *failed])

    def _counts(self) -> dict[str, int]:
        health = self._bridge.health()
        return {"messages_lost": health.lost, "frames_damaged": health.refused}
