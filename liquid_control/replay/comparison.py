"""Comparison of replayed commands with others: pairs by stamp, errors by axis, worst frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from liquid_control.replay.tracks import Series, Stamps, Track
from liquid_control.types import NANOSECONDS, Floats

AXES = ("forward", "left", "up", "yaw")
"""Names of `Command.values` in options and reports."""
UNITS = ("m/s", "m/s", "m/s", "rad/s")
CONSTANT_BELOW = 1e-12
"""Standard deviation up to which values are constant and have no correlation."""
MACHINE_TOLERANCE = 1e-6
"""Largest difference, m/s or rad/s, of commands that two machines compute from one recording.

Replays on one machine are equal bit for bit. On another processor ONNX Runtime and BLAS select
other kernels, which add in another order. Measured on the shipped model and the flight in
test/golden: 2.4e-7 between the recording machine and an AMD EPYC; 1.2e-7 between kernels for
SSE4.2, AVX and AVX2 (emulated), with unfused graphs (`ORT_DISABLE_ALL`) and with
`OPENBLAS_CORETYPE=Nehalem`.
"""
WORST_FRAME_DISTANCE_NS = NANOSECONDS
"""Least distance of two worst frames."""

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class CommandPairs:
    """Pairs of rows of two series.

    Attributes:
        replayed: indices into the replayed series [P], ascending.
        other: indices into the other series [P].
        by_stamp: number of pairs with equal stamps.
        by_time: number of pairs that are mutually nearest within half a frame.
        without: number of replayed rows without a partner.
    """

    replayed: Indices
    other: Indices
    by_stamp: int
    by_time: int
    without: int


@dataclass(frozen=True, slots=True)
class AxisError:
    """Difference of two commands along an axis, replayed minus other, m/s or rad/s.

    Attributes:
        mae: mean absolute difference.
        rmse: root mean squared difference.
        bias: mean difference.
        maximum: largest absolute difference.
        maximum_stamp_ns: stamp of the frame with the largest difference.
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
    """Paired commands, one row a pair.

    Attributes:
        what: `policy` or `guarded`.
        stamp_ns: int64 [P], of the replayed rows.
        replayed: float64 [P, 4].
        other: float64 [P, 4].
        pairing: the pairs.
        axes: errors by axis; empty without pairs.
    """

    what: str
    stamp_ns: Stamps
    replayed: Floats
    other: Floats
    pairing: CommandPairs
    axes: dict[str, AxisError]

    @property
    def difference(self) -> Floats:
        """Replayed minus other, float64 [P, 4]."""
        return np.asarray(self.replayed - self.other, np.float64)

    @property
    def maximum(self) -> float:
        """Largest absolute difference, m/s or rad/s; infinite where a row has no partner."""
        if self.pairing.without or not self.axes:
            return inf
        return max(error.maximum for error in self.axes.values())


def compare(what: str, replayed: Series, other: Series) -> Comparison:
    """Pair two series of commands and measure their difference; non-finite rows are dropped."""
    replayed, other = _finite(replayed), _finite(other)
    pairing = pair(replayed.stamp_ns, other.stamp_ns)
    stamps = replayed.stamp_ns[pairing.replayed]
    left, right = replayed.values[pairing.replayed], other.values[pairing.other]
    axes = {}
    if len(stamps):
        axes = {
            name: _axis_error(stamps, left[:, column], right[:, column])
            for column, name in enumerate(AXES)
        }
    return Comparison(what, stamps, left, right, pairing, axes)


def pair(replayed: Stamps, other: Stamps) -> CommandPairs:
    """Pair rows by equal stamp, the remaining ones by nearest time within half a replayed frame.

    Each row is used once. Of several rows with one stamp the first counts: a guard repeats a
    command with the stamp of its frame.
    """
    first_replayed, first_other = _first(replayed), _first(other)
    _, one, two = np.intersect1d(
        replayed[first_replayed], other[first_other], assume_unique=True, return_indices=True
    )
    one, two = first_replayed[one], first_other[two]
    near_one, near_two = _nearest(replayed, other, one, two)
    both = np.concatenate([one, near_one]), np.concatenate([two, near_two])
    order = np.argsort(both[0], kind="stable")
    return CommandPairs(
        both[0][order], both[1][order], len(one), len(near_one), len(replayed) - len(order)
    )


def _first(stamps: Stamps) -> Indices:
    return np.asarray(np.unique(stamps, return_index=True)[1], np.intp)


def _nearest(
    replayed: Stamps, other: Stamps, used_replayed: Indices, used_other: Indices
) -> tuple[Indices, Indices]:
    """Return pairs of unused rows that are mutually nearest, within half a frame."""
    one = np.setdiff1d(np.arange(len(replayed)), used_replayed)
    two = np.setdiff1d(np.arange(len(other)), used_other)
    if not len(one) or not len(two) or len(replayed) < 2:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    reach_ns = np.median(np.abs(np.diff(replayed))) / 2
    there, back = _closest(replayed[one], other[two]), _closest(other[two], replayed[one])
    mutual = back[there] == np.arange(len(one))
    close = np.abs(replayed[one] - other[two][there]) <= reach_ns
    keep = mutual & close
    return one[keep], two[there[keep]]


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


def _axis_error(stamps: Stamps, replayed: Floats, other: Floats) -> AxisError:
    difference = replayed - other
    worst = int(np.argmax(np.abs(difference)))
    return AxisError(
        mae=float(np.abs(difference).mean()),
        rmse=float(np.sqrt(np.square(difference).mean())),
        bias=float(difference.mean()),
        maximum=float(np.abs(difference[worst])),
        maximum_stamp_ns=int(stamps[worst]),
        correlation=correlation(replayed, other),
    )


def correlation(one: Floats, other: Floats) -> float | None:
    """Return Pearson's correlation of two rows; None where one of them is constant."""
    if one.std() <= CONSTANT_BELOW or other.std() <= CONSTANT_BELOW:
        return None
    value = np.mean((one - one.mean()) * (other - other.mean())) / (one.std() * other.std())
    return float(np.clip(value, -1.0, 1.0))


@dataclass(frozen=True, slots=True)
class WorstFrame:
    """A frame of the report: one of the largest differences, or one of an even selection.

    Attributes:
        stamp_ns: the frame's stamp.
        axis: the axis with the largest difference for its scale; None without a difference.
        difference: along that axis, replayed minus other, m/s or rad/s.
        replayed: the replayed command, as `Command.values`.
        other: the other command; None where there is none.
    """

    stamp_ns: int
    axis: str | None
    difference: float
    replayed: tuple[float, ...]
    other: tuple[float, ...] | None


def worst_frames(
    comparison: Comparison, scales: Sequence[float], count: int = 8
) -> tuple[WorstFrame, ...]:
    """Return the frames with the largest differences, worst first, at least a second apart.

    Args:
        comparison: the commands.
        scales: differences of equal weight on each axis, such as the ranges of the motors.
        count: largest number of frames; frames without a difference are not returned.
    """
    scaled = np.abs(comparison.difference) / np.asarray(scales)
    worst = scaled.max(axis=1) if len(scaled) else np.empty(0)
    chosen: list[int] = []
    for index in np.argsort(-worst, kind="stable").tolist():
        if worst[index] == 0.0 or len(chosen) == count:
            break
        stamp = comparison.stamp_ns[index]
        distances = (abs(stamp - comparison.stamp_ns[other]) for other in chosen)
        if all(distance >= WORST_FRAME_DISTANCE_NS for distance in distances):
            chosen.append(index)
    return tuple(_worst_frame(comparison, index, int(scaled[index].argmax())) for index in chosen)


def spread_frames(policy: Series, count: int = 8) -> tuple[WorstFrame, ...]:
    """Return an even selection of the frames, for a replay without differences."""
    frames = len(policy)
    at = np.unique(np.linspace(0, max(frames - 1, 0), min(count, frames)).round().astype(int))
    return tuple(
        WorstFrame(int(policy.stamp_ns[row]), None, 0.0, tuple(policy.values[row].tolist()), None)
        for row in at.tolist()
    )


def _worst_frame(comparison: Comparison, index: int, column: int) -> WorstFrame:
    return WorstFrame(
        stamp_ns=int(comparison.stamp_ns[index]),
        axis=AXES[column],
        difference=float(comparison.difference[index, column]),
        replayed=tuple(comparison.replayed[index].tolist()),
        other=tuple(comparison.other[index].tolist()),
    )


PARTS = ("policy", "guarded", "features", "states", "gates")


@dataclass(frozen=True, slots=True)
class Identity:
    """Result of a comparison of two tracks bit for bit.

    Attributes:
        identical: whether all parts that the other track has are equal bit for bit, with the same
            stamps; None where the other track has no command.
        compared: the parts that the other track has.
        first: description of the first difference, one line; empty without one.
    """

    identical: bool | None
    compared: tuple[str, ...]
    first: str


def identity(replayed: Track, other: Track) -> Identity:
    """Compare two tracks bit for bit, in the parts that the other track has."""
    compared = tuple(part for part in PARTS if len(getattr(other, part)))
    if not {"policy", "guarded"} & set(compared):
        return Identity(None, compared, "")
    for part in compared:
        reason = _difference(getattr(replayed, part), getattr(other, part))
        if reason:
            return Identity(False, compared, f"{part}: {reason}")
    return Identity(True, compared, "")


def _difference(replayed: Series, other: Series) -> str:
    """Return a description of the first difference of two series; empty without one."""
    if replayed.values.shape[1:] != other.values.shape[1:]:
        return f"rows of {replayed.values.shape[1]} against {other.values.shape[1]} values"
    stamps, mine = np.unique(replayed.stamp_ns, return_index=True)
    others, yours = np.unique(other.stamp_ns, return_index=True)
    alone = np.setxor1d(stamps, others)
    if len(alone):
        side = "replayed" if alone[0] in stamps else "recorded"
        return f"{len(alone)} stamps on one side only, first {int(alone[0])} ns, {side}"
    one = np.asarray(replayed.values[mine], np.float64).view(np.int64)
    two = np.asarray(other.values[yours], np.float64).view(np.int64)
    rows = np.flatnonzero((one != two).any(axis=1))
    if not len(rows):
        return ""
    apart = np.abs(replayed.values[mine].astype(np.float64) - other.values[yours])[rows].max()
    return f"{len(rows)} rows differ, first at {int(stamps[rows[0]])} ns, by {apart:.3g} at most"
