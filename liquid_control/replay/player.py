"""Plays a bag's events to a policy, with the stamps' own dt: what the nodes do, without ROS."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from liquid_control.bags.events import CameraInfoEvent, ClockEvent, Event, FrameEvent
from liquid_control.command import Guard, GuardState
from liquid_control.errors import LiquidControlError, ObservationError
from liquid_control.policy import Decision, FrameClock, Policy
from liquid_control.replay.backends import BACKENDS, Controller
from liquid_control.replay.feature_extractor import FeatureExtractor, FrameFeatures
from liquid_control.replay.tracks import Replayed, Rows, Series, Track
from liquid_control.types import HOVER, NANOSECONDS, Command


class Answerer:
    """A policy's state and clock over one flight; what it answers is kept by others.

    A frame that cannot be used leaves state and clock as they were.

    Args:
        policy: the model's.
        controller: answers features; None for the one that flies.

    Attributes:
        fresh: how often it began from a fresh state after the first.
        refused: how many frames it could not use, by reason.
    """

    def __init__(self, policy: Policy, controller: Controller | None = None) -> None:
        settings = policy.model.settings
        self.fresh = 0
        self.refused: Counter[str] = Counter()
        self._controller = controller or BACKENDS["flight"](policy)
        self._clock = FrameClock(settings.nominal_dt_s, settings.max_gap_s)
        self._state = self._controller.init_state()
        self._previous_ns: int | None = None

    def answer(self, frame_features: FrameFeatures, stamp_ns: int) -> Decision | None:
        """Return what is decided on a frame; None where it cannot be used, which is hover."""
        try:
            return self._decide(frame_features, stamp_ns)
        except LiquidControlError as error:
            self.refused[type(error).__name__ if not str(error) else str(error)] += 1
            return None

    def _decide(self, frame_features: FrameFeatures, stamp_ns: int) -> Decision:
        if frame_features.features is None:
            raise frame_features.error or ObservationError("the frame was not usable")
        if not np.isfinite(frame_features.features).all():
            raise ObservationError("expected finite features, got NaN: the frame was not usable")
        previous_ns = self._previous(stamp_ns)
        elapsed = self._clock.elapsed(stamp_ns, previous_ns)
        self.fresh += elapsed.fresh and self._previous_ns is not None
        state = self._controller.init_state() if elapsed.fresh else self._state
        decision = self._controller.act(frame_features.features, state, elapsed.dt_s)
        self._state, self._previous_ns = decision.state, elapsed.stamp_ns
        return decision

    def _previous(self, stamp_ns: int) -> int | None:
        """Return the stamp before, or None where stamps went back so far that they begin anew."""
        gap_ns = round(self._clock.max_gap_s * NANOSECONDS)
        if self._previous_ns is not None and stamp_ns < self._previous_ns - gap_ns:
            return None
        return self._previous_ns


class ReplayGuard:
    """Guards a replay's commands and keeps what came out.

    In lockstep it answers every `/clock` later than its last output, as the node does. A clock is
    held until something later is heard: the bag may have filed it before the frame of its stamp,
    which the flight answered first.
    In real time it polls between two frames as often as the node's timer, on the frames' clock.

    Args:
        guard: holds the envelope.
        lockstep: None to take it from the first frame: only a lockstep flight's is filed under
            its own stamp.
    """

    def __init__(self, guard: Guard, lockstep: bool | None = None) -> None:
        self.lockstep = lockstep
        self.state = GuardState()
        self._guard = guard
        self._period_ns = round(guard.envelope.period_s * NANOSECONDS)
        self._sent_ns: int | None = None
        self._clocks: list[int] = []
        self._out = Rows("values", np.float64, 4)

    def clock(self, stamp_ns: int) -> None:
        """Hear a `/clock`."""
        if self.lockstep is not False:
            self._answer_clocks(stamp_ns)
            self._clocks.append(stamp_ns)

    def admit(self, command: Command, stamp_ns: int, log_ns: int) -> None:
        """Take the policy's answer to a frame."""
        if self.lockstep is None:
            self.lockstep = log_ns == stamp_ns
        if self.lockstep:
            self._answer_clocks(stamp_ns)
        else:
            self._poll_until(stamp_ns)
        before = self.state
        self.state = self._guard.admit(command, stamp_ns, before)
        if self.state.output_stamp_ns != before.output_stamp_ns:
            self._send(stamp_ns)

    def outputs(self) -> Series:
        """Return what came out, float64 [T, 4]; the flight is over."""
        if self.lockstep is not False and self._clocks:
            self._answer_clocks(self._clocks[-1] + 1)
        return self._out.series()

    def _answer_clocks(self, before_ns: int) -> None:
        """Answer the clocks that are held and earlier than an instant; later ones stay."""
        if self.lockstep is None:
            return
        held, self._clocks = self._clocks, [c for c in self._clocks if c >= before_ns]
        for now_ns in held:
            if now_ns < before_ns and (self._sent_ns is None or now_ns > self._sent_ns):
                self.state = self._guard.poll(now_ns, self.state)
                self._send(now_ns)

    def _poll_until(self, stamp_ns: int) -> None:
        fresh_ns = self.state.fresh_stamp_ns
        if fresh_ns is None:
            return
        now_ns = min(fresh_ns + self._period_ns, stamp_ns)
        while (now_ns < stamp_ns or stamp_ns < fresh_ns) and not self.state.stale:
            self.state = self._guard.poll(now_ns, self.state)
            if self.state.stale:
                self._send(now_ns)
            if stamp_ns < fresh_ns:
                return
            now_ns += self._period_ns

    def _send(self, stamp_ns: int) -> None:
        self._sent_ns = stamp_ns
        self._out.add(stamp_ns, self.state.output.values)


class EventConsumer(Protocol):
    """Hears a bag's events in order."""

    def consume(self, event: Event) -> None:
        """Take one."""
        ...


def replay(events: Iterable[Event], consumers: Sequence[EventConsumer]) -> None:
    """Play events to players, tapes and whoever else listens, one pass for all."""
    hearers = [listener.consume for listener in consumers]
    for event in events:
        for consume in hearers:
            consume(event)


class Player:
    """One policy over one flight.

    A frame that cannot be used is answered with hover and leaves state and clock as they were, as
    the nodes do it.

    Args:
        perceiver: makes the features; may be shared with players of the same model.
        controller: answers them; None for the one that flies.
        guard: after the policy.
        lockstep: whether the guard goes by `/clock`; None to take it from the first frame.
        label: the player's name.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        controller: Controller | None = None,
        guard: Guard | None = None,
        *,
        lockstep: bool | None = None,
        label: str = "replayed",
    ) -> None:
        self.label = label
        self._perceiver = extractor
        self._answerer = Answerer(extractor.policy, controller)
        self._guard = ReplayGuard(guard or Guard(), lockstep)
        self._frames = self._withheld = 0
        self._commands = Rows("values", np.float64, 4)
        self._features = Rows("features", np.float32)
        self._states = Rows("neurons", np.float32)
        self._gates = Rows("time gates", np.float32)

    def consume(self, event: Event) -> None:
        """Take an event; only frames, calibrations and clocks matter."""
        if isinstance(event, FrameEvent):
            self._on_frame(event)
        elif isinstance(event, ClockEvent):
            self._guard.clock(event.stamp_ns)
        elif isinstance(event, CameraInfoEvent):
            self._perceiver.calibrated(event)

    def replayed(self) -> Replayed:
        """Return what was answered; the flight is over."""
        track = Track(
            self.label,
            self._commands.series(),
            self._guard.outputs(),
            self._features.series(),
            self._states.series(),
            self._gates.series(),
            self._perceiver.policy.neuron_names,
        )
        return Replayed(
            track,
            self._frames,
            self._answerer.refused,
            self._withheld,
            self._answerer.fresh,
            self._guard.state.events,
            bool(self._guard.lockstep),
        )

    def _on_frame(self, seen: FrameEvent) -> None:
        self._frames += 1
        frame_features = self._perceiver.perceive(seen)
        if frame_features is None:
            self._withheld += 1
            return
        stamp_ns = seen.observation.stamp_ns
        command = self._answer(frame_features, stamp_ns)
        self._commands.add(stamp_ns, command.values)
        self._guard.admit(command, stamp_ns, seen.log_ns)

    def _answer(self, frame_features: FrameFeatures, stamp_ns: int) -> Command:
        decision = self._answerer.answer(frame_features, stamp_ns)
        if decision is None:
            return HOVER
        self._features.add(
            stamp_ns, frame_features.features if frame_features.features is not None else ()
        )
        self._states.add(stamp_ns, decision.state)
        self._gates.add(stamp_ns, decision.gates)
        return decision.command
