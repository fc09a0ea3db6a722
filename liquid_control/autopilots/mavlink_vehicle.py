"""Exchange with one autopilot: telemetry with our time, message rates, requests, set-points."""

from collections.abc import Callable
from typing import Any

from liquid_control.autopilots.interface import (
    LOST_NS,
    NOT_ARMED_NS,
    LinkEvent,
    LinkNotice,
    Sample,
)
from liquid_control.autopilots.mavlink_frames import (
    BODY_NED,
    VELOCITY_AND_YAW_RATE,
    TelemetryReader,
    boot_ms,
    frd_setpoint,
)
from liquid_control.autopilots.mavlink_requests import (
    SET_MESSAGE_INTERVAL,
    CommandQueue,
    CommandRequest,
)
from liquid_control.autopilots.mavlink_search import MavlinkVehicle
from liquid_control.autopilots.mavlink_status import VehicleStatus
from liquid_control.autopilots.simulated_pilot import SimulatedPilot
from liquid_control.autopilots.time_sync import TimeSync
from liquid_control.types import NANOSECONDS, Command

SILENCE_NS = 3 * NANOSECONDS
"""A message that does not arrive for so long is requested again."""
STATUS_RATE_HZ = 1.0
PARAMETER_NS = NANOSECONDS
PARAMETER_ATTEMPTS = 5
MAVLINK_1 = 0xFE


class VehicleConnection:
    """The exchange with the autopilot that is commanded.

    Args:
        vehicle: the autopilot.
        heartbeat: its latest one.
        dialect: pymavlink's module of message definitions.
        encoder: its encoder with our ids.
        rates_hz: rates of messages to request, by name; those of 0 are not requested.
        allow_arm: request mode and arming.
        start_ns: zero of `time_boot_ms` in our set-points.
        now_ns: present time, steady clock.

    Attributes:
        status: mode, arming, checks.
        time: offset of its clock.
        heartbeat_ns: arrival of its last heartbeat.
        received: messages received from it.
        lost: messages of it that are missing, by their sequence numbers.
    """

    def __init__(
        self,
        vehicle: MavlinkVehicle,
        heartbeat: Any,
        dialect: Any,
        encoder: Any,
        rates_hz: dict[str, float],
        allow_arm: bool,
        start_ns: int,
        now_ns: int,
    ) -> None:
        self.vehicle = vehicle
        self.status = VehicleStatus(vehicle, heartbeat)
        self.time = TimeSync()
        self.heartbeat_ns = now_ns
        self.received = self.lost = self._sequence = 0
        self._encoder = encoder
        self._start_ns, self._bound_ns = start_ns, now_ns
        self._reader = TelemetryReader()
        self._queue = CommandQueue()
        self._pilot = SimulatedPilot() if allow_arm else None
        self._intervals = {
            name: CommandRequest(
                SET_MESSAGE_INTERVAL,
                (float(_number(dialect, name)), round(1e6 / rate_hz)),
                f"{rate_hz:g} Hz of {name}",
            )
            for name, rate_hz in rates_hz.items()
            if rate_hz > 0.0
        }
        self._arrival_ns = dict.fromkeys(self._intervals, now_ns - SILENCE_NS)
        self._checked_ns = now_ns - SILENCE_NS
        self._parameter_ns, self._parameter_attempts = now_ns, 0
        self._replies: list[Any] = []
        self._notices: list[LinkNotice] = []
        self._unarmed_ns: int | None = None
        self._announced: set[LinkEvent] = set()
        self._handlers: dict[str, Callable[[Any, int], Sample | None]] = {
            "HEARTBEAT": self._on_heartbeat,
            "TIMESYNC": self._on_time_sync,
            "COMMAND_ACK": self._on_acknowledgement,
            "PARAM_VALUE": self._on_parameter,
            "SYS_STATUS": lambda message, now: self.status.sys_status(message),
            "STATUSTEXT": lambda message, now: self.status.status_text(message),
            "HIGHRES_IMU": self._on_imu,
            "SCALED_IMU": self._on_imu,
            "ATTITUDE_QUATERNION": self._on_attitude,
            "LOCAL_POSITION_NED": self._on_position,
        }

    def is_lost(self, now_ns: int) -> bool:
        """Return whether its heartbeat does not arrive."""
        return now_ns - self.heartbeat_ns > LOST_NS

    def receive(self, message: Any, now_ns: int) -> Sample | None:
        """Process one of its messages; return the sample that it gives."""
        sequence = message.get_seq()
        if self.received and (missing := (sequence - self._sequence - 1) % 256) < 128:
            self.lost += missing
        self.received += 1
        self._sequence = sequence
        kind = message.get_type()
        if kind in self._arrival_ns:
            self._arrival_ns[kind] = now_ns
        handler = self._handlers.get(kind)
        return None if handler is None else handler(message, now_ns)

    def setpoint(self, command: Command, now_ns: int) -> Any:
        """Return the message of a set-point."""
        vx, vy, vz, yaw_rate = frd_setpoint(command)
        return self._encoder.set_position_target_local_ned_encode(
            boot_ms(now_ns - self._start_ns),
            self.vehicle.system,
            self.vehicle.component,
            BODY_NED,
            VELOCITY_AND_YAW_RATE,
            *(0.0, 0.0, 0.0),
            *(vx, vy, vz),
            *(0.0, 0.0, 0.0),
            *(0.0, yaw_rate),
        )

    def messages(self, streams: bool, follows: bool, now_ns: int) -> list[Any]:
        """Return the messages to send now, other than set-points and our heartbeat.

        Args:
            streams: whether set-points are sent at present.
            follows: whether they follow commands of a policy.
            now_ns: present time.
        """
        messages, self._replies = self._replies, []
        if (ts1_ns := self.time.request(now_ns)) is not None:
            messages.append(self._encoder.timesync_encode(0, ts1_ns))
        self._add_requests(streams, follows, now_ns)
        due, notice = self._queue.poll(now_ns)
        self._notice(notice)
        target = (self.vehicle.system, self.vehicle.component)
        if due is not None:
            request, confirmation = due
            messages.append(
                self._encoder.command_long_encode(
                    *target, request.command, confirmation, *request.values
                )
            )
        if self._asks_parameter(now_ns):
            name = self.status.profile.hold_parameter.encode()
            messages.append(self._encoder.param_request_read_encode(*target, name, -1))
        return messages

    def request(self, request: CommandRequest) -> None:
        """Send a request once the ones before it are answered."""
        self._queue.add(request)

    def notices(self) -> list[LinkNotice]:
        """Return the news since the last call."""
        notices, self._notices = self._notices, []
        return notices

    def _add_requests(self, streams: bool, follows: bool, now_ns: int) -> None:
        if now_ns - self._checked_ns >= SILENCE_NS:
            self._checked_ns = now_ns
            for name, request in self._intervals.items():
                silent = now_ns - self._arrival_ns[name] >= SILENCE_NS
                if silent and request not in self._queue.refused:
                    self._queue.add(request)
        state = self.status.state
        if self._pilot is not None:
            request_ = self._pilot.request(state, self.status.profile, streams, now_ns)
            if request_ is not None:
                self._queue.add(request_)
        if state.armed or not follows:
            self._unarmed_ns = None
        elif self._unarmed_ns is None:
            self._unarmed_ns = now_ns
        elif now_ns - self._unarmed_ns >= NOT_ARMED_NS:
            self._unarmed_ns = now_ns
            seconds = NOT_ARMED_NS // NANOSECONDS
            text = f"the vehicle is not armed after {seconds} s of commands: "
            self._notice(LinkNotice(LinkEvent.NOT_ARMED, text + self.status.waiting_line()))

    def _asks_parameter(self, now_ns: int) -> bool:
        due = now_ns >= self._parameter_ns and self._parameter_attempts < PARAMETER_ATTEMPTS
        if not due or self.status.hold_s is not None:
            return False
        self._parameter_ns = now_ns + PARAMETER_NS
        self._parameter_attempts += 1
        return True

    def _on_heartbeat(self, message: Any, now_ns: int) -> None:
        self.heartbeat_ns = now_ns
        self._notice(self.status.heartbeat(message))
        if message.get_msgbuf()[0] == MAVLINK_1 and now_ns - self._bound_ns > SILENCE_NS:
            self._notice_once(
                LinkEvent.OTHER_DEFINITION,
                "the autopilot sends MAVLink 1, expected version 2: set MAV_PROTO_VER 2 (PX4) or "
                "SERIALn_PROTOCOL 2 (ArduPilot)",
            )

    def _on_time_sync(self, message: Any, now_ns: int) -> None:
        if message.tc1 == 0:
            self._replies.append(self._encoder.timesync_encode(now_ns, message.ts1))
        elif self.time.response(message.tc1, message.ts1, now_ns):
            text = "the autopilot's clock jumped: it has restarted, or its time was set"
            self._notice(LinkNotice(LinkEvent.CLOCK_RESET, text))

    def _on_acknowledgement(self, message: Any, now_ns: int) -> None:
        self._notice(self._queue.acknowledge(message.command, message.result, now_ns))

    def _on_parameter(self, message: Any, now_ns: int) -> None:
        self._notice(self.status.parameter(message))

    def _on_imu(self, message: Any, now_ns: int) -> Sample | None:
        before = self._reader.unused
        sample = self._reader.imu(message, self._stamp_ns(message, now_ns))
        if self._reader.unused > before:
            text = "an IMU sample is not finite, or not later than the one before"
            self._notice(LinkNotice(LinkEvent.IMU_BACKWARDS, text))
        return sample

    def _on_attitude(self, message: Any, now_ns: int) -> None:
        self._reader.attitude_quaternion(message, self._stamp_ns(message, now_ns))

    def _on_position(self, message: Any, now_ns: int) -> Sample | None:
        return self._reader.local_position(message, self._stamp_ns(message, now_ns))

    def _stamp_ns(self, message: Any, now_ns: int) -> int:
        """Return the time of a message in our steady clock."""
        if hasattr(message, "time_usec"):
            return self.time.local_ns(message.time_usec * 1000, now_ns)
        return self.time.local_ns(message.time_boot_ms * 1_000_000, now_ns)

    def _notice(self, notice: LinkNotice | None) -> None:
        if notice is not None:
            self._notices.append(notice)

    def _notice_once(self, event: LinkEvent, text: str) -> None:
        if event not in self._announced:
            self._announced.add(event)
            self._notices.append(LinkNotice(event, text))


def _number(dialect: Any, name: str) -> int:
    """Return the id of a message."""
    return int(getattr(dialect, f"MAVLINK_MSG_ID_{name}"))
