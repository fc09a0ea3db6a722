"""Whether a replay is the recorded flight, bit for bit, and where it first is not."""

from dataclasses import dataclass

import numpy as np

from liquid_control.replay.track import Series, Track

PARTS = ("policy", "guarded", "features", "states", "gates")


@dataclass(frozen=True, slots=True)
class Identity:
    """The verdict.

    Attributes:
        identical: whether all that the other side has is equal, bit for bit, and neither side has
            rows that the other lacks; None where the other side has no command.
        compared: the parts that the other side has.
        first: the first difference in a line; empty where there is none.
    """

    identical: bool | None
    compared: tuple[str, ...]
    first: str


def identity(ours: Track, theirs: Track) -> Identity:
    """Compare what the other side has."""
    compared = tuple(part for part in PARTS if len(getattr(theirs, part)))
    if not {"policy", "guarded"} & set(compared):
        return Identity(None, compared, "")
    for part in compared:
        reason = _difference(getattr(ours, part), getattr(theirs, part))
        if reason:
            return Identity(False, compared, f"{part}: {reason}")
    return Identity(True, compared, "")


def _difference(ours: Series, theirs: Series) -> str:
    """Return the first difference of two series in words, empty where there is none."""
    if ours.values.shape[1:] != theirs.values.shape[1:]:
        return f"rows of {ours.values.shape[1]} against {theirs.values.shape[1]} values"
    stamps, mine = np.unique(ours.stamp_ns, return_index=True)
    others, yours = np.unique(theirs.stamp_ns, return_index=True)
    alone = np.setxor1d(stamps, others)
    if len(alone):
        side = "replayed" if alone[0] in stamps else "recorded"
        return f"{len(alone)} stamps on one side only, first {int(alone[0])} ns, {side}"
    one = np.asarray(ours.values[mine], np.float64).view(np.int64)
    other = np.asarray(theirs.values[yours], np.float64).view(np.int64)
    rows = np.flatnonzero((one != other).any(axis=1))
    if not len(rows):
        return ""
    apart = np.abs(ours.values[mine].astype(np.float64) - theirs.values[yours])[rows].max()
    return f"{len(rows)} rows differ, first at {int(stamps[rows[0]])} ns, by {apart:.3g} at most"
