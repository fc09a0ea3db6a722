"""How long the recorded flight took from camera to command, as far as its recorder saw it."""

from dataclasses import dataclass

import numpy as np

from liquid_control.replay.track import Recorded, Series, Stamps
from liquid_control.types import NANOSECONDS


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
