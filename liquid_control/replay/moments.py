"""The moments that are worth looking at: where two commands differ most, one a second at most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liquid_control.replay.comparison import AXES, Comparison
from liquid_control.replay.track import Series
from liquid_control.types import NANOSECONDS

APART_NS = NANOSECONDS


@dataclass(frozen=True, slots=True)
class Moment:
    """One of them.

    Attributes:
        stamp_ns: of the frame.
        axis: the axis that differs most for its scale; None where nothing differs.
        difference: along it, ours less theirs, m/s or rad/s.
        ours: the command, as `Command.values`.
        theirs: the other's; None where there is none.
    """

    stamp_ns: int
    axis: str | None
    difference: float
    ours: tuple[float, ...]
    theirs: tuple[float, ...] | None


def worst_moments(
    comparison: Comparison, scales: Sequence[float], count: int = 8
) -> tuple[Moment, ...]:
    """Return where two commands differ most, worst first, at least a second apart.

    Args:
        comparison: the commands.
        scales: what counts as much on each axis, such as the ranges of the motors.
        count: at most so many; none where nothing differs.
    """
    scaled = np.abs(comparison.difference) / np.asarray(scales)
    worst = scaled.max(axis=1) if len(scaled) else np.empty(0)
    chosen: list[int] = []
    for index in np.argsort(-worst, kind="stable").tolist():
        if worst[index] == 0.0 or len(chosen) == count:
            break
        stamp = comparison.stamp_ns[index]
        if all(abs(stamp - comparison.stamp_ns[other]) >= APART_NS for other in chosen):
            chosen.append(index)
    return tuple(_moment(comparison, index, int(scaled[index].argmax())) for index in chosen)


def spread_moments(policy: Series, count: int = 8) -> tuple[Moment, ...]:
    """Return moments spread evenly over the frames, for when none is worse than another."""
    frames = len(policy)
    at = np.unique(np.linspace(0, max(frames - 1, 0), min(count, frames)).round().astype(int))
    return tuple(
        Moment(int(policy.stamp_ns[row]), None, 0.0, tuple(policy.values[row].tolist()), None)
        for row in at.tolist()
    )


def _moment(comparison: Comparison, index: int, column: int) -> Moment:
    return Moment(
        stamp_ns=int(comparison.stamp_ns[index]),
        axis=AXES[column],
        difference=float(comparison.difference[index, column]),
        ours=tuple(comparison.ours[index].tolist()),
        theirs=tuple(comparison.theirs[index].tolist()),
    )
