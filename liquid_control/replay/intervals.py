"""How regularly frames came: histogram, jitter, gaps and jumps of the clock."""

from dataclasses import dataclass

import numpy as np

from liquid_control.replay.track import Stamps
from liquid_control.types import NANOSECONDS

GAP_FACTOR = 1.5
"""A gap is an interval longer than this many medians."""
JUMP_S = 1.0
"""A longer interval, or a negative one, is a jump of the clock."""
BINS = 60


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval in which frames are missing, or the clock jumped.

    Attributes:
        stamp_ns: of the frame before it.
        seconds: how long it is; negative where the clock went back.
        missing: about how many frames would have been in it.
    """

    stamp_ns: int
    seconds: float
    missing: int


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals between frames.

    Attributes:
        count: number of intervals.
        rate_hz: frames a second: one over the mean interval, jumps left out.
        median_s: s; likewise least_s and most_s.
        jitter_p50_s: median distance of an interval from the median one, s.
        jitter_p99_s: 99th percentile of it, s.
        edges_s: ends of the histogram's bins, s; the last bin also has all that is longer.
        counts: intervals in each bin.
        gaps: intervals longer than 1.5 medians.
        jumps: intervals that go back, or are longer than a second.
    """

    count: int
    rate_hz: float | None
    median_s: float | None
    least_s: float | None
    most_s: float | None
    jitter_p50_s: float | None
    jitter_p99_s: float | None
    edges_s: tuple[float, ...]
    counts: tuple[int, ...]
    gaps: tuple[Gap, ...]
    jumps: tuple[Gap, ...]


def frame_intervals(stamp_ns: Stamps) -> Intervals:
    """Measure the intervals between frames, in the order in which they came."""
    steps = np.diff(stamp_ns)
    usual = steps[(steps > 0) & (steps <= JUMP_S * NANOSECONDS)]
    if not len(usual):
        jumps = _gaps(stamp_ns, np.arange(len(steps)), None)
        return Intervals(len(steps), None, None, None, None, None, None, (), (), (), jumps)
    median = float(np.median(usual))
    jumped = (steps <= 0) | (steps > JUMP_S * NANOSECONDS)
    late = (steps > GAP_FACTOR * median) & ~jumped
    p50, p99 = np.percentile(np.abs(usual - median), (50, 99)) / NANOSECONDS
    top = max(2.0 * median, float(np.percentile(usual, 99)) * 1.05)
    counts, edges = np.histogram(np.minimum(usual, top), bins=BINS, range=(0.0, top))
    return Intervals(
        count=len(steps),
        rate_hz=float(NANOSECONDS / usual.mean()),
        median_s=median / NANOSECONDS,
        least_s=float(usual.min()) / NANOSECONDS,
        most_s=float(usual.max()) / NANOSECONDS,
        jitter_p50_s=float(p50),
        jitter_p99_s=float(p99),
        edges_s=tuple((edges / NANOSECONDS).tolist()),
        counts=tuple(counts.tolist()),
        gaps=_gaps(stamp_ns, np.flatnonzero(late), median),
        jumps=_gaps(stamp_ns, np.flatnonzero(jumped), median),
    )


def _gaps(stamp_ns: Stamps, at: np.ndarray, median: float | None) -> tuple[Gap, ...]:
    gaps = []
    for index in at.tolist():
        step = int(stamp_ns[index + 1] - stamp_ns[index])
        missing = max(0, round(step / median) - 1) if median else 0
        gaps.append(Gap(int(stamp_ns[index]), step / NANOSECONDS, missing))
    return tuple(gaps)
