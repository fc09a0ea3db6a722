"""Result of a replay: comparison, paths, timing, pictures; its limits, verdict and table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from liquid_control.errors import BagError, ConfigError
from liquid_control.replay.comparison import (
    AXES,
    MACHINE_TOLERANCE,
    UNITS,
    Comparison,
    Identity,
    WorstFrame,
    compare,
    identity,
    spread_frames,
    worst_frames,
)
from liquid_control.replay.coverage import MIN_COVERAGE, Coverage, CoverageError, coverage_of
from liquid_control.replay.distribution_shift import DistributionShift
from liquid_control.replay.disturbed import DisturbedResult
from liquid_control.replay.open_loop import OpenLoop, open_loop
from liquid_control.replay.timing import (
    JUMP_S,
    Intervals,
    Latency,
    frame_intervals,
    recorded_latency,
)
from liquid_control.replay.tracks import Recorded, Replayed, Series, Stamps, Track
from liquid_control.stopwatch import Timing
from liquid_control.types import NANOSECONDS, Floats

_NUMBER = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
"""A decimal number without a sign."""


@dataclass(frozen=True, slots=True, eq=False)
class ReplayResult:
    """A replayed flight and its comparison with the recording or with another replay.

    Attributes:
        replayed: the replayed flight.
        recorded: the recorded flight.
        other: the track of the comparison: the recorded one or another replay's; None without a
            comparison.
        policy: comparison of the policies' commands; None where the other has none.
        guarded: comparison of the guarded commands; None likewise.
        identity: whether both tracks are equal bit for bit.
        worst_frames: the worst frames of `main`, worst first; without differences an even
            selection of the frames.
        path: open-loop paths of the commands.
        intervals: between the frames.
        latency: of the recorded flight.
        coverage: the frames that were answered and compared.
        shift: of the pictures; None where the model has no statistics of its training data.
        statistics: of each picture, float64 [F, S]; None likewise.
        disturbed: result of the disturbed replay; None without one.
        losses: parts of the bag that could not be used, a line a kind.
        timing: of the pass over the bag; None where it was not measured.
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
    coverage: Coverage
    shift: tuple[DistributionShift, ...] | None = None
    statistics: Series | None = None
    disturbed: DisturbedResult | None = None
    losses: tuple[str, ...] = ()
    timing: Timing | None = None

    @property
    def main(self) -> Comparison | None:
        """The main comparison: of policies where both have commands, else of guards."""
        return self.policy or self.guarded

    @property
    def start_ns(self) -> int:
        """The first frame's stamp, the origin of times in reports."""
        return int(self.recorded.frames.stamp_ns[0])

    @property
    def length_s(self) -> float:
        """Time from the first frame's log time to the last one's, s."""
        logs = self.recorded.frames.log_ns
        return float(logs[-1] - logs[0]) * 1e-9

    def seconds(self, stamp_ns: Stamps) -> Floats:
        """Return stamps as seconds since the first frame, float64, same shape.

        Clock jumps do not appear: an interval between frames counts a second at most, and nothing
        where it is negative.
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


def compare_tracks(
    replayed: Replayed,
    recorded: Recorded,
    other: Track | None,
    scales: tuple[float, ...],
    *,
    shift: tuple[DistributionShift, ...] | None = None,
    statistics: Series | None = None,
    disturbed: DisturbedResult | None = None,
    losses: tuple[str, ...] = (),
    timing: Timing | None = None,
    other_answered: int | None = None,
    min_coverage: float = MIN_COVERAGE,
) -> ReplayResult:
    """Compare a replayed flight with another track.

    Args:
        replayed: the replayed flight, at least one frame.
        recorded: the recorded flight.
        other: the track to compare with; None for no comparison.
        scales: differences of equal weight on each axis, such as the ranges of the motors.
        shift: see `ReplayResult`, as the arguments below.
        statistics: of each picture.
        disturbed: result of the disturbed replay.
        losses: parts of the bag that could not be used.
        timing: of the pass over the bag.
        other_answered: number of frames that the other replay answered; None for a recording.
        min_coverage: smallest fraction of the frames that supports a verdict.

    Raises:
        CoverageError: no command of the other track is at a frame of the replay.
    """
    policy = guarded = None
    same = Identity(None, (), "")
    if other is not None:
        policy = _compared("policy", replayed.track.policy, other.policy)
        guarded = _compared("guarded", replayed.track.guarded, other.guarded)
        same = identity(replayed.track, other)
        if policy is None and guarded is None:
            reason = f"no command of {other.label} is within half a frame of a replayed frame"
            raise CoverageError("; ".join((reason, *losses)))
    main = policy or guarded
    worst = () if main is None else worst_frames(main, scales)
    return ReplayResult(
        replayed=replayed,
        recorded=recorded,
        other=other,
        policy=policy,
        guarded=guarded,
        identity=same,
        worst_frames=worst or spread_frames(replayed.track.policy),
        path=open_loop(main, replayed.track, recorded.poses),
        intervals=frame_intervals(recorded.frames.stamp_ns),
        latency=recorded_latency(recorded),
        coverage=_coverage(replayed, main, other, disturbed, other_answered, min_coverage),
        shift=shift,
        statistics=statistics,
        disturbed=disturbed,
        losses=losses,
        timing=timing,
    )


def _coverage(
    replayed: Replayed,
    main: Comparison | None,
    other: Track | None,
    disturbed: DisturbedResult | None,
    other_answered: int | None,
    minimum: float,
) -> Coverage:
    others = {}
    if other is not None and other_answered is not None:
        others[other.label] = other_answered
    for row in () if disturbed is None else disturbed.rows:
        label = f"{row.model} with {row.disturbance}={row.severity}"
        others[label] = row.frames
    label = "" if other is None else other.label
    return coverage_of(replayed, main, other=label, others=others, minimum=minimum)


def _compared(what: str, replayed: Series, other: Series) -> Comparison | None:
    comparison = compare(what, replayed, other)
    return comparison if len(comparison.stamp_ns) else None


def parse_limits(text: str | None) -> dict[str, float]:
    """Return limits by axis from `forward=0.1,yaw=0.1`.

    Raises:
        ConfigError: an axis is unknown, or a limit is not a number of at least 0.
    """
    accepted = f"accepted are {', '.join(f'{axis}=NUMBER' for axis in AXES)}, joined by commas"
    limits: dict[str, float] = {}
    for word in () if text is None else text.split(","):
        axis, _, number = (part.strip() for part in word.partition("="))
        if axis not in AXES:
            raise ConfigError(f"--max-rmse: unknown axis {axis!r}; {accepted}")
        if not _NUMBER.fullmatch(number) or not isfinite(float(number)):
            raise ConfigError(
                f"--max-rmse {axis}: expected a number of at least 0, got {number!r}; {accepted}"
            )
        limits[axis] = float(number)
    return limits


def exceeded(result: ReplayResult, limits: Mapping[str, float]) -> list[str]:
    """Return a clause for each axis whose RMSE is above its limit; an axis not named is free.

    Raises:
        BagError: the replay was not compared with anything.
    """
    main = result.main
    if limits and main is None:
        raise BagError("--max-rmse: expected recorded commands to compare with, the bag has none")
    if main is None:
        return []
    return [
        f"{name} {main.axes[name].rmse:.4g} {unit} > {limits[name]:g}"
        for name, unit in zip(AXES, UNITS, strict=True)
        if name in limits and not main.axes[name].rmse <= limits[name]
    ]


def verdict(result: ReplayResult) -> str:
    """Return the outcome of the comparison in one line."""
    main, same = result.main, result.identity
    if problem := result.coverage.problem:
        return f"cannot judge: {problem}"
    if main is None or result.other is None:
        return "there is nothing to compare with: the replayed commands are shown"
    whose = f"{result.other.label}'s" if result.other.label != "recorded" else "the recorded"
    if same.identical:
        return f"identical to {whose} {_listed(same.compared)}, bit for bit"
    what = "policy commands" if main.what == "policy" else "guarded commands"
    if main.maximum == 0.0:
        return f"equal to {whose} {what}; first difference: {same.first}"
    if main.maximum <= MACHINE_TOLERANCE:
        return (
            f"differs from {whose} {what} by at most {main.maximum:.2g}, within the "
            f"{MACHINE_TOLERANCE:g} of replays on different processors"
        )
    parts = (
        f"{name} {main.axes[name].rmse:.3g} {unit}" for name, unit in zip(AXES, UNITS, strict=True)
    )
    return f"differs from {whose} {what} by RMSE " + ", ".join(parts)


def axes_table(result: ReplayResult) -> Table:
    """Return a table of the errors by axis, of policy and of guarded commands."""
    label = "nothing" if result.other is None else result.other.label
    title = f"replayed minus {label}"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for name in ("commands", "axis"):
        table.add_column(name)
    for name in ("MAE", "RMSE", "bias", "largest", "correlation"):
        table.add_column(name, justify="right", no_wrap=True)
    for comparison in (result.policy, result.guarded):
        for number, (name, unit) in enumerate(zip(AXES, UNITS, strict=True)):
            if comparison is None:
                continue
            error = comparison.axes[name]
            table.add_row(
                f"{comparison.what}, {len(comparison.stamp_ns)}" if number == 0 else "",
                f"{name}, {unit}",
                *(f"{value:.3g}" for value in (error.mae, error.rmse, error.bias, error.maximum)),
                "-" if error.correlation is None else f"{error.correlation:.4f}",
            )
    return table


_NAMES = {
    "policy": "policy commands",
    "guarded": "guarded commands",
    "features": "features",
    "states": "neurons",
    "gates": "time gates",
}


def _listed(parts: tuple[str, ...]) -> str:
    names = [_NAMES[part] for part in parts]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
