"""State machine of bridges whose autopilot states its status in messages, as over ROS topics.

It decides which set-point is sent when, which autopilot is commanded, and what is news. It opens
no port and reads no clock. `MavlinkSession` has the same rules for MAVLink's own exchange.
"""

from collections import deque
from dataclasses import dataclass, field
from math import inf, nan

from liquid_control.autopilots.interface import (
    LOST_NS,
    NOT_ARMED_NS,
    SEARCH_NS,
    ArmCheck,
    AutopilotStatus,
    LinkEvent,
    LinkHealth,
    LinkNotice,
    StreamPhase,
)
from liquid_control.autopilots.setpoint_stream import SetpointRules, SetpointStream, StreamState
from liquid_control.types import HOVER, NANOSECONDS, Command

HEADING_NS = 500_000_000
"""A heading is used no longer than this."""
MAX_NOTICES = 200
"""News that are kept for a caller who does not fetch them; the oldest are dropped."""
COMMAND_EVENTS = {
    LinkEvent.LATE: "a command is {age:.0f} ms old: not used",
    LinkEvent.STAMP_AHEAD: "a command is stamped {ahead:.0f} ms ahead: not used",
    LinkEvent.STAMP_BACKWARDS: "a command is not later than the one before: not used",
    LinkEvent.NOT_FINITE: "a command is not finite: hovering",
}


def command_notice(event: LinkEvent, age_ns: int) -> LinkNotice:
    """Return the notice of a command that is not used."""
    age_ms = age_ns / 1e6
    return LinkNotice(event, COMMAND_EVENTS[event].format(age=age_ms, ahead=-age_ms))


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """Rules of a bridge.

    Attributes:
        setpoints: of the set-point stream.
        mode: what the pilot selects so that set-points are followed, for messages.
        target_system: system id of the autopilot; 0 for any.
        needs_heading: whether set-points are in a frame that does not turn with the vehicle.
        separation: how two autopilots that share the link are told apart, for messages.
        fallback: what is done in place of commands while there is a problem, for messages.
    """

    setpoints: SetpointRules = field(default_factory=SetpointRules)
    mode: str = "OFFBOARD"
    target_system: int = 0
    needs_heading: bool = False
    separation: str = "give each a link of its own"
    fallback: str = "hovering"


class BridgeSession:
    """One connection; every method gets the present time of the steady clock, in ns.

    Args:
        rules: of the bridge.

    Attributes:
        state: of the autopilot that is commanded; None before it is found.
        stream: state of the set-point stream.
        refusal: reason why no autopilot is commanded; empty if one is, and before any was found.
        problem: reason why set-points are zero velocity at present; set by the bridge.
        mismatch: reason why nothing is sent, as messages that the autopilot reads otherwise; set
            by the bridge.
    """

    def __init__(self, rules: BridgeRules) -> None:
        self._rules = rules
        self._setpoints = SetpointStream(rules.setpoints)
        self.stream = StreamState()
        self.state: AutopilotStatus | None = None
        self.refusal = self.problem = self.mismatch = ""
        self._check = ArmCheck(None)
        self._systems: dict[int, int] = {}
        self._first_ns: int | None = None
        self._heading: tuple[int, float] | None = None
        self._received, self._status_ns = 0, 0
        self._was_lost = False
        self._unarmed_ns: int | None = None
        self._announced = ""
        self._notices: deque[LinkNotice] = deque(maxlen=MAX_NOTICES)

    def command(self, command: Command, stamp_ns: int, age_ns: int, now_ns: int) -> None:
        """Process a command; `poll` then returns its set-point. See `SetpointStream.admit`."""
        self.stream, event = self._setpoints.admit(command, stamp_ns, age_ns, now_ns, self.stream)
        if event is not None:
            self._notices.append(command_notice(event, age_ns))

    def heading(self, heading_rad: float, now_ns: int) -> None:
        """Keep the vehicle's heading, rad, counter-clockwise from east."""
        self._heading = (now_ns, heading_rad)

    def status(self, state: AutopilotStatus, now_ns: int, check: ArmCheck) -> None:
        """Process a status; the autopilot is bound once it is certain that it is the only one."""
        self._received += 1
        self._systems[state.system_id] = now_ns
        if self._first_ns is None:
            self._first_ns = now_ns
        before = self.state
        if before is None or state.system_id != before.system_id:
            self._find(state, now_ns, check)
            return
        if self._was_lost:
            self._notices.append(LinkNotice(LinkEvent.CONNECTED, str(state)))
        elif state != before:
            text = str(state)
            if before.obeys and not state.obeys:
                text += f": the pilot has control, set-points need {self._rules.mode}"
            self._notices.append(LinkNotice(LinkEvent.MODE_CHANGED, text))
        self._bind(state, now_ns, check)

    def poll(self, now_ns: int) -> tuple[Command, float] | None:
        """Return the set-point to send now and the heading, rad; None if none is due.

        The heading is NaN where none is needed or known. Without a heading that is needed, and
        while there is a `problem`, the set-point is zero velocity.
        """
        self.stream, setpoint, event = self._setpoints.poll(now_ns, self.stream)
        if event is not None:
            self._notices.append(LinkNotice(event, self.stream.phase.value))
        self._check_link(now_ns)
        if self.state is None or self.mismatch:
            return None
        problem = self._hindrance(now_ns)
        if problem and problem != self._announced:
            text = f"{problem}: {self._rules.fallback}"
            self._notices.append(LinkNotice(LinkEvent.HOVERING, text))
        self._announced = problem
        if setpoint is None:
            return None
        known = self._recent_heading(now_ns)
        return HOVER if problem else setpoint, nan if known is None else known

    def last(self) -> tuple[Command, float] | None:
        """Return the last set-point of a connection: zero velocity, if set-points were sent."""
        streams = self.stream.phase in (StreamPhase.FOLLOWING, StreamPhase.HOVERING)
        is_known = self.state is not None and not self.mismatch
        return (HOVER, 0.0) if streams and is_known else None

    def arm_check(self) -> ArmCheck:
        """Return the autopilot's checks before arming."""
        return self._check

    def health(self, now_ns: int) -> LinkHealth:
        """Return the health of the link."""
        if self.state is None:
            return LinkHealth(False, inf, self._received, 0, 0, None)
        age_s = (now_ns - self._status_ns) / NANOSECONDS
        return LinkHealth(not self._is_lost(now_ns), age_s, self._received, 0, 0, None)

    def notice(self, event: LinkEvent, text: str) -> None:
        """Add news."""
        self._notices.append(LinkNotice(event, text))

    def notices(self) -> list[LinkNotice]:
        """Return the news since the last call."""
        notices = list(self._notices)
        self._notices.clear()
        return notices

    def _find(self, state: AutopilotStatus, now_ns: int, check: ArmCheck) -> None:
        """Bind an autopilot after `SEARCH_NS`, unless it is another one or one of several."""
        if self._first_ns is None or now_ns - self._first_ns < SEARCH_NS:
            return
        systems = self._present(now_ns)
        wanted = self._rules.target_system
        if self.state is not None or len(systems) > 1:
            return
        if wanted not in (0, state.system_id):
            self.refusal = (
                f"expected the autopilot with system id {wanted}, found system {state.system_id}"
            )
            return
        self.refusal = ""
        self._notices.append(LinkNotice(LinkEvent.CONNECTED, str(state)))
        self._bind(state, now_ns, check)

    def _bind(self, state: AutopilotStatus, now_ns: int, check: ArmCheck) -> None:
        self.state, self._status_ns, self._check = state, now_ns, check
        self._was_lost = False

    def _present(self, now_ns: int) -> list[int]:
        self._systems = {one: at for one, at in self._systems.items() if now_ns - at <= LOST_NS}
        return sorted(self._systems)

    def _check_link(self, now_ns: int) -> None:
        """Announce a lost autopilot, and one that is not armed for long."""
        systems = self._present(now_ns)
        if self.state is None and len(systems) > 1:
            self.refusal = self._several(systems)
        if self.state is not None and self._is_lost(now_ns) and not self._was_lost:
            self._was_lost = True
            self._notices.append(
                LinkNotice(LinkEvent.HEARTBEAT_LOST, f"no status of the autopilot, {self.state}")
            )
        policy = self.stream.policy_ns is not None
        follows = policy and self._setpoints.has_policy(now_ns, self.stream)
        if self.state is None or self.state.armed or not follows:
            self._unarmed_ns = None
        elif self._unarmed_ns is None:
            self._unarmed_ns = now_ns
        elif now_ns - self._unarmed_ns >= NOT_ARMED_NS:
            self._unarmed_ns = now_ns
            self._notices.append(LinkNotice(LinkEvent.NOT_ARMED, self._waiting_line(self.state)))

    def _waiting_line(self, state: AutopilotStatus) -> str:
        needs = f"{state}; set-points need {self._rules.mode}, armed"
        line = f"the vehicle is not armed after {NOT_ARMED_NS // NANOSECONDS} s of commands: "
        return line + "; ".join([needs, *self._check.reasons])

    def _hindrance(self, now_ns: int) -> str:
        """Return why set-points are zero velocity; empty if they are not."""
        systems = self._present(now_ns)
        if len(systems) > 1:
            return self._several(systems)
        if self.problem:
            return self.problem
        if self._rules.needs_heading and self._recent_heading(now_ns) is None:
            return f"no heading of the vehicle within {HEADING_NS / 1e9:g} s"
        return ""

    def _several(self, systems: list[int]) -> str:
        names = " and ".join(f"system {one}" for one in systems)
        return f"{len(systems)} autopilots on the link, {names}: {self._rules.separation}"

    def _recent_heading(self, now_ns: int) -> float | None:
        if self._heading is None or now_ns - self._heading[0] > HEADING_NS:
            return None
        return self._heading[1]

    def _is_lost(self, now_ns: int) -> bool:
        return now_ns - self._status_ns > LOST_NS
