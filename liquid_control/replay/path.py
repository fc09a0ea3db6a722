"""Where commands would lead, open loop: the published metric of a replay, with right rotation.

Chahine et al. 2023 (doi 10.1126/scirobotics.adc8892) integrate the commands that a network answers
to a recorded flight, and take the L1 distance of the final positions. Their published code
(`makramchahine/drone_causality`, `integrate_positions` in `analysis/perturb_trajectory.py`) does
not rotate: with h half the turn of a step it adds (forward cos h, left sin h, up) dt. Moving left
then moves along y only by the sine, forward never moves along y, the heading is not carried from
step to step, and dt is 0.5 s whatever the stamps. Here velocities are in the heading frame,
which turns: a command held for dt is an arc, and

    p' = p + R(theta + w dt / 2) (forward, left) dt sinc(w dt / 2),   theta' = theta + w dt,

with sinc(x) = sin(x) / x, is that arc's chord, exactly.
"""

from dataclasses import dataclass

import numpy as np

from liquid_control.replay.track import Series, Stamps
from liquid_control.types import NANOSECONDS, Floats

MAX_HOLD_S = 1.0
"""No command is in force for longer: frames farther apart have nothing to do with each other."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where an integration begins: position in m and heading in rad, map."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    heading_rad: float = 0.0


ORIGIN = Pose()


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


def integrate(commands: Floats, dt_s: Floats, start: Pose = ORIGIN) -> Floats:
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
