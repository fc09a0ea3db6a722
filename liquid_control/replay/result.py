"""All that a replay is judged by, put together once for the JSON, the page and the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from liquid_control.errors import BagError
from liquid_control.replay.comparison import AXES, UNITS, Comparison, Identity, compare, identity
from liquid_control.replay.distribution_shift import DistributionShift
from liquid_control.replay.open_loop import OpenLoop, open_loop
from liquid_control.replay.timing import (
    JUMP_S,
    Intervals,
    Latency,
    frame_intervals,
    recorded_latency,
)
from liquid_control.replay.tracks import Recorded, Replayed, Series, Stamps, Track
from liquid_control.replay.worst_frames import WorstFrame, spread_moments, worst_moments
from liquid_control.types import NANOSECONDS, Floats


@dataclass(frozen=True, slots=True, eq=False)
class ReplayResult:
    """A replay beside what it is compared with.

    Attributes:
        replayed: the flight as the policy would have flown it.
        recorded: the flight as it was recorded.
        other: what the replay is compared with: what was recorded, or another replay; None for
            nothing.
        policy: the policies' commands beside each other; None where the other has none.
        guarded: likewise the guards'.
        identity: whether both are the same, bit for bit.
        moments: the worst of `main`, worst first; without differences, some spread over the
            flight.
        path: where the commands lead.
        intervals: between the frames.
        latency: of the recorded flight.
        shift: of the pictures; None where the model does not say what it learned from.
        statistics: of each picture, float64 [F, S]; None likewise.
    """

    replayed: Replayed
    recorded: Recorded
    other: Track | None
    policy: Comparison | None
    guarded: Comparison | None
    identity: Identity
    worst_frames: tuple[WorstFrame, ...]
    path: OpenLoop
    intervals: Intervals
    latency: Latency
    shift: tuple[DistributionShift, ...] | None
    statistics: Series | None

    @property
    def main(self) -> Comparison | None:
        """The comparison that counts: of policies where both have commands, else of guards."""
        return self.policy or self.guarded

    @property
    def start_ns(self) -> int:
        """The first frame's stamp, which times in reports are counted from."""
        return int(self.recorded.frames.stamp_ns[0])

    def seconds(self, stamp_ns: Stamps) -> Floats:
        """Return stamps as seconds of the flight, float64, same shape.

        Where the clock jumped, time goes on: an interval between frames counts a second at most,
        and none if it goes back.
        """
        frames = self.recorded.frames.stamp_ns
        if not self.intervals.jumps:
            return np.asarray((stamp_ns - frames[0]) / NANOSECONDS, np.float64)
        held = np.clip(np.diff(frames), 0, round(JUMP_S * NANOSECONDS))
        elapsed = np.concatenate([[0], np.cumsum(held)])
        order = np.argsort(frames, kind="stable")
        at = order[np.maximum(np.searchsorted(frames[order], stamp_ns, side="right") - 1, 0)]
        since = np.clip(stamp_ns - frames[at], 0, round(JUMP_S * NANOSECONDS))
        return np.asarray((elapsed[at] + since) / NANOSECONDS, np.float64)


def judge(
    replayed: Replayed,
    recorded: Recorded,
    other: Track | None,
    scales: tuple[float, ...],
    shift: tuple[DistributionShift, ...] | None = None,
    statistics: Series | None = None,
) -> ReplayResult:
    """Compare a replay.

    Args:
        replayed: what the policy answered, at least one frame.
        recorded: what the bag has.
        other: what to compare with; None for nothing.
        scales: what counts as much on each axis, such as the ranges of the motors.
        shift: of the pictures, where that is known.
        statistics: of each picture, where they were taken.

    Raises:
        BagError: no command of the other is at a frame of the replay.
    """
    policy = guarded = None
    same = Identity(None, (), "")
    if other is not None:
        policy = _compared("policy", replayed.track.policy, other.policy)
        guarded = _compared("guarded", replayed.track.guarded, other.guarded)
        same = identity(replayed.track, other)
        if policy is None and guarded is None:
            raise BagError(
                f"no command of {other.label} is within half a frame of a frame that was replayed"
            )
    main = policy or guarded
    return ReplayResult(
        replayed,
        recorded,
        other,
        policy,
        guarded,
        same,
        _moments(main, replayed.track.policy, scales),
        open_loop(main, replayed.track, recorded.poses),
        frame_intervals(recorded.frames.stamp_ns),
        recorded_latency(recorded),
        shift,
        statistics,
    )


def _compared(what: str, ours: Series, theirs: Series) -> Comparison | None:
    comparison = compare(what, ours, theirs)
    return comparison if len(comparison.stamp_ns) else None


def _moments(
    main: Comparison | None, policy: Series, scales: tuple[float, ...]
) -> tuple[WorstFrame, ...]:
    worst = () if main is None else worst_moments(main, scales)
    return worst or spread_moments(policy)


def exceeded(judgement: ReplayResult, limits: Mapping[str, float]) -> list[str]:
    """Return a clause for each axis whose RMSE is above its limit; an axis not named is free.

    Raises:
        BagError: there is nothing that the replay was compared with.
    """
    main = judgement.main
    if limits and main is None:
        raise BagError("--max-rmse: expected recorded commands to compare with, the bag has none")
    if main is None:
        return []
    return [
        f"{name} {main.axes[name].rmse:.4g} {unit} > {limits[name]:g}"
        for name, unit in zip(AXES, UNITS, strict=True)
        if name in limits and not main.axes[name].rmse <= limits[name]
    ]


def verdict(judgement: ReplayResult) -> str:
    """Return how the replay came out, in a line."""
    main, same = judgement.main, judgement.identity
    if main is None or judgement.other is None:
        return "there is nothing to compare with: what would have been commanded is shown"
    whose = f"{judgement.other.label}'s" if judgement.other.label != "recorded" else "the recorded"
    if same.identical:
        return f"identical to {whose} {_listed(same.compared)}, bit for bit"
    parts = (
        f"{name} {main.axes[name].rmse:.3g} {unit}" for name, unit in zip(AXES, UNITS, strict=True)
    )
    what = "policy commands" if main.what == "policy" else "guarded commands"
    return f"differs from {whose} {what} by RMSE " + ", ".join(parts)


_WORDS = {
    "policy": "policy commands",
    "guarded": "guarded commands",
    "features": "features",
    "states": "neurons",
    "gates": "time gates",
}


def _listed(parts: tuple[str, ...]) -> str:
    words = [_WORDS[part] for part in parts]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
