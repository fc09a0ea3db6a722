"""Plays a bag's events to a policy, with the stamps' own dt: what the nodes do, without ROS."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from liquid_control.bags.events import Calibrated, Clocked, Event, Seen
from liquid_control.command import Guard
from liquid_control.errors import LiquidControlError, ObservationError
from liquid_control.policy import Decision, FrameClock
from liquid_control.replay.backends import BACKENDS, Controller
from liquid_control.replay.guard_line import GuardLine
from liquid_control.replay.perceiver import Percept, Perceiver
from liquid_control.replay.track import Replayed, Rows, Track
from liquid_control.types import HOVER, NANOSECONDS, Command


class Listener(Protocol):
    """Hears a bag's events in order."""

    def hear(self, event: Event) -> None:
        """Take one."""
        ...


def replay(events: Iterable[Event], listeners: Sequence[Listener]) -> None:
    """Play events to players, tapes and whoever else listens, one pass for all."""
    hearers = [listener.hear for listener in listeners]
    for event in events:
        for hear in hearers:
            hear(event)


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
        perceiver: Perceiver,
        controller: Controller | None = None,
        guard: Guard | None = None,
        *,
        lockstep: bool | None = None,
        label: str = "replayed",
    ) -> None:
        settings = perceiver.policy.model.settings
        self.label = label
        self._perceiver = perceiver
        self._controller = controller or BACKENDS["flight"](perceiver.policy)
        self._guard = GuardLine(guard or Guard(), lockstep)
        self._clock = FrameClock(settings.nominal_dt_s, settings.max_gap_s)
        self._state = self._controller.init_state()
        self._previous_ns: int | None = None
        self._frames = self._withheld = self._fresh = 0
        self._refused: Counter[str] = Counter()
        self._commands = Rows("values", np.float64, 4)
        self._features = Rows("features", np.float32)
        self._states = Rows("neurons", np.float32)
        self._gates = Rows("time gates", np.float32)

    def hear(self, event: Event) -> None:
        """Take an event; only frames, calibrations and clocks matter."""
        if isinstance(event, Seen):
            self._on_frame(event)
        elif isinstance(event, Clocked):
            self._guard.clock(event.stamp_ns)
        elif isinstance(event, Calibrated):
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
            self._refused,
            self._withheld,
            self._fresh,
            self._guard.state.events,
            bool(self._guard.lockstep),
        )

    def _on_frame(self, seen: Seen) -> None:
        self._frames += 1
        percept = self._perceiver.perceive(seen)
        if percept is None:
            self._withheld += 1
            return
        stamp_ns = seen.observation.stamp_ns
        command = self._answer(percept, stamp_ns)
        self._commands.add(stamp_ns, command.values)
        self._guard.admit(command, stamp_ns, seen.log_ns)

    def _answer(self, percept: Percept, stamp_ns: int) -> Command:
        try:
            decision = self._decide(percept, stamp_ns)
        except LiquidControlError as error:
            self._refused[type(error).__name__ if not str(error) else str(error)] += 1
            return HOVER
        self._features.add(stamp_ns, percept.features if percept.features is not None else ())
        self._states.add(stamp_ns, decision.state)
        self._gates.add(stamp_ns, decision.gates)
        return decision.command

    def _decide(self, percept: Percept, stamp_ns: int) -> Decision:
        if percept.features is None:
            raise percept.error or ObservationError("the frame was not usable")
        if not np.isfinite(percept.features).all():
            raise ObservationError("expected finite features, got NaN: the frame was not usable")
        previous_ns = self._previous(stamp_ns)
        elapsed = self._clock.elapsed(stamp_ns, previous_ns)
        self._fresh += elapsed.fresh and self._previous_ns is not None
        state = self._controller.init_state() if elapsed.fresh else self._state
        decision = self._controller.act(percept.features, state, elapsed.dt_s)
        self._state, self._previous_ns = decision.state, elapsed.stamp_ns
        return decision

    def _previous(self, stamp_ns: int) -> int | None:
        """Return the stamp before, or None where stamps went back so far that they begin anew."""
        gap_ns = round(self._clock.max_gap_s * NANOSECONDS)
        if self._previous_ns is not None and stamp_ns < self._previous_ns - gap_ns:
            return None
        return self._previous_ns
