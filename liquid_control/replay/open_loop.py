"""Open-loop paths: commands integrated from one pose, compared with each other and odometry.

The published code (Chahine et al. 2023) adds velocities without rotating them through the
heading. `integrate` rotates them; `integrate_as_published` does not.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from math import cos, sin
from typing import Any

import numpy as np

from liquid_control.replay.comparison import Comparison
from liquid_control.replay.tracks import Series, Stamps, Track
from liquid_control.types import NANOSECONDS, Command, Floats

MAX_HOLD_S = 1.0
"""Longest time that a command is in force; a longer interval is a jump and is not integrated."""


@dataclass(frozen=True, slots=True)
class PlanarPose:
    """Position in m and heading in rad, map."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    heading_rad: float = 0.0


ORIGIN = PlanarPose()


@dataclass(frozen=True, slots=True)
class PathDistance:
    """Distance of two paths at equal stamps, m.

    Attributes:
        final_l1_m: |dx| + |dy| + |dz| of the final positions, the published metric.
        final_l2_m: Euclidean distance of the final positions.
        mean_l1_m: mean L1 distance over the path.
        mean_l2_m: mean Euclidean distance over the path.
        max_l2_m: largest Euclidean distance.
    """

    final_l1_m: float
    final_l2_m: float
    mean_l1_m: float
    mean_l2_m: float
    max_l2_m: float


def hold_times(stamp_ns: Stamps) -> Floats:
    """Return the time that each command is in force, until the next stamp, float64 [T - 1], s."""
    seconds = np.diff(stamp_ns) / NANOSECONDS
    return np.where(seconds <= MAX_HOLD_S, np.maximum(seconds, 0.0), 0.0)


def integrate(commands: Floats, dt_s: Floats, start: PlanarPose = ORIGIN) -> Floats:
    """Integrate commands from a pose; each is held for its dt.

    Velocities are in the heading frame, which turns: a command held for dt is an arc, and

        p' = p + R(theta + w dt / 2) (forward, left) dt sinc(w dt / 2),   theta' = theta + w dt,

    with sinc(x) = sin(x) / x, is exactly the chord of that arc.

    Args:
        commands: float64 [T, 4], as `Command.values`; the last one is not integrated.
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


def step(pose: PlanarPose, command: Command, dt_s: float) -> PlanarPose:
    """Return the pose after a command held for dt_s: one step of `integrate`."""
    half = 0.5 * command.yaw_rate_radps * dt_s
    chord_s = dt_s * (sin(half) / half if half != 0.0 else 1.0)
    along, across = cos(pose.heading_rad + half), sin(pose.heading_rad + half)
    return PlanarPose(
        pose.x + chord_s * (command.forward_mps * along - command.left_mps * across),
        pose.y + chord_s * (command.forward_mps * across + command.left_mps * along),
        pose.z + dt_s * command.up_mps,
        pose.heading_rad + 2.0 * half,
    )


def integrate_as_published(commands: Floats, dt_s: Floats) -> Floats:
    """Integrate commands as the published code does, with the stamps' dt, float64 [T, 3], m.

    Chahine et al. 2023 (doi 10.1126/scirobotics.adc8892) integrate the commands that a network
    gives for a recorded flight and report the L1 distance of the final positions. Their code
    (`makramchahine/drone_causality`, `integrate_positions` in `analysis/perturb_trajectory.py`)
    does not rotate velocities: with h half the turn of a step it adds (forward cos h, left sin h,
    up) dt. Leftward motion changes y only by the sine, forward motion never changes y, the heading
    is not carried from step to step, and dt is 0.5 s whatever the stamps. Use this function only
    to compare with published figures.
    """
    if not len(commands):
        return np.empty((0, 3))
    forward, left, up, turn = commands[:-1].T
    half = 0.5 * turn * dt_s
    steps = np.column_stack([forward * np.cos(half), left * np.sin(half), up]) * dt_s[:, None]
    return np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])


def path_distance(one: Floats, other: Floats) -> PathDistance:
    """Return the distance of two paths, float64 [T, >= 3] each, T at least 1."""
    apart = np.asarray(one[:, :3] - other[:, :3], np.float64)
    l1, l2 = np.abs(apart).sum(axis=1), np.linalg.norm(apart, axis=1)
    return PathDistance(
        float(l1[-1]), float(l2[-1]), float(l1.mean()), float(l2.mean()), float(l2.max())
    )


def poses_at(poses: Series, stamp_ns: Stamps) -> Floats | None:
    """Return recorded poses at some stamps, float64 [T, 4]; None where they do not cover them.

    Poses are interpolated linearly; headings are unwrapped.

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


def _zeros() -> Floats:
    return np.zeros(4)


@dataclass
class Movement:
    """Running statistics of the difference of two series of commands.

    Attributes:
        frames: number of compared frames.
        largest: float64 [4], largest absolute difference, as `Command.values`.
    """

    frames: int = 0
    largest: Floats = field(default_factory=_zeros)
    _absolute: Floats = field(default_factory=_zeros)
    _squared: Floats = field(default_factory=_zeros)
    _poses: tuple[PlanarPose, PlanarPose] = (ORIGIN, ORIGIN)
    _held: tuple[Command, Command] | None = None

    def add(self, one: Command, other: Command, dt_s: float) -> Floats:
        """Add both commands of a frame and return other minus one, float64 [4].

        Args:
            one: the first series' command from this frame on.
            other: the second series' command.
            dt_s: time since the previous frame, in which its commands were in force, s.
        """
        if self._held is not None and dt_s <= MAX_HOLD_S:
            first, second = zip(self._poses, self._held, strict=True)
            self._poses = step(*first, dt_s), step(*second, dt_s)
        self._held = one, other
        difference = np.subtract(other.values, one.values)
        size = np.abs(difference)
        self.frames += 1
        self._absolute += size
        self._squared += difference * difference
        self.largest = np.maximum(self.largest, size)
        return np.asarray(difference)

    def state(self) -> dict[str, Any]:
        """Return the statistics so far, for `restore`."""
        held = None if self._held is None else [list(command.values) for command in self._held]
        return {
            "frames": self.frames,
            "largest": self.largest,
            "absolute": self._absolute.copy(),
            "squared": self._squared.copy(),
            "poses": [list(astuple(pose)) for pose in self._poses],
            "held": held,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        self.frames, self.largest = state["frames"], state["largest"]
        self._absolute, self._squared = state["absolute"], state["squared"]
        first, second = (PlanarPose(*values) for values in state["poses"])
        self._poses = first, second
        held = state["held"]
        self._held = None if held is None else (Command(*held[0]), Command(*held[1]))

    @property
    def mae(self) -> Floats:
        """Mean absolute difference, float64 [4]."""
        return self._absolute / max(self.frames, 1)

    @property
    def rmse(self) -> Floats:
        """Root mean squared difference, float64 [4]."""
        return np.asarray(np.sqrt(self._squared / max(self.frames, 1)))

    @property
    def final_position_l1_m(self) -> float:
        """L1 distance of the integrated final positions, as `PathDistance.final_l1_m`, m."""
        one, other = self._poses
        return abs(one.x - other.x) + abs(one.y - other.y) + abs(one.z - other.z)


@dataclass(frozen=True, slots=True, eq=False)
class OpenLoop:
    """Open-loop paths of the compared commands.

    Attributes:
        stamp_ns: int64 [P].
        replayed: float64 [P, 4], x, y, z in m and heading in rad, of the replayed commands.
        other: of the other commands; None without them.
        odometry: the recorded path; None where odometry does not cover the replay.
        length_m: length of the replayed path.
        replayed_from_other: distance of the two paths.
        published_final_l1_m: final L1 distance as the published code computes it, without
            rotation, to compare with published figures.
        replayed_from_odometry: distance of the replayed path from odometry.
        other_from_odometry: distance of the other path from odometry.
    """

    stamp_ns: Stamps
    replayed: Floats
    other: Floats | None
    odometry: Floats | None
    length_m: float
    replayed_from_other: PathDistance | None
    published_final_l1_m: float | None
    replayed_from_odometry: PathDistance | None
    other_from_odometry: PathDistance | None


def open_loop(main: Comparison | None, track: Track, poses: Series) -> OpenLoop:
    """Integrate the compared commands, or without a comparison the replayed ones.

    Args:
        main: the comparison; None without one.
        track: the replayed track.
        poses: recorded odometry, may be empty. The paths begin at its first pose.
    """
    stamps = track.policy.stamp_ns if main is None else main.stamp_ns
    commands = track.policy.values if main is None else main.replayed
    odometry, held = poses_at(poses, stamps), hold_times(stamps)
    start = ORIGIN if odometry is None else PlanarPose(*odometry[0].tolist())
    replayed = integrate(commands, held, start)
    other = None if main is None else integrate(main.other, held, start)
    return OpenLoop(
        stamp_ns=stamps,
        replayed=replayed,
        other=other,
        odometry=odometry,
        length_m=float(np.linalg.norm(np.diff(replayed[:, :3], axis=0), axis=1).sum()),
        replayed_from_other=_distance(replayed, other),
        published_final_l1_m=None if main is None else _published(main, held),
        replayed_from_odometry=_distance(replayed, odometry),
        other_from_odometry=_distance(other, odometry),
    )


def _distance(one: Floats | None, other: Floats | None) -> PathDistance | None:
    return None if one is None or other is None or not len(one) else path_distance(one, other)


def _published(main: Comparison, held: Floats) -> float:
    sides = (integrate_as_published(side, held) for side in (main.replayed, main.other))
    return path_distance(*sides).final_l1_m
