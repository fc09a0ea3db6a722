"""Coverage of a replay: the fraction of the frames that were answered and compared."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from liquid_control.errors import BagError
from liquid_control.replay.comparison import Comparison
from liquid_control.replay.tracks import Replayed, Stamps

MIN_COVERAGE = 0.8
"""Default of the smallest fraction of the frames that supports a verdict."""
HELD_NS = 500_000_000
"""Longest interval between two compared commands that covers the frames between them.

Commands may be recorded at a lower rate than frames. Autopilots require at least two a second.
"""
OPTION = "--min-coverage"


class CoverageError(BagError):
    """No frame was answered, or none was compared: there is nothing to judge."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Numbers of frames that a verdict is based on.

    Attributes:
        frames: number of recorded frames.
        answered: number of frames that the policy answered.
        refused: number of refused frames by reason.
        withheld: number of frames that a change of pictures did not deliver.
        pairs: number of compared commands; None without a comparison.
        covered: number of answered frames that have a compared command, or lie between two at
            most `HELD_NS` apart; None without a comparison.
        other: label of the other track.
        others: number of answered frames of each other replay by label: the one of the comparison
            and the models of a disturbed replay.
        minimum: smallest accepted fraction.
    """

    frames: int
    answered: int
    refused: Mapping[str, int] = field(default_factory=dict)
    withheld: int = 0
    pairs: int | None = None
    covered: int | None = None
    other: str = ""
    others: Mapping[str, int] = field(default_factory=dict)
    minimum: float = MIN_COVERAGE

    @property
    def summary(self) -> str:
        """The numbers in one line."""
        words = f"{self.frames} frames: {self.answered} answered"
        if self.refused:
            words += f", {sum(self.refused.values())} refused ({self._reasons})"
        if self.withheld:
            words += f", {self.withheld} not delivered"
        if self.pairs is not None:
            words += f"; {self.pairs} commands compared, which cover {self.covered} frames"
        return words

    @property
    def problem(self) -> str:
        """Reason why the coverage does not support a verdict, in one line; empty if it does."""
        if reason := self._shortfall("answered", self.answered, self.frames):
            return f"{reason}; refused were {self._reasons}" if self.refused else reason
        for label, answered in self.others.items():
            if reason := self._shortfall("answered", answered, self.frames):
                return f"{label}: {reason}"
        if self.covered is None:
            return ""
        whose = "recorded commands" if self.other == "recorded" else f"commands of {self.other}"
        return self._shortfall(f"covered by the {whose}", self.covered, self.answered)

    @property
    def _reasons(self) -> str:
        counted = Counter(dict(self.refused)).most_common()
        return "; ".join(f"{number} because: {reason}" for reason, number in counted)

    def _shortfall(self, what: str, number: int, among: int) -> str:
        if number >= self.minimum * among:
            return ""
        return (
            f"{number} of {among} frames ({100.0 * number / among:.0f} %) {what}, expected at "
            f"least {100.0 * self.minimum:g} % ({OPTION} {self.minimum:g})"
        )


def coverage_of(
    replayed: Replayed,
    comparison: Comparison | None,
    *,
    other: str = "",
    others: Mapping[str, int] | None = None,
    minimum: float = MIN_COVERAGE,
) -> Coverage:
    """Return the coverage of a replayed flight and its comparison.

    Args:
        replayed: the replayed flight.
        comparison: the main comparison; None without one.
        other: label of the other track.
        others: see `Coverage`.
        minimum: smallest accepted fraction.
    """
    answered = replayed.frames - replayed.refused.total() - replayed.withheld
    stamps = replayed.track.states.stamp_ns
    if len(stamps) != answered:
        stamps = replayed.track.policy.stamp_ns
    return Coverage(
        frames=replayed.frames,
        answered=answered,
        refused=dict(replayed.refused),
        withheld=replayed.withheld,
        pairs=None if comparison is None else len(comparison.stamp_ns),
        covered=None if comparison is None else covered_frames(stamps, comparison.stamp_ns),
        other=other,
        others=others or {},
        minimum=minimum,
    )


def covered_frames(frames: Stamps, compared: Stamps) -> int:
    """Return the number of frames at a compared stamp, or between two at most `HELD_NS` apart."""
    known = np.unique(compared)
    if not len(known):
        return 0
    after = np.searchsorted(known, frames, side="left")
    following = known[np.minimum(after, len(known) - 1)]
    preceding = known[np.maximum(after - 1, 0)]
    between = (after > 0) & (after < len(known)) & (following - preceding <= HELD_NS)
    return int(np.count_nonzero((following == frames) | between))
