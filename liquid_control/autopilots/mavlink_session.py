"""State machine of a MAVLink connection: bytes and time in, bytes, samples and notices out.

It opens no port and reads no clock, so every rule about time can be tested exactly.
"""

import re
from collections import Counter, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from liquid_control.autopilots.bridge_session import MAX_NOTICES, command_notice
from liquid_control.autopilots.interface import (
    ArmCheck,
    AutopilotStatus,
    BatteryStatus,
    LinkEvent,
    LinkHealth,
    LinkNotice,
    Sample,
    StreamPhase,
)
from liquid_control.autopilots.mavlink_modes import FIRMWARES, NO_AUTOPILOT, PROFILES
from liquid_control.autopilots.mavlink_search import MavlinkVehicle, VehicleSearch
from liquid_control.autopilots.mavlink_vehicle import STATUS_RATE_HZ, VehicleConnection
from liquid_control.autopilots.setpoint_stream import SetpointRules, SetpointStream, StreamState
from liquid_control.dependencies import require
from liquid_control.types import HOVER, NANOSECONDS, Command

ONBOARD_COMPUTER = 191
"""MAV_COMP_ID_ONBOARD_COMPUTER."""
ONBOARD_CONTROLLER = 18
"""MAV_TYPE of a companion computer."""
STANDBY, ACTIVE = 3, 4
"""MAV_STATE in our heartbeat: before the first command of a policy, and since."""
MAX_SOURCES = 8
"""UDP senders whose partial frames are kept."""
SAME_CRC_ERRORS = 5
"""So many wrong checksums of a message that never had a right one mean another definition."""
CRC_ERRORS = 5
"""So many wrong checksums of a message that never had a right one mean another definition."""
COMMAND_EVENTS = {
    LinkEvent.LATE: "a command is {age:.0f} ms old: not used",
    LinkEvent.STAMP_AHEAD: "a command is stamped {ahead:.0f} ms ahead: not used",
    LinkEvent.STAMP_BACKWARDS: "a command is not later than the one before: not used",
    LinkEvent.NOT_FINITE: "a command is not finite: hovering",
}
CRC_ERROR = re.compile(r"invalid MAVLink CRC in msgID (\d+)")


@dataclass(frozen=True, slots=True)
class MavlinkOptions:
    """Options of a MAVLink connection.

    Attributes:
        target_system: system id of the autopilot; 0 for the only one on the link.
        system_id: our own; 0 for that of the autopilot.
        component_id: our own.
        imu_rate_hz: rate of IMU samples to request; 0 for none.
        odometry_rate_hz: rate of attitude and position to request; 0 for none.
        allow_arm: request mode and arming; for simulation only.
        rules: of the set-point stream.
    """

    target_system: int = 0
    system_id: int = 0
    component_id: int = ONBOARD_COMPUTER
    imu_rate_hz: float = 200.0
    odometry_rate_hz: float = 50.0
    allow_arm: bool = False
    rules: SetpointRules = field(default_factory=SetpointRules)


class MavlinkSession:
    """One connection; every method gets the present time of the steady clock, in ns.

    Args:
        options: of the connection.
        now_ns: present time.

    Raises:
        DependencyError: pymavlink is not installed.

    Attributes:
        one: the autopilot that is commanded; None before it is found.
        stream: state of the set-point stream.
        bytes_received: from all senders.
    """

    def __init__(self, options: MavlinkOptions, now_ns: int) -> None:
        self._mavlink: Any = require(
            "pymavlink.dialects.v20.common", "mavlink", "connect an autopilot over MAVLink"
        )
        self._options = options
        self._start_ns = now_ns
        own = options.system_id or options.target_system or 1
        self._encoder = self._mavlink.MAVLink(None, own, options.component_id)
        self._parsers: dict[Hashable, Any] = {}
        self._search = VehicleSearch(options.target_system)
        self._setpoints = SetpointStream(options.rules)
        self.stream = StreamState()
        self.one: VehicleConnection | None = None
        self.bytes_received = 0
        self._notices: deque[LinkNotice] = deque(maxlen=MAX_NOTICES)
        self._announced: set[MavlinkVehicle] = set()
        self._was_lost = False
        self._crc_errors: Counter[int] = Counter()
        self._known_ids: set[int] = set()
        self._refused = 0
        self._next_heartbeat_ns = now_ns

    def receive(self, source: Hashable, data: bytes, now_ns: int) -> list[Sample]:
        """Process bytes of a sender; return the samples that they contain."""
        self.bytes_received += len(data)
        messages = self._parser(source).parse_buffer(data) or ()
        samples = [self._on_message(message, source, now_ns) for message in messages]
        return [sample for sample in samples if sample is not None]

    def command(self, command: Command, stamp_ns: int, age_ns: int, now_ns: int) -> None:
        """Process a command; `poll` then returns its set-point. See `SetpointStream.admit`."""
        self.stream, event = self._setpoints.admit(command, stamp_ns, age_ns, now_ns, self.stream)
        if event is not None:
            self._notices.append(command_notice(event, age_ns))

    def poll(self, now_ns: int) -> list[bytes]:
        """Return the frames to send now."""
        self._find_vehicle(now_ns)
        self.stream, setpoint, event = self._setpoints.poll(now_ns, self.stream)
        if event is not None:
            self._notices.append(LinkNotice(event, self.stream.phase.value))
        messages = []
        if setpoint is not None and self.one is not None:
            messages.append(self.one.setpoint(setpoint, now_ns))
        if now_ns >= self._next_heartbeat_ns and self._setpoints.has_policy(now_ns, self.stream):
            self._next_heartbeat_ns = now_ns + NANOSECONDS
            status = STANDBY if self.stream.policy_ns is None else ACTIVE
            messages.append(
                self._encoder.heartbeat_encode(ONBOARD_CONTROLLER, NO_AUTOPILOT, 0, 0, status)
            )
        if self.one is not None:
            policy = self.stream.policy_ns is not None
            follows = policy and self._setpoints.has_policy(now_ns, self.stream)
            messages += self.one.messages(self._streams, follows, now_ns)
            self._notices += self.one.notices()
        return [self._frame(message) for message in messages]

    def deadline_ns(self) -> int | None:
        """Return when a set-point is due; None if none is."""
        return self._setpoints.deadline_ns(self.stream)

    def last_frames(self, now_ns: int) -> list[bytes]:
        """Return the last frames of a connection: zero velocity, if set-points were sent."""
        if self.one is None or not self._streams:
            return []
        return [self._frame(self.one.setpoint(HOVER, now_ns))]

    def discard_partial_frames(self) -> None:
        """Forget the beginnings of frames that arrived before the link failed."""
        self._parsers.clear()

    @property
    def source(self) -> Hashable | None:
        """Where the autopilot's messages come from; None before it is found."""
        return None if self.one is None else self.one.vehicle.source

    @property
    def state(self) -> AutopilotStatus | None:
        """State of the autopilot; None before it is found."""
        return None if self.one is None else self.one.status.state

    @property
    def battery(self) -> BatteryStatus | None:
        """The battery; None before the autopilot states it."""
        return None if self.one is None else self.one.status.battery

    @property
    def refusal(self) -> str:
        """Reason why no autopilot is commanded; empty if one is, and before any was found."""
        return "" if self.one is not None else self._search.refusal

    def arm_check(self) -> ArmCheck:
        """Return the autopilot's checks before arming."""
        return ArmCheck(None) if self.one is None else self.one.status.arm_check()

    def health(self, now_ns: int) -> LinkHealth:
        """Return the health of the link."""
        one = self.one
        if one is None:
            return LinkHealth(False, inf, 0, 0, self._refused, None)
        trip_ns = one.time.round_trip_ns
        return LinkHealth(
            not one.is_lost(now_ns),
            (now_ns - one.heartbeat_ns) / NANOSECONDS,
            one.received,
            one.lost,
            self._refused,
            None if trip_ns is None else trip_ns / NANOSECONDS,
        )

    def notices(self) -> list[LinkNotice]:
        """Return the news since the last call."""
        notices = list(self._notices)
        self._notices.clear()
        return notices

    def _parser(self, source: Hashable) -> Any:
        """Return the parser of a sender; the oldest one makes room for a new one."""
        if source not in self._parsers:
            if len(self._parsers) >= MAX_SOURCES:
                del self._parsers[next(one for one in self._parsers if one != self.source)]
            self._parsers[source] = self._mavlink.MAVLink(None)
            self._parsers[source].robust_parsing = True
        return self._parsers[source]

    @property
    def _streams(self) -> bool:
        return self.stream.phase in (StreamPhase.FOLLOWING, StreamPhase.HOVERING)

    def _find_vehicle(self, now_ns: int) -> None:
        """Bind the autopilot once it is certain which one it is; announce that it is lost."""
        if self.one is None:
            found = self._search.decide(now_ns)
            if found is not None:
                self._bind(found, self._search.heartbeat_of(found), now_ns)
        elif self.one.is_lost(now_ns) and not self._was_lost:
            self._was_lost = True
            text = f"no heartbeat from the autopilot, {self.one.vehicle.named}"
            self._notices.append(LinkNotice(LinkEvent.HEARTBEAT_LOST, text))

    def _bind(self, vehicle: MavlinkVehicle, heartbeat: Any, now_ns: int) -> None:
        """Begin the exchange with an autopilot, or begin it again after it was lost."""
        options = self._options
        self._encoder.srcSystem = options.system_id or vehicle.system
        imu = PROFILES[FIRMWARES[vehicle.autopilot]].imu
        rates_hz = {
            imu: options.imu_rate_hz,
            "ATTITUDE_QUATERNION": options.odometry_rate_hz,
            "LOCAL_POSITION_NED": options.odometry_rate_hz,
            "SYS_STATUS": STATUS_RATE_HZ,
        }
        self.one = VehicleConnection(
            vehicle,
            heartbeat,
            self._mavlink,
            self._encoder,
            rates_hz,
            options.allow_arm and self.one is None,
            self._start_ns,
            now_ns,
        )
        self._was_lost = False
        self._notices.append(LinkNotice(LinkEvent.CONNECTED, str(self.one.status.state)))

    def _on_message(self, message: Any, source: Hashable, now_ns: int) -> Sample | None:
        kind = message.get_type()
        if kind == "BAD_DATA":
            self._on_bad_data(message)
            return None
        self._known_ids.add(message.get_msgId())
        if kind == "HEARTBEAT":
            self._on_heartbeat(message, source, now_ns)
        sender = (message.get_srcSystem(), message.get_srcComponent(), source)
        if self.one is None or sender != self.one.vehicle[:3]:
            return None
        return self.one.receive(message, now_ns)

    def _on_heartbeat(self, message: Any, source: Hashable, now_ns: int) -> None:
        found = self._search.heartbeat(message, source, now_ns)
        one = self.one
        if found is None or one is None:
            return
        same = found[:2] == one.vehicle[:2]
        if same and one.is_lost(now_ns) and found.firmware is not None:
            self._bind(found, message, now_ns)
        elif found[:3] == one.vehicle[:3] or found in self._announced:
            return
        elif same or self._options.target_system == 0:
            self._announced.add(found)
            text = (
                f"another autopilot on the link, {found.named}: only {one.vehicle.named} "
                "is commanded"
            )
            self._notices.append(LinkNotice(LinkEvent.SECOND_AUTOPILOT, text))

    def _on_bad_data(self, message: Any) -> None:
        self._refused += 1
        found = CRC_ERROR.match(message.reason)
        if found is None:
            return
        number = int(found[1])
        self._crc_errors[number] += 1
        if number not in self._known_ids and self._crc_errors[number] == SAME_CRC_ERRORS:
            name = self._mavlink.mavlink_map[number].msgname
            text = (
                f"message {name} ({number}) is of another version: its checksum is wrong every "
                "time; update the firmware or pymavlink"
            )
            self._notices.append(LinkNotice(LinkEvent.OTHER_DEFINITION, text))

    def _frame(self, message: Any) -> bytes:
        """Return a message as a MAVLink 2 frame with the next sequence number."""
        frame: bytes = message.pack(self._encoder)
        self._encoder.seq = (self._encoder.seq + 1) % 256
        return frame
