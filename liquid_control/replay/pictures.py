"""A second look at a bag, for the pictures of a few of its frames: the first look keeps none."""

from collections.abc import Iterator

import numpy as np

from liquid_control.bags.bag import Bag
from liquid_control.bags.events import Calibrated, Seen
from liquid_control.bags.flight import read_flight
from liquid_control.bags.losses import Losses
from liquid_control.bags.topics import TopicMap
from liquid_control.bags.topics.roles import Role
from liquid_control.errors import LiquidControlError
from liquid_control.policy import Policy
from liquid_control.replay.perceiver import Perceiver
from liquid_control.replay.track import Series
from liquid_control.types import NANOSECONDS, Pixels

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
    framed = Perceiver(policy)
    seen_only = TopicMap({r: s for r, s in topics.sources.items() if r in _NEEDED})
    for event in read_flight(bag, seen_only, Losses(), start_ns):
        if isinstance(event, Calibrated):
            framed.calibrated(event)
        elif isinstance(event, Seen):
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
