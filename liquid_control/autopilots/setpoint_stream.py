"""Set-points depend on the age of the policy's command, not on whether its publisher is alive."""

from dataclasses import dataclass, replace
from typing import Literal

from liquid_control.autopilots.interface import LinkEvent, StreamPhase
from liquid_control.errors import ConfigError
from liquid_control.types import HOVER, NANOSECONDS, Command

MAX_TIMEOUT_S = 0.15
MARGIN_NS = 10_000_000
"""Zero velocity is sent so long before a command's end of life: a busy machine wakes late."""
OnStale = Literal["hover", "stop"]


@dataclass(frozen=True, slots=True)
class SetpointRules:
    """Rules of the set-point stream.

    Attributes:
        timeout_s: a set-point is in force no longer than this after the stamp of its command, s.
        period_s: between two set-points while no command arrives, s.
        on_stale: without a fresh command, `hover` sends zero velocity, `stop` sends it once and
            then nothing, so that the autopilot's own failsafe acts.
        hover_limit_s: after so long with hover only, be it of this stream or of the guard, the
            stream stops, s; 0 for no limit. It begins with the first command other than hover.

    Raises:
        ConfigError: a value is out of range.
    """

    timeout_s: float = MAX_TIMEOUT_S
    period_s: float = 0.05
    on_stale: OnStale = "hover"
    hover_limit_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0.02 < self.timeout_s <= MAX_TIMEOUT_S:
            raise ConfigError(
                f"timeout_s: expected more than 0.02 and at most {MAX_TIMEOUT_S:g} s, "
                f"got {self.timeout_s:g}"
            )
        if not 0.0 < self.period_s <= 0.2:
            raise ConfigError(f"period_s: expected 0 to 0.2 s, got {self.period_s:g}")
        if self.hover_limit_s != 0.0 and not self.hover_limit_s >= 1.0:
            raise ConfigError(
                f"hover_limit_s: expected 0 (no limit) or at least 1 s, got {self.hover_limit_s:g}"
            )


@dataclass(frozen=True, slots=True)
class StreamState:
    """State of the set-point stream between two calls; times are of the steady clock, ns.

    Attributes:
        phase: what is sent at present.
        output: the command in force.
        stamp_ns: stamp of the newest command other than hover; None before the first.
        hover_stamp_ns: stamp of the newest hover; None before the first.
        end_ns: end of life of the command in force.
        policy_ns: when the newest command other than hover was admitted; None before the first.
        next_ns: when the next set-point is due; None if none is.
    """

    phase: StreamPhase = StreamPhase.WAITING
    output: Command = HOVER
    stamp_ns: int | None = None
    hover_stamp_ns: int | None = None
    end_ns: int = 0
    policy_ns: int | None = None
    next_ns: int | None = None


@dataclass(frozen=True, slots=True)
class SetpointStream:
    """Decides which set-point is sent when; state and time are arguments.

    A guard answers a policy that has died with hover, so hover is not evidence of a policy: it is
    sent on, but it neither keeps the heartbeat alive nor extends `hover_limit_s`.
    """

    rules: SetpointRules

    def admit(
        self, command: Command, stamp_ns: int, age_ns: int, now_ns: int, state: StreamState
    ) -> tuple[StreamState, LinkEvent | None]:
        """Process a command; return the new state, and the event if the command is not used.

        A command with the stamp of one before it is a repetition and changes nothing.

        Args:
            command: heading frame.
            stamp_ns: stamp of the frame that it answers.
            age_ns: age of the stamp at present, by the clock of the stamps.
            now_ns: present time, steady clock.
            state: state before the command.
        """
        if not command.is_finite:
            return self._without_command(now_ns, state), LinkEvent.NOT_FINITE
        if age_ns > self._timeout_ns:
            return state, LinkEvent.LATE
        if age_ns < -self._timeout_ns:
            return state, LinkEvent.STAMP_AHEAD
        hovers = command == HOVER
        known = state.hover_stamp_ns if hovers else state.stamp_ns
        if known is not None and stamp_ns == known:
            return state, None
        if known is not None and stamp_ns < known and state.phase is StreamPhase.FOLLOWING:
            return state, LinkEvent.STAMP_BACKWARDS
        if hovers and self._is_past_limit(now_ns, state):
            return state, None
        admitted = replace(
            state,
            phase=StreamPhase.FOLLOWING,
            output=command,
            end_ns=now_ns + self._timeout_ns - max(age_ns, 0) - MARGIN_NS,
            next_ns=now_ns,
        )
        if hovers:
            return replace(admitted, hover_stamp_ns=stamp_ns), None
        return replace(admitted, stamp_ns=stamp_ns, policy_ns=now_ns), None

    def poll(
        self, now_ns: int, state: StreamState
    ) -> tuple[StreamState, Command | None, LinkEvent | None]:
        """Advance time; return the state, the set-point to send now if any, and an event."""
        event = None
        if state.phase is StreamPhase.FOLLOWING and now_ns >= state.end_ns:
            state, event = self._without_command(now_ns, state), LinkEvent.STALE
        if self._is_past_limit(now_ns, state) and state.phase is not StreamPhase.STOPPED:
            stopped = replace(state, phase=StreamPhase.STOPPED, output=HOVER, next_ns=None)
            return stopped, HOVER, event or LinkEvent.STALE
        if state.next_ns is None or now_ns < state.next_ns:
            return state, None, event
        again_ns = now_ns + self._period_ns
        next_ns = None if state.phase is StreamPhase.STOPPED else again_ns
        return replace(state, next_ns=next_ns), state.output, event

    def deadline_ns(self, state: StreamState) -> int | None:
        """Return when `poll` has something to do; None if only a command changes anything."""
        times = [] if state.next_ns is None else [state.next_ns]
        if state.phase is StreamPhase.FOLLOWING:
            times.append(state.end_ns)
        return min(times, default=None)

    def has_policy(self, now_ns: int, state: StreamState) -> bool:
        """Return whether the newest command other than hover is fresh.

        Before the first such command it is True: the companion computer stands by.
        """
        return state.policy_ns is None or now_ns - state.policy_ns <= self._timeout_ns

    def _without_command(self, now_ns: int, state: StreamState) -> StreamState:
        """Return the state without a command to follow; zero velocity is due at once."""
        if state.phase in (StreamPhase.WAITING, StreamPhase.STOPPED):
            return state
        stops = self.rules.on_stale == "stop"
        phase = StreamPhase.STOPPED if stops else StreamPhase.HOVERING
        return replace(state, phase=phase, output=HOVER, next_ns=now_ns)

    def _is_past_limit(self, now_ns: int, state: StreamState) -> bool:
        limit_s = self.rules.hover_limit_s
        if limit_s == 0.0 or state.policy_ns is None:
            return False
        return now_ns - state.policy_ns >= limit_s * NANOSECONDS

    @property
    def _timeout_ns(self) -> int:
        return round(self.rules.timeout_s * NANOSECONDS)

    @property
    def _period_ns(self) -> int:
        return round(self.rules.period_s * NANOSECONDS)
