"""Answers frames one after the other with the stamps' own dt: the controller node's part."""

from collections import Counter

import numpy as np

from liquid_control.errors import LiquidControlError, ObservationError
from liquid_control.policy import Decision, FrameClock, Policy
from liquid_control.replay.backends import BACKENDS, Controller
from liquid_control.replay.perceiver import Percept
from liquid_control.types import NANOSECONDS


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

    def answer(self, percept: Percept, stamp_ns: int) -> Decision | None:
        """Return what is decided on a frame; None where it cannot be used, which is hover."""
        try:
            return self._decide(percept, stamp_ns)
        except LiquidControlError as error:
            self.refused[type(error).__name__ if not str(error) else str(error)] += 1
            return None

    def _decide(self, percept: Percept, stamp_ns: int) -> Decision:
        if percept.features is None:
            raise percept.error or ObservationError("the frame was not usable")
        if not np.isfinite(percept.features).all():
            raise ObservationError("expected finite features, got NaN: the frame was not usable")
        previous_ns = self._previous(stamp_ns)
        elapsed = self._clock.elapsed(stamp_ns, previous_ns)
        self.fresh += elapsed.fresh and self._previous_ns is not None
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
