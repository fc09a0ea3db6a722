"""Two rows of commands beside each other, paired by stamp, and how far they are apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.replay.tracks import Series, Stamps, Track
from liquid_control.types import Floats

AXES = ("forward", "left", "up", "yaw")
"""Names of `Command.values`, as options and reports call them."""
UNITS = ("m/s", "m/s", "m/s", "rad/s")
SINGLE = 1e-12
"""A standard deviation below is that of a constant, which correlates with nothing."""

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class CommandPairs:
    """Which rows of two series belong together.

    Attributes:
        ours: indices into the first series [P], rising.
        theirs: indices into the second [P].
        by_stamp: how many have one stamp.
        by_time: how many are each other's nearest within half a frame.
        without: how many of the first have no partner.
    """

    ours: Indices
    theirs: Indices
    by_stamp: int
    by_time: int
    without: int


@dataclass(frozen=True, slots=True)
class AxisError:
    """How two commands differ along an axis, m/s or rad/s; ours less theirs.

    Attributes:
        mae: mean of the magnitude.
        rmse: root of the mean square.
        bias: mean.
        maximum: largest magnitude.
        maximum_stamp_ns: where that is, the frame's stamp.
        correlation: Pearson's; None where one of the two is constant.
    """

    mae: float
    rmse: float
    bias: float
    maximum: float
    maximum_stamp_ns: int
    correlation: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Commands beside each other, a row a pair.

    Attributes:
        what: whose commands, `policy` or `guarded`.
        stamp_ns: int64 [P], ours.
        ours: float64 [P, 4].
        theirs: float64 [P, 4].
        pairing: how they were found.
        axes: by name; empty without pairs.
    """

    what: str
    stamp_ns: Stamps
    ours: Floats
    theirs: Floats
    pairing: CommandPairs
    axes: dict[str, AxisError]

    @property
    def difference(self) -> Floats:
        """Ours less theirs, float64 [P, 4]."""
        return np.asarray(self.ours - self.theirs, np.float64)


def compare(what: str, ours: Series, theirs: Series) -> Comparison:
    """Pair two series of commands and measure how they differ; rows that are not finite do not."""
    ours, theirs = _finite(ours), _finite(theirs)
    pairing = pair(ours.stamp_ns, theirs.stamp_ns)
    stamps = ours.stamp_ns[pairing.ours]
    left, right = ours.values[pairing.ours], theirs.values[pairing.theirs]
    axes = {}
    if len(stamps):
        axes = {
            name: _axis_error(stamps, left[:, column], right[:, column])
            for column, name in enumerate(AXES)
        }
    return Comparison(what, stamps, left, right, pairing, axes)


def pair(ours: Stamps, theirs: Stamps) -> CommandPairs:
    """Pair rows by equal stamp, what is left by nearest time within half a frame of ours.

    A row is used once. Where a stamp comes several times, as a guard repeats a command with the
    stamp of its frame, the first counts.
    """
    first_ours, first_theirs = _first(ours), _first(theirs)
    _, mine, other = np.intersect1d(
        ours[first_ours], theirs[first_theirs], assume_unique=True, return_indices=True
    )
    mine, other = first_ours[mine], first_theirs[other]
    near_mine, near_other = _nearest(ours, theirs, mine, other)
    both = np.concatenate([mine, near_mine]), np.concatenate([other, near_other])
    order = np.argsort(both[0], kind="stable")
    return CommandPairs(
        both[0][order], both[1][order], len(mine), len(near_mine), len(ours) - len(order)
    )


def _first(stamps: Stamps) -> Indices:
    return np.asarray(np.unique(stamps, return_index=True)[1], np.intp)


def _nearest(
    ours: Stamps, theirs: Stamps, used_ours: Indices, used_theirs: Indices
) -> tuple[Indices, Indices]:
    """Return pairs of unused rows that are each other's nearest, within half a frame."""
    nothing = np.empty(0, np.intp), np.empty(0, np.intp)
    mine = np.setdiff1d(np.arange(len(ours)), used_ours)
    other = np.setdiff1d(np.arange(len(theirs)), used_theirs)
    if not len(mine) or not len(other) or len(ours) < 2:
        return nothing
    reach_ns = np.median(np.abs(np.diff(ours))) / 2
    there, back = _closest(ours[mine], theirs[other]), _closest(theirs[other], ours[mine])
    mutual = back[there] == np.arange(len(mine))
    close = np.abs(ours[mine] - theirs[other][there]) <= reach_ns
    keep = mutual & close
    return mine[keep], other[there[keep]]


def _closest(wanted: Stamps, among: Stamps) -> Indices:
    order = np.argsort(among, kind="stable")
    ranked = among[order]
    right = np.clip(np.searchsorted(ranked, wanted), 0, len(ranked) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.where(wanted - ranked[left] <= np.abs(ranked[right] - wanted), left, right)
    return np.asarray(order[nearer], np.intp)


def _finite(series: Series) -> Series:
    keep = np.isfinite(series.values).all(axis=1)
    return Series(series.stamp_ns[keep], series.values[keep], series.log_ns[keep])


def _axis_error(stamps: Stamps, ours: Floats, theirs: Floats) -> AxisError:
    difference = ours - theirs
    worst = int(np.argmax(np.abs(difference)))
    return AxisError(
        mae=float(np.abs(difference).mean()),
        rmse=float(np.sqrt(np.square(difference).mean())),
        bias=float(difference.mean()),
        maximum=float(np.abs(difference[worst])),
        maximum_stamp_ns=int(stamps[worst]),
        correlation=correlation(ours, theirs),
    )


def correlation(one: Floats, other: Floats) -> float | None:
    """Return Pearson's correlation of two rows, or None where one of them is constant."""
    if one.std() <= SINGLE or other.std() <= SINGLE:
        return None
    value = np.mean((one - one.mean()) * (other - other.mean())) / (one.std() * other.std())
    return float(np.clip(value, -1.0, 1.0))


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
