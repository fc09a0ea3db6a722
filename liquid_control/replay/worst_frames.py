"""The moments that are worth looking at: where two commands differ most, one a second at most."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from liquid_control.bags.bag import Bag
from liquid_control.bags.events import CameraInfoEvent, FrameEvent
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.losses import Losses
from liquid_control.bags.topics import TopicMap
from liquid_control.bags.topics.roles import Role
from liquid_control.errors import LiquidControlError
from liquid_control.policy import Policy
from liquid_control.replay.comparison import AXES, Comparison
from liquid_control.replay.feature_extractor import FeatureExtractor
from liquid_control.replay.tracks import Series
from liquid_control.types import NANOSECONDS, Pixels

APART_NS = NANOSECONDS


@dataclass(frozen=True, slots=True)
class WorstFrame:
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
) -> tuple[WorstFrame, ...]:
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


def spread_moments(policy: Series, count: int = 8) -> tuple[WorstFrame, ...]:
    """Return moments spread evenly over the frames, for when none is worse than another."""
    frames = len(policy)
    at = np.unique(np.linspace(0, max(frames - 1, 0), min(count, frames)).round().astype(int))
    return tuple(
        WorstFrame(int(policy.stamp_ns[row]), None, 0.0, tuple(policy.values[row].tolist()), None)
        for row in at.tolist()
    )


def _moment(comparison: Comparison, index: int, column: int) -> WorstFrame:
    return WorstFrame(
        stamp_ns=int(comparison.stamp_ns[index]),
        axis=AXES[column],
        difference=float(comparison.difference[index, column]),
        ours=tuple(comparison.ours[index].tolist()),
        theirs=tuple(comparison.theirs[index].tolist()),
    )


_NEEDED = (Role.CAMERA, Role.CAMERA_INFO)
_MARGIN_NS = 2 * NANOSECONDS
"""Log time before a frame at which to begin, so that the camera's calibration is heard too."""
_WORTH_SEEKING_NS = 10 * NANOSECONDS


def frame_pictures(
    bag: Bag, topics: TopicMap, policy: Policy, start_ns: int | None = None
) -> Iterator[tuple[int, Pixels]]:
    """Yield log time and picture of every frame: the part that the model's camera would show.

    Args:
        bag: where it was recorded.
        topics: which topic plays which role.
        policy: of the model.
        start_ns: log time to begin at; None for the beginning.
    """
    framed = FeatureExtractor(policy)
    seen_only = TopicMap({r: s for r, s in topics.sources.items() if r in _NEEDED})
    for event in read_flight(bag, seen_only, Losses(), start_ns):
        if isinstance(event, CameraInfoEvent):
            framed.calibrated(event)
        elif isinstance(event, FrameEvent):
            try:
                picture = framed.framed(event.observation.image)
            except LiquidControlError:
                continue
            yield event.log_ns, picture


def pictures_of(
    bag: Bag, topics: TopicMap, policy: Policy, frames: Series, stamps_ns: set[int]
) -> dict[int, Pixels]:
    """Return the pictures of some frames by stamp, copied; those that are not found are left out.

    Args:
        bag: where it was recorded.
        topics: which topic plays which role.
        policy: of the model.
        frames: stamps of all frames, and when they were filed.
        stamps_ns: of the frames that are wanted.
    """
    wanted = {
        int(log_ns): int(stamp_ns)
        for stamp_ns, log_ns in zip(frames.stamp_ns, frames.log_ns, strict=True)
        if int(stamp_ns) in stamps_ns
    }
    found: dict[int, Pixels] = {}
    for stretch in _stretches(sorted(wanted)):
        for log_ns, picture in frame_pictures(bag, topics, policy, stretch[0] - _MARGIN_NS):
            if log_ns in wanted:
                found.setdefault(wanted[log_ns], np.array(picture))
            if log_ns >= stretch[-1]:
                break
    return found


def _stretches(logs_ns: list[int]) -> list[list[int]]:
    """Part log times where seeking is worth while."""
    stretches: list[list[int]] = []
    for log_ns in logs_ns:
        if stretches and log_ns - stretches[-1][-1] < _WORTH_SEEKING_NS:
            stretches[-1].append(log_ns)
        else:
            stretches.append([log_ns])
    return stretches
