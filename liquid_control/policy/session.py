"""Recurrent state, frame clock and refusal rules of a policy, the same wherever it runs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from liquid_control.errors import LiquidControlError, ObservationError
from liquid_control.policy.controllers import Array, Controller, Decision
from liquid_control.policy.online_adaptation import AdaptationState, CommandAdaptation
from liquid_control.policy.policy import Policy
from liquid_control.policy.velocity_reading import VelocityReading
from liquid_control.types import NANOSECONDS


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The time before a frame.

    Attributes:
        dt_s: the dt for the policy, s.
        fresh: whether the policy must start from a fresh state: at the first frame and after a
            jump of the stamps.
        stamp_ns: the frame's stamp: the state of the clock for the next frame.
    """

    dt_s: float
    fresh: bool
    stamp_ns: int


@dataclass(frozen=True, slots=True)
class FrameClock:
    """Turns the stamps of consecutive frames into dt.

    Attributes:
        nominal_dt_s: dt of a frame without a predecessor, s.
        max_gap_s: largest difference of consecutive stamps, in either direction, s. A larger one
            is a jump, and the frame after it has no predecessor.
    """

    nominal_dt_s: float
    max_gap_s: float = 1.0

    def elapsed(self, stamp_ns: int, previous_ns: int | None) -> Elapsed:
        """Return the time since the previous frame.

        Args:
            stamp_ns: the frame's stamp.
            previous_ns: the stamp of the previous frame; None at the start.

        Raises:
            ObservationError: the stamp is not later than the previous one, and at most
                `max_gap_s` before it.
        """
        gap_ns = round(self.max_gap_s * NANOSECONDS)
        if previous_ns is None or stamp_ns < previous_ns - gap_ns:
            return Elapsed(self.nominal_dt_s, True, stamp_ns)
        if stamp_ns <= previous_ns:
            raise ObservationError(
                f"expected a frame stamped after {previous_ns} ns, got {stamp_ns} ns"
            )
        dt_s = (stamp_ns - previous_ns) / NANOSECONDS
        if dt_s > self.max_gap_s:
            return Elapsed(self.nominal_dt_s, True, stamp_ns)
        return Elapsed(dt_s, False, stamp_ns)


class PolicySession:
    """A controller over consecutive frames, with its recurrent state and its clock.

    The first frame starts from a fresh state with the model's nominal dt. So does a frame whose
    stamp is more than the model's `max_gap_s` after or before the previous one. A refused frame
    leaves state and clock unchanged.

    Args:
        policy: the model's policy.
        controller: computes the decisions; None for the policy itself.
        adaptation: changes the commands by what the vehicle does; None for none. A fresh state
            of the policy is a fresh state of the adaptation, which forgets what it learned.

    Attributes:
        stamp_ns: stamp of the last answered frame; None before the first.
        fresh_starts: number of fresh states after the first.
        refusals: number of refused frames by reason.
        adapted: state of the adaptation after the last answered frame; None without one.
    """

    def __init__(
        self,
        policy: Policy,
        controller: Controller | None = None,
        adaptation: CommandAdaptation | None = None,
    ) -> None:
        settings = policy.model.settings
        self.stamp_ns: int | None = None
        self.fresh_starts = 0
        self.refusals: Counter[str] = Counter()
        self._controller: Controller = policy if controller is None else controller
        self._clock = FrameClock(settings.nominal_dt_s, settings.max_gap_s)
        self._state = self._controller.init_state()
        self._adaptation = adaptation
        self.adapted: AdaptationState | None = (
            None if adaptation is None else adaptation.init_state()
        )

    def answer(
        self, features: Array, stamp_ns: int, reading: VelocityReading | None = None
    ) -> Decision:
        """Return the decision on a frame and advance state and clock.

        Args:
            features: float32 [F], from `Policy.features`.
            stamp_ns: the frame's stamp.
            reading: the vehicle's motion, for an adaptation; None without one.

        Raises:
            ObservationError: a feature is NaN or infinite, or the stamp does not advance.
            CellError: the features have another shape.
        """
        try:
            return self._advance(features, stamp_ns, reading)
        except LiquidControlError as error:
            self.refuse(error)
            raise

    def refuse(self, error: LiquidControlError) -> None:
        """Count a frame that cannot be used, such as one without features."""
        self.refusals[str(error) or type(error).__name__] += 1

    def state(self) -> dict[str, Any]:
        """Return state, clock and counters between two frames, for `restore`."""
        content = {
            "stamp_ns": self.stamp_ns,
            "fresh_starts": int(self.fresh_starts),
            "refusals": dict(self.refusals),
            "state": self._state,
        }
        return content if self.adapted is None else content | {"adapted": asdict(self.adapted)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from the state of a session of the same policy."""
        self.stamp_ns, self.fresh_starts = state["stamp_ns"], state["fresh_starts"]
        self.refusals = Counter(state["refusals"])
        self._state = state["state"]
        if self._adaptation is not None:
            self.adapted = AdaptationState(**state["adapted"])

    def _advance(
        self, features: Array, stamp_ns: int, reading: VelocityReading | None
    ) -> Decision:
        if not np.isfinite(features).all():
            raise ObservationError("expected finite features, got NaN: the frame was not usable")
        elapsed = self._clock.elapsed(stamp_ns, self.stamp_ns)
        state = self._controller.init_state() if elapsed.fresh else self._state
        decision = self._controller.act(features, state, elapsed.dt_s)
        self.fresh_starts += elapsed.fresh and self.stamp_ns is not None
        self._state, self.stamp_ns = decision.state, elapsed.stamp_ns
        if self._adaptation is None or self.adapted is None:
            return decision
        before = self._adaptation.init_state() if elapsed.fresh else self.adapted
        # A fresh frame has no frame before it, so the vehicle's motion says nothing yet.
        known = None if elapsed.fresh else reading
        command, self.adapted = self._adaptation.step(
            decision, before, known, stamp_ns, elapsed.dt_s
        )
        return replace(decision, command=command)
