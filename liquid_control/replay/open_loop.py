"""Both rows of commands followed from one pose, beside each other and the recorded odometry."""

from dataclasses import dataclass

import numpy as np

from liquid_control.replay.comparison import Comparison
from liquid_control.replay.path import (
    ORIGIN,
    PathDistance,
    Pose,
    hold_times,
    integrate,
    integrate_as_published,
    path_distance,
    poses_at,
)
from liquid_control.replay.track import Series, Stamps, Track
from liquid_control.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class OpenLoop:
    """Where commands lead.

    Attributes:
        stamp_ns: int64 [P].
        ours: float64 [P, 4], x, y, z in m and heading in rad, as the replayed commands lead.
        theirs: as the other's lead; None without one.
        odometry: as was flown; None where it was not recorded throughout.
        length_m: of our path.
        apart: ours from theirs.
        published_final_l1_m: the same distance as the published code computes it, without
            rotation, for setting figures side by side.
        ours_from_odometry: how far our path is from what was flown.
        theirs_from_odometry: how far theirs is.
    """

    stamp_ns: Stamps
    ours: Floats
    theirs: Floats | None
    odometry: Floats | None
    length_m: float
    apart: PathDistance | None
    published_final_l1_m: float | None
    ours_from_odometry: PathDistance | None
    theirs_from_odometry: PathDistance | None


def open_loop(main: Comparison | None, replayed: Track, poses: Series) -> OpenLoop:
    """Follow the commands that are compared, or without a comparison the replayed ones.

    Args:
        main: the comparison; None for nothing.
        replayed: what the policy answered.
        poses: recorded odometry, may be empty; the paths begin where it is.
    """
    stamps = replayed.policy.stamp_ns if main is None else main.stamp_ns
    commands = replayed.policy.values if main is None else main.ours
    flown, held = poses_at(poses, stamps), hold_times(stamps)
    start = ORIGIN if flown is None else Pose(*flown[0].tolist())
    ours = integrate(commands, held, start)
    theirs = None if main is None else integrate(main.theirs, held, start)
    return OpenLoop(
        stamp_ns=stamps,
        ours=ours,
        theirs=theirs,
        odometry=flown,
        length_m=float(np.linalg.norm(np.diff(ours[:, :3], axis=0), axis=1).sum()),
        apart=_distance(ours, theirs),
        published_final_l1_m=None if main is None else _published(main, held),
        ours_from_odometry=_distance(ours, flown),
        theirs_from_odometry=_distance(theirs, flown),
    )


def _distance(one: Floats | None, other: Floats | None) -> PathDistance | None:
    return None if one is None or other is None or not len(one) else path_distance(one, other)


def _published(main: Comparison, held: Floats) -> float:
    sides = (integrate_as_published(side, held) for side in (main.ours, main.theirs))
    return path_distance(*sides).final_l1_m
