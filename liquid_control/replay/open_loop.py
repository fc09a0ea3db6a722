"""Both rows of commands followed from one pose, beside each other and the recorded odometry."""

from dataclasses import dataclass

import numpy as np

from liquid_control.replay.comparison import Comparison
from liquid_control.replay.tracks import Series, Stamps, Track
from liquid_control.types import NANOSECONDS, Floats

MAX_HOLD_S = 1.0
"""No command is in force for longer: frames farther apart have nothing to do with each other."""


@dataclass(frozen=True, slots=True)
class PlanarPose:
    """Where an integration begins: position in m and heading in rad, map."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    heading_rad: float = 0.0


ORIGIN = PlanarPose()


@dataclass(frozen=True, slots=True)
class PathDistance:
    """How far two paths are apart, m.

    Attributes:
        final_l1_m: |dx| + |dy| + |dz| of the final positions, the published metric.
        final_l2_m: their distance.
        mean_l1_m: over the whole path, at equal stamps; likewise the others.
        mean_l2_m: mean distance.
        max_l2_m: largest distance.
    """

    final_l1_m: float
    final_l2_m: float
    mean_l1_m: float
    mean_l2_m: float
    max_l2_m: float


def hold_times(stamp_ns: Stamps) -> Floats:
    """Return how long each command is in force, float64 [T - 1], s: until the next stamp."""
    seconds = np.diff(stamp_ns) / NANOSECONDS
    return np.where(seconds <= MAX_HOLD_S, np.maximum(seconds, 0.0), 0.0)


def integrate(commands: Floats, dt_s: Floats, start: PlanarPose = ORIGIN) -> Floats:
    """Follow commands from a pose; each is held for its dt.

    Args:
        commands: float64 [T, 4], as `Command.values`; the last one is not followed.
        dt_s: float64 [T - 1], from `hold_times`.
        start: the first pose.

    Returns:
        float64 [T, 4]: x, y, z in m and heading in rad at each stamp, map.
    """
    if not len(commands):
        return np.empty((0, 4))
    forward, left, up, turn = commands[:-1].T
    half = 0.5 * turn * dt_s
    headings = start.heading_rad + np.concatenate([[0.0], np.cumsum(2.0 * half)])
    chord = (forward + 1j * left) * np.exp(1j * (headings[:-1] + half))
    ground = np.concatenate([[0.0], np.cumsum(chord * dt_s * np.sinc(half / np.pi))])
    height = start.z + np.concatenate([[0.0], np.cumsum(up * dt_s)])
    return np.column_stack([start.x + ground.real, start.y + ground.imag, height, headings])


def integrate_as_published(commands: Floats, dt_s: Floats) -> Floats:
    """Follow commands as the published code does, but with the stamps' dt: float64 [T, 3], m.

    For setting figures side by side; see the module's docstring for what it leaves out.
    """
    if not len(commands):
        return np.empty((0, 3))
    forward, left, up, turn = commands[:-1].T
    half = 0.5 * turn * dt_s
    steps = np.column_stack([forward * np.cos(half), left * np.sin(half), up]) * dt_s[:, None]
    return np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])


def path_distance(one: Floats, other: Floats) -> PathDistance:
    """Return how far two paths are apart, float64 [T, >= 3] each, T at least 1."""
    apart = np.asarray(one[:, :3] - other[:, :3], np.float64)
    l1, l2 = np.abs(apart).sum(axis=1), np.linalg.norm(apart, axis=1)
    return PathDistance(
        float(l1[-1]), float(l2[-1]), float(l1.mean()), float(l2.mean()), float(l2.max())
    )


def poses_at(poses: Series, stamp_ns: Stamps) -> Floats | None:
    """Return recorded poses at some stamps, float64 [T, 4], or None where they do not reach.

    Linear in between; headings are unwrapped.

    Args:
        poses: recorded, x, y, z and heading.
        stamp_ns: int64 [T].
    """
    if len(poses) < 2 or not len(stamp_ns):
        return None
    order = np.unique(poses.stamp_ns, return_index=True)[1]
    known, values = poses.stamp_ns[order], poses.values[order].copy()
    slack_ns = int(0.1 * NANOSECONDS)
    if stamp_ns.min() < known[0] - slack_ns or stamp_ns.max() > known[-1] + slack_ns:
        return None
    values[:, 3] = np.unwrap(values[:, 3])
    seconds, wanted = known - known[0], stamp_ns - known[0]
    return np.column_stack([np.interp(wanted, seconds, column) for column in values.T])


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
    start = ORIGIN if flown is None else PlanarPose(*flown[0].tolist())
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
