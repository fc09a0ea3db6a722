"""How regularly frames came: histogram, jitter, gaps and jumps of the clock."""

from dataclasses import dataclass

import numpy as np

from liquid_control.replay.tracks import Recorded, Series, Stamps
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


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of some durations, s."""

    count: int
    p50_s: float
    p90_s: float
    p99_s: float
    most_s: float


@dataclass(frozen=True, slots=True)
class Latency:
    """When things were filed; None where the bag does not tell.

    Attributes:
        frame_to_policy: from the filing of a frame to that of the policy's answer to it.
        frame_to_command: likewise to the first command of the guard with the frame's stamp.
        stamp_to_policy: from the frame's own stamp to the filing of the answer: right where camera
            and recorder have one clock.
        stamp_to_frame: from the frame's own stamp to its filing.
        note: why there is nothing, in a line; empty where there is something.
    """

    frame_to_policy: Percentiles | None
    frame_to_command: Percentiles | None
    stamp_to_policy: Percentiles | None
    stamp_to_frame: Percentiles | None
    note: str


def recorded_latency(recorded: Recorded) -> Latency:
    """Measure what the recorder saw."""
    frames = recorded.frames
    if not len(frames):
        return Latency(None, None, None, None, "no frames were recorded")
    if np.array_equal(frames.stamp_ns, frames.log_ns):
        note = "frames were filed under their own stamps, as a lockstep flight's are"
        return Latency(None, None, None, None, note)
    answered, policy = _matched(frames, recorded.track.policy)
    _, command = _matched(frames, recorded.track.guarded)
    return Latency(
        frame_to_policy=_percentiles(policy),
        frame_to_command=_percentiles(command),
        stamp_to_policy=_percentiles(answered),
        stamp_to_frame=_percentiles(frames.log_ns - frames.stamp_ns),
        note="" if len(policy) else "no command carries the stamp of the frame that it answers",
    )


def _matched(frames: Series, answers: Series) -> tuple[Stamps, Stamps]:
    """Return, ns, answer's filing less the frame's stamp and less the frame's filing."""
    _, at, by = np.intersect1d(frames.stamp_ns, answers.stamp_ns, return_indices=True)
    filed = answers.log_ns[by]
    return filed - frames.stamp_ns[at], filed - frames.log_ns[at]


def _percentiles(durations_ns: Stamps) -> Percentiles | None:
    if not len(durations_ns):
        return None
    values = np.percentile(durations_ns, (50, 90, 99, 100)) / NANOSECONDS
    return Percentiles(len(durations_ns), *(float(value) for value in values))
