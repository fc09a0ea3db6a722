"""Timing of a recording: intervals between frames, gaps, clock jumps and recorded latency."""

from dataclasses import dataclass

import numpy as np

from liquid_control.replay.tracks import Recorded, Series, Stamps
from liquid_control.types import NANOSECONDS

GAP_FACTOR = 1.5
"""A gap is an interval longer than this many medians."""
JUMP_S = 1.0
"""A longer interval or a negative one is a jump of the clock, s."""
BINS = 60


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval with missing frames or a clock jump.

    Attributes:
        stamp_ns: of the frame before it.
        seconds: its length; negative where the clock went back.
        missing: estimated number of missing frames.
    """

    stamp_ns: int
    seconds: float
    missing: int


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals between frames.

    Attributes:
        count: number of intervals.
        rate_hz: frames a second: one over the mean interval, without jumps.
        median_s: median interval, s; least_s and most_s likewise.
        jitter_p50_s: median absolute deviation from the median interval, s.
        jitter_p99_s: 99th percentile of that deviation, s.
        edges_s: edges of the histogram's bins, s; the last bin includes longer intervals.
        counts: number of intervals in each bin.
        gaps: intervals longer than 1.5 medians.
        jumps: negative intervals and intervals longer than a second.
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
    """Measure the intervals between frames in order of arrival."""
    steps = np.diff(stamp_ns)
    regular = steps[(steps > 0) & (steps <= JUMP_S * NANOSECONDS)]
    if not len(regular):
        jumps = _gaps(stamp_ns, np.arange(len(steps)), None)
        return Intervals(len(steps), None, None, None, None, None, None, (), (), (), jumps)
    median = float(np.median(regular))
    jumped = (steps <= 0) | (steps > JUMP_S * NANOSECONDS)
    late = (steps > GAP_FACTOR * median) & ~jumped
    p50, p99 = np.percentile(np.abs(regular - median), (50, 99)) / NANOSECONDS
    top = max(2.0 * median, float(np.percentile(regular, 99)) * 1.05)
    counts, edges = np.histogram(np.minimum(regular, top), bins=BINS, range=(0.0, top))
    return Intervals(
        count=len(steps),
        rate_hz=float(NANOSECONDS / regular.mean()),
        median_s=median / NANOSECONDS,
        least_s=float(regular.min()) / NANOSECONDS,
        most_s=float(regular.max()) / NANOSECONDS,
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
    """Percentiles of durations, s."""

    count: int
    p50_s: float
    p90_s: float
    p99_s: float
    most_s: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Recorded latencies from log times; None where the bag does not contain them.

    Attributes:
        frame_to_policy: from a frame's log time to that of the policy's answer.
        frame_to_command: to that of the guard's first command with the frame's stamp.
        stamp_to_policy: from the frame's stamp to the answer's log time; valid where camera and
            recorder share a clock.
        stamp_to_frame: from the frame's stamp to its log time.
        note: why latencies are missing, one line; empty where they are complete.
    """

    frame_to_policy: Percentiles | None
    frame_to_command: Percentiles | None
    stamp_to_policy: Percentiles | None
    stamp_to_frame: Percentiles | None
    note: str


def recorded_latency(recorded: Recorded) -> Latency:
    """Measure latencies from the recorder's log times."""
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
    """Return the answers' log times minus the frames' stamps and minus their log times, ns."""
    _, at, by = np.intersect1d(frames.stamp_ns, answers.stamp_ns, return_indices=True)
    logged = answers.log_ns[by]
    return logged - frames.stamp_ns[at], logged - frames.log_ns[at]


def _percentiles(durations_ns: Stamps) -> Percentiles | None:
    if not len(durations_ns):
        return None
    values = np.percentile(durations_ns, (50, 90, 99, 100)) / NANOSECONDS
    return Percentiles(len(durations_ns), *(float(value) for value in values))
