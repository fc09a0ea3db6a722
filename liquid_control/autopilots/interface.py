"""The interface that every autopilot bridge implements: connection, state, set-points, health.

Frames are those of this package at the interface: `base_link` FLU, `map` ENU, commands in the
heading frame, which is `base_link` without roll and pitch. A bridge converts to the frames of its
protocol inside. Stamps of samples are of the bridge's steady clock, in ns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from liquid_control.types import NANOSECONDS, Command, Floats, VehicleState

SEARCH_NS = 1_500_000_000
"""From an autopilot's first status to the decision which one is commanded."""
LOST_NS = 3 * NANOSECONDS
"""Without a status for so long an autopilot is lost."""
NOT_ARMED_NS = 30 * NANOSECONDS
"""A vehicle that is not armed after so long with commands is reported."""


class Firmware(str, Enum):
    """Firmware of an autopilot."""

    ARDUPILOT = "ArduPilot"
    PX4 = "PX4"
    BETAFLIGHT = "Betaflight"
    BEHIND_MAVROS = "autopilot behind MAVROS"
    """MAVROS does not state which one."""


class LinkEvent(str, Enum):
    """Events of a bridge, by their key in diagnostics."""

    STALE = "stale"
    LATE = "late"
    STAMP_AHEAD = "stamp_ahead"
    STAMP_BACKWARDS = "stamp_backwards"
    NOT_FINITE = "not_finite"
    CONNECTED = "connected"
    HEARTBEAT_LOST = "heartbeat_lost"
    LINK_FAILED = "link_failed"
    SECOND_AUTOPILOT = "second_autopilot"
    OTHER_DEFINITION = "other_definition"
    MODE_CHANGED = "mode_changed"
    REQUEST_REFUSED = "request_refused"
    NOT_ARMED = "not_armed"
    HOLD_TIME = "hold_time"
    CLOCK_RESET = "clock_reset"
    IMU_BACKWARDS = "imu_backwards"
    HOVERING = "hovering"

    @property
    def meaning(self) -> str:
        """What is counted."""
        return _MEANINGS[self]


_MEANINGS = {
    LinkEvent.STALE: "times that no fresh command was left: hovering or stopped",
    LinkEvent.LATE: "commands older than `timeout_s` at their arrival, not used",
    LinkEvent.STAMP_AHEAD: "commands stamped more than `timeout_s` ahead, not used",
    LinkEvent.STAMP_BACKWARDS: "commands not later than the one before, not used",
    LinkEvent.NOT_FINITE: "commands that are not finite: hovering",
    LinkEvent.CONNECTED: "autopilots found, and found again",
    LinkEvent.HEARTBEAT_LOST: "times that the autopilot's heartbeat stopped",
    LinkEvent.LINK_FAILED: "failures of the port, which is opened again",
    LinkEvent.SECOND_AUTOPILOT: "other autopilots found on the link; only the first is commanded",
    LinkEvent.OTHER_DEFINITION: "messages whose definition or protocol version differs",
    LinkEvent.MODE_CHANGED: "changes of flight mode or arming",
    LinkEvent.REQUEST_REFUSED: "requests that the autopilot refused or did not answer",
    LinkEvent.NOT_ARMED: "times that commands arrived for long while the vehicle was disarmed",
    LinkEvent.HOLD_TIME: "parameters that let the autopilot hold old set-points for too long",
    LinkEvent.CLOCK_RESET: "jumps of the autopilot's clock, as after its restart",
    LinkEvent.IMU_BACKWARDS: "IMU samples not later than the one before, not published",
    LinkEvent.HOVERING: "reasons to send zero velocity instead of commands",
}


class StreamPhase(str, Enum):
    """Phase of the set-point stream."""

    WAITING = "waiting for the first command"
    FOLLOWING = "following commands"
    HOVERING = "hovering: no fresh command"
    STOPPED = "stopped: no fresh command"


class LinkNotice(NamedTuple):
    """News of a bridge: the event, and a sentence about it without a full stop."""

    event: LinkEvent
    text: str


@dataclass(frozen=True, slots=True)
class AutopilotStatus:
    """State of an autopilot, as it states it.

    Attributes:
        firmware: its firmware.
        system_id: its MAVLink system id; 0 where the protocol has none.
        mode: name of its flight mode.
        obeys: whether this mode follows the set-points of a companion computer.
        armed: whether the motors are armed.
    """

    firmware: Firmware
    system_id: int
    mode: str
    obeys: bool
    armed: bool

    def __str__(self) -> str:
        armed = "armed" if self.armed else "disarmed"
        number = f" (system {self.system_id})" if self.system_id else ""
        return f"{self.firmware.value}{number}, {self.mode}, {armed}"


@dataclass(frozen=True, slots=True)
class ArmCheck:
    """Result of the autopilot's own checks before arming.

    Attributes:
        ready: whether it would arm; None where it does not state it.
        reasons: its recent messages about failed checks, newest last.
        warnings: its settings that are not recommended in flight with a companion computer.
    """

    ready: bool | None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class BatteryStatus(NamedTuple):
    """Battery of the vehicle, as the autopilot states it; None for what it does not measure.

    Attributes:
        charge: what is left, of 1.
        voltage_v: at present, V.
    """

    charge: float | None
    voltage_v: float | None


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """Health of the link to an autopilot.

    Attributes:
        connected: whether its heartbeat arrives.
        heartbeat_age_s: time since its last heartbeat, s; infinite before the first.
        received: messages received from it.
        lost: messages of it that are missing, by their sequence numbers.
        refused: frames with a wrong checksum, of any sender.
        round_trip_s: shortest recent round trip, s; None before the clocks are compared.
    """

    connected: bool
    heartbeat_age_s: float
    received: int
    lost: int
    refused: int
    round_trip_s: float | None


class ImuSample(NamedTuple):
    """One IMU sample, `base_link`.

    Attributes:
        stamp_ns: time of measurement, steady clock.
        angular_velocity: (x, y, z), rad/s.
        linear_acceleration: (x, y, z), m/s^2: specific force, +9.81 on z at rest.
        orientation: float64 [4], (x, y, z, w), `base_link` to `map`; None without a recent one.
    """

    stamp_ns: int
    angular_velocity: tuple[float, float, float]
    linear_acceleration: tuple[float, float, float]
    orientation: Floats | None


class OdometrySample(NamedTuple):
    """The autopilot's estimate of the vehicle's state, in `map` and `base_link`.

    Attributes:
        stamp_ns: time of the estimate, steady clock.
        state: the estimate; its origin is the autopilot's.
    """

    stamp_ns: int
    state: VehicleState


Sample = ImuSample | OdometrySample
OnSample = Callable[[Sample], None]


class AutopilotBridge(Protocol):
    """A connection to one autopilot.

    Its methods do not wait. Set-points follow `SetpointRules`: they never
    outlive the command that they come from.
    """

    def start(self) -> None:
        """Open the link and begin to look for the autopilot.

        Raises:
            AutopilotError: the port cannot be opened.
        """
        ...

    @property
    def state(self) -> AutopilotStatus | None:
        """State of the autopilot; None before it is found."""
        ...

    @property
    def battery(self) -> BatteryStatus | None:
        """The battery; None before the autopilot states it, and where it does not."""
        ...

    @property
    def refusal(self) -> str:
        """Reason why there is no autopilot to command; empty if there is one."""
        ...

    @property
    def phase(self) -> StreamPhase:
        """What the set-point stream sends at present."""
        ...

    def absence(self, elapsed_s: float) -> str:
        """Return the line on an autopilot that was not found within a time, s."""
        ...

    def command(self, command: Command, stamp_ns: int, age_ns: int) -> None:
        """Send a set-point, and keep sending it until it is too old.

        Args:
            command: velocity and yaw rate, heading frame.
            stamp_ns: stamp of the frame that it answers, which orders the commands.
            age_ns: age of that stamp at present.
        """
        ...

    def arm_check(self) -> ArmCheck:
        """Return what the autopilot states about its checks before arming."""
        ...

    def health(self) -> LinkHealth:
        """Return the health of the link."""
        ...

    def notices(self) -> list[LinkNotice]:
        """Return the news since the last call."""
        ...

    def close(self) -> None:
        """Send zero velocity once, then close the link."""
        ...
