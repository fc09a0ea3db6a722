"""Plays a bag's events to a policy, with the stamps' own dt: what the nodes do, without ROS."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from liquid_control.bags.events import Calibrated, Clocked, Event, Seen
from liquid_control.command import Guard
from liquid_control.replay.answerer import Answerer
from liquid_control.replay.backends import Controller
from liquid_control.replay.guard_line import GuardLine
from liquid_control.replay.perceiver import Perceiver, Percept
from liquid_control.replay.track import Replayed, Rows, Track
from liquid_control.types import HOVER, Command


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
        self.label = label
        self._perceiver = perceiver
        self._answerer = Answerer(perceiver.policy, controller)
        self._guard = GuardLine(guard or Guard(), lockstep)
        self._frames = self._withheld = 0
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
            self._answerer.refused,
            self._withheld,
            self._answerer.fresh,
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
        decision = self._answerer.answer(percept, stamp_ns)
        if decision is None:
            return HOVER
        self._features.add(stamp_ns, percept.features if percept.features is not None else ())
        self._states.add(stamp_ns, decision.state)
        self._gates.add(stamp_ns, decision.gates)
        return decision.command
