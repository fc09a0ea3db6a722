"""Guard that passes only finite, limited and fresh commands to the autopilot.

It consists of pure functions: state is an argument and a result, time is a stamp. The node, the
in-process flight loop and replay call the same two functions and agree bit for bit.
"""

import math
from collections import Counter
from dataclasses import dataclass, field, replace

from pydantic import Field

from liquid_control.command.barrier import BarrierFilter, SentVelocity, in_map
from liquid_control.command.geofence import slowed
from liquid_control.command.guard_record import RuleAction, in_order
from liquid_control.command.guard_rules import (
    NO_INPUTS,
    POSE_AGE_NS,
    GuardInputs,
    GuardRule,
    RuleAnswer,
    RuleContext,
    barrier_filter,
    enabled_rules,
    filtered_command,
)
from liquid_control.command.guard_settings import GuardAction, GuardEvent, GuardRules
from liquid_control.config import Settings
from liquid_control.types import HOVER, NANOSECONDS, Command

_FRAMES_UNTIL_HOVER = 1.5


class Envelope(Settings):
    """Limits of every command."""

    max_forward_mps: float = Field(
        4.0, gt=0.0, le=20.0, description="forward and backward speed, m/s"
    )
    max_left_mps: float = Field(2.5, gt=0.0, le=20.0, description="sideways speed, m/s")
    max_up_mps: float = Field(1.5, gt=0.0, le=10.0, description="climb and sink speed, m/s")
    max_yaw_rate_radps: float = Field(2.0, gt=0.0, le=10.0, description="yaw rate, rad/s")
    max_accel_mps2: float = Field(
        12.0, gt=0.0, le=100.0, description="slew of each velocity, m/s^2"
    )
    max_yaw_accel_radps2: float = Field(
        30.0, gt=0.0, le=200.0, description="slew of the yaw rate, rad/s^2"
    )
    timeout_s: float = Field(
        0.15, gt=0.02, le=2.0, description="hover this long after the last fresh command, s"
    )
    period_s: float = Field(0.025, gt=0.001, le=0.1, description="time between two polls, s")
    impossible_mps: float = Field(
        100.0,
        gt=0.0,
        le=1000.0,
        description="a velocity beyond this is refused, not clamped, m/s; motors give 100 at most",
    )
    impossible_yaw_rate_radps: float = Field(
        100.0,
        gt=0.0,
        le=1000.0,
        description="a yaw rate beyond this is refused, not clamped, rad/s; motors give 100 at "
        "most",
    )

    @classmethod
    def for_camera(cls, rate_hz: float) -> "Envelope":
        """Return the default envelope, with a timeout of at least 1.5 periods of a camera.

        Below 10 Hz the default timeout would end before the next frame, and the vehicle would
        stop at every frame.

        Args:
            rate_hz: frame rate of the camera, Hz.
        """
        default = cls()
        return cls(timeout_s=max(default.timeout_s, _FRAMES_UNTIL_HOVER / rate_hz))

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """Largest magnitude of each of `Command.values`."""
        return self.max_forward_mps, self.max_left_mps, self.max_up_mps, self.max_yaw_rate_radps

    @property
    def possible(self) -> tuple[float, float, float, float]:
        """Magnitude of each of `Command.values` beyond which a command cannot be right."""
        speed = self.impossible_mps
        return speed, speed, speed, self.impossible_yaw_rate_radps

    @property
    def slews(self) -> tuple[float, float, float, float]:
        """Largest rate of change of each of `Command.values`, per second."""
        return (
            self.max_accel_mps2,
            self.max_accel_mps2,
            self.max_accel_mps2,
            self.max_yaw_accel_radps2,
        )


@dataclass(frozen=True, slots=True)
class GuardState:
    """State of the guard between two calls.

    Attributes:
        output: the command in force.
        output_stamp_ns: stamp at which it came into force; None before the first.
        fresh_stamp_ns: stamp of the last command from a policy; None before the first.
        stale: whether hover is in force because no fresh command arrived.
        events: count of each event since start. A rule that keeps acting counts once.
        action: the most conservative answer in force.
        latched: `LAND` or `HAND_BACK` since it was first in force, until the pilot takes over or
            the vehicle is disarmed; else `NONE`.
        answers: what each rule that acts at present answers.
        on_command: what was done to the newest command: clamped, slewed, refused, dropped, or
            replaced by hover as it became stale.
        stopped_by: answers that made `latched` last.
        run_ns: time of the last run with rules; None before it.
        sent: latest outputs, as the barrier filter needs them; empty without it.
    """

    output: Command = HOVER
    output_stamp_ns: int | None = None
    fresh_stamp_ns: int | None = None
    stale: bool = False
    events: Counter[GuardEvent] = field(default_factory=Counter)
    action: GuardAction = GuardAction.NONE
    latched: GuardAction = GuardAction.NONE
    answers: tuple[RuleAction, ...] = ()
    on_command: tuple[RuleAction, ...] = ()
    stopped_by: tuple[RuleAction, ...] = ()
    run_ns: int | None = None
    sent: tuple[SentVelocity, ...] = ()

    @property
    def active(self) -> frozenset[GuardEvent]:
        """Rules that act at present, those on commands aside, by their event."""
        return frozenset(one.event for one in self.answers)

    @property
    def acting(self) -> tuple[RuleAction, ...]:
        """Every rule that acts at present, those on commands too, in the order of the events.

        The envelope is left out where a more conservative rule acts: its limits are measured from
        what that rule sent, so they would act in all this time.
        """
        limited = self.action <= GuardAction.CLAMP
        own = [one for one in self.on_command if limited or one.action != GuardAction.CLAMP]
        return in_order((*own, *self.answers, *self.stopped_by))

    def counting(self, *events: GuardEvent) -> "GuardState":
        """Return the same state with events added."""
        return replace(self, events=self.events + Counter(events)) if events else self


@dataclass(frozen=True, slots=True)
class Guard:
    """Limits commands to an envelope, answers the rules, and hovers when commands stop arriving.

    Attributes:
        envelope: limits of every command.
        rules: the other rules; off by default.
    """

    envelope: Envelope = field(default_factory=Envelope)
    rules: GuardRules = field(default_factory=GuardRules)
    _enabled: tuple[GuardRule, ...] = field(init=False, repr=False, compare=False)
    _barrier: BarrierFilter | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_enabled", enabled_rules(self.rules))
        barrier = barrier_filter(self.rules, self.envelope.limits)
        object.__setattr__(self, "_barrier", barrier)

    def admit(
        self,
        command: Command,
        stamp_ns: int,
        state: GuardState,
        now_ns: int | None = None,
        inputs: GuardInputs = NO_INPUTS,
    ) -> GuardState:
        """Process a command of the policy; the `output` of the new state is sent on.

        A command that is not newer than the last one is dropped, unless hover is in force because
        the last one became stale: stamps may then restart, as after a restart of the camera. A
        command that is not finite, or beyond what is possible, becomes hover and does not count as
        fresh.

        Args:
            command: command of the policy.
            stamp_ns: stamp of the frame for which the command was computed.
            state: state before the command.
            now_ns: current time of the guard; a command with a stamp farther from it than the
                timeout is dropped. None if time waits for the command (lockstep).
            inputs: readings of the rules up to the present time.
        """
        refused = self._refusal(stamp_ns, state, now_ns)
        if refused is not None:
            return _dropping(state, refused)
        admitted = self._limited(command, stamp_ns, state)
        return self._ruled(admitted, stamp_ns if now_ns is None else now_ns, inputs)

    def hover(self, stamp_ns: int, state: GuardState) -> GuardState:
        """Bring hover into force instead of a command that must not be used.

        A landing goes on.
        """
        if state.action > GuardAction.HOVER:
            return replace(state, output_stamp_ns=stamp_ns, on_command=())
        return replace(
            state,
            output=HOVER,
            output_stamp_ns=stamp_ns,
            action=GuardAction.HOVER,
            on_command=(),
        )

    def poll(self, now_ns: int, state: GuardState, inputs: GuardInputs = NO_INPUTS) -> GuardState:
        """Advance time: hover comes into force at the last poll that is still within the timeout.

        It also comes into force when time jumped back by more than the timeout, since the age of
        the command is then unknown.
        """
        return self._ruled(self._expired(now_ns, state), now_ns, inputs)

    def _expired(self, now_ns: int, state: GuardState) -> GuardState:
        if state.fresh_stamp_ns is None or state.stale:
            return state
        age_ns = now_ns - state.fresh_stamp_ns
        if -self._timeout_ns <= age_ns <= self._timeout_ns - self._period_ns:
            return state
        return self._hovering(now_ns, replace(state, stale=True), GuardEvent.STALE)

    def _hovering(self, stamp_ns: int, state: GuardState, event: GuardEvent) -> GuardState:
        """Bring hover into force because of an event, and count it."""
        cause = RuleAction(event, GuardAction.HOVER)
        return replace(self.hover(stamp_ns, state), on_command=(cause,)).counting(event)

    def _limited(self, command: Command, stamp_ns: int, state: GuardState) -> GuardState:
        """Return the state with a command within the envelope, or hover where it is refused."""
        if not command.is_finite:
            return self._hovering(stamp_ns, state, GuardEvent.NOT_FINITE)
        if any(abs(v) > p for v, p in zip(command.values, self.envelope.possible, strict=True)):
            return self._hovering(stamp_ns, state, GuardEvent.IMPOSSIBLE)
        within, clamped = self._clamp(command)
        smooth, slewed = self._slew(within, stamp_ns, state)
        flags = ((clamped, GuardEvent.CLAMPED), (slewed, GuardEvent.SLEWED))
        limits = [event for happened, event in flags if happened]
        admitted = replace(
            state,
            output=smooth,
            output_stamp_ns=stamp_ns,
            fresh_stamp_ns=stamp_ns,
            stale=False,
            action=GuardAction.CLAMP if limits else GuardAction.NONE,
            on_command=tuple(RuleAction(event, GuardAction.CLAMP) for event in limits),
        )
        return admitted.counting(*limits)

    def _ruled(self, state: GuardState, now_ns: int, inputs: GuardInputs) -> GuardState:
        """Apply the rules to the command in force; the most conservative action wins.

        They begin with the first command: before it nothing flies by this guard.
        """
        if not self._enabled or state.fresh_stamp_ns is None:
            return state
        context = RuleContext(self.rules, inputs, now_ns, state.run_ns)
        if self._barrier is not None:
            filtered = filtered_command(self._barrier, state.output, context, state.sent)
            context = replace(context, filtered=filtered)
        given = (rule(context) for rule in self._enabled)
        found = [one for one in given if one is not None and _acts(one, state.output)]
        autopilot = inputs.autopilot
        released = autopilot is not None and not (autopilot.armed and autopilot.obeys)
        latched = GuardAction.NONE if released else state.latched
        answers = tuple(RuleAction(one.event, one.action) for one in found)
        stops = tuple(one for one in answers if one.action > GuardAction.HOVER)
        latched = max([latched, *(one.action for one in stops)])
        own = min(state.action, GuardAction.HOVER)
        action = max([own, latched, *(one.action for one in found)])
        begun = {one.event for one in found} - state.active
        output = self._output(state.output, action, found)
        changed = output != state.output
        moved = action is not state.action and action >= GuardAction.HOVER
        return replace(
            state,
            output=output,
            output_stamp_ns=now_ns if changed or moved else state.output_stamp_ns,
            action=action,
            latched=latched,
            answers=answers,
            stopped_by=in_order((*(() if released else state.stopped_by), *stops)),
            run_ns=now_ns,
            sent=self._sent(state.sent, output, now_ns, inputs),
        ).counting(*begun)

    def _sent(
        self,
        sent: tuple[SentVelocity, ...],
        output: Command,
        now_ns: int,
        inputs: GuardInputs,
    ) -> tuple[SentVelocity, ...]:
        """Return the outputs that the filter may need, with a new one, turned into the map."""
        if self._barrier is None or inputs.pose is None:
            return sent
        needed_ns = now_ns - POSE_AGE_NS - round(self.rules.barrier_delay_s * NANOSECONDS)
        first = 0
        while first + 1 < len(sent) and sent[first + 1].stamp_ns <= needed_ns:
            first += 1
        before = sent[first:] if not sent or sent[-1].stamp_ns < now_ns else sent[first:-1]
        return (*before, SentVelocity(now_ns, in_map(output, inputs.pose.yaw_rad)))

    def _output(self, output: Command, action: GuardAction, found: list[RuleAnswer]) -> Command:
        if action is GuardAction.LAND:
            return Command(up_mps=-min(self.rules.land_speed_mps, self.envelope.max_up_mps))
        if action >= GuardAction.HOVER:
            return HOVER
        replaced = [one.command for one in found if one.command is not None]
        limits = [limit for one in found for limit in one.limits]
        return slowed(replaced[0] if replaced else output, limits)

    @property
    def _timeout_ns(self) -> int:
        return round(self.envelope.timeout_s * NANOSECONDS)

    @property
    def _period_ns(self) -> int:
        return round(self.envelope.period_s * NANOSECONDS)

    def _refusal(self, stamp_ns: int, state: GuardState, now_ns: int | None) -> GuardEvent | None:
        known = None if state.stale else state.fresh_stamp_ns
        if known is not None and stamp_ns <= known:
            return GuardEvent.STAMP_BACKWARDS
        if now_ns is not None and stamp_ns - now_ns > self._timeout_ns:
            return GuardEvent.STAMP_AHEAD
        if now_ns is not None and now_ns - stamp_ns > self._timeout_ns:
            return GuardEvent.LATE
        return None

    def _clamp(self, command: Command) -> tuple[Command, bool]:
        pairs = zip(command.values, self.envelope.limits, strict=True)
        clamped = Command(*(max(-limit, min(limit, value)) for value, limit in pairs))
        return clamped, clamped != command

    def _slew(self, command: Command, stamp_ns: int, state: GuardState) -> tuple[Command, bool]:
        if state.output_stamp_ns is None:
            return command, False
        elapsed_s = max(0, stamp_ns - state.output_stamp_ns) / NANOSECONDS
        triples = zip(state.output.values, command.values, self.envelope.slews, strict=True)
        smooth = Command(*(_toward(old, new, rate * elapsed_s) for old, new, rate in triples))
        return smooth, smooth != command


def _dropping(state: GuardState, event: GuardEvent) -> GuardState:
    """Return the state after a command that is dropped: the one before goes on."""
    on_command = in_order((*state.on_command, RuleAction(event, GuardAction.NONE)))
    return replace(state, on_command=on_command).counting(event)


def _toward(old: float, new: float, step: float) -> float:
    return new if abs(new - old) <= step else old + math.copysign(step, new - old)


def _acts(finding: RuleAnswer, output: Command) -> bool:
    """Return whether an answer changes anything; a limit does if the command exceeds it."""
    return finding.action is not GuardAction.SLOW or finding.applied_to(output) != output
