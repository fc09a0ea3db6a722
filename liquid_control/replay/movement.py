"""How far one series of commands moves away from another, frame by frame, in constant memory.

Many disturbances run over one bag at once, so that no series is kept: only sums, and two places.
"""

from dataclasses import dataclass, field
from math import cos, sin

import numpy as np

from liquid_control.replay.path import MAX_HOLD_S, ORIGIN, Pose
from liquid_control.types import Command, Floats


def flown_on(pose: Pose, command: Command, dt_s: float) -> Pose:
    """Return where a held command leads: one step of `path.integrate`.

    Args:
        pose: where it begins.
        command: of the heading frame.
        dt_s: how long it is held, s.
    """
    half = 0.5 * command.yaw_rate_radps * dt_s
    chord_s = dt_s * (sin(half) / half if half != 0.0 else 1.0)
    along, across = cos(pose.heading_rad + half), sin(pose.heading_rad + half)
    return Pose(
        pose.x + chord_s * (command.forward_mps * along - command.left_mps * across),
        pose.y + chord_s * (command.forward_mps * across + command.left_mps * along),
        pose.z + dt_s * command.up_mps,
        pose.heading_rad + 2.0 * half,
    )


def _zeros() -> Floats:
    return np.zeros(4)


@dataclass
class Movement:
    """What is known of two series of commands, compared at each frame.

    Attributes:
        frames: compared.
        largest: float64 [4], largest difference, as `Command.values`.
    """

    frames: int = 0
    largest: Floats = field(default_factory=_zeros)
    _absolute: Floats = field(default_factory=_zeros)
    _squared: Floats = field(default_factory=_zeros)
    _places: tuple[Pose, Pose] = (ORIGIN, ORIGIN)
    _held: tuple[Command, Command] | None = None

    def add(self, one: Command, other: Command, dt_s: float) -> Floats:
        """Take both commands at a frame; return their difference, float64 [4].

        Args:
            one: from this frame on.
            other: likewise.
            dt_s: since the frame before, for which the commands of that frame were in force, s.
        """
        if self._held is not None and dt_s <= MAX_HOLD_S:
            first, second = zip(self._places, self._held, strict=True)
            self._places = flown_on(*first, dt_s), flown_on(*second, dt_s)
        self._held = one, other
        moved = np.subtract(other.values, one.values)
        size = np.abs(moved)
        self.frames += 1
        self._absolute += size
        self._squared += moved * moved
        self.largest = np.maximum(self.largest, size)
        return np.asarray(moved)

    @property
    def mae(self) -> Floats:
        """Mean absolute difference, float64 [4]."""
        return self._absolute / max(self.frames, 1)

    @property
    def rmse(self) -> Floats:
        """Root of the mean squared difference, float64 [4]."""
        return np.asarray(np.sqrt(self._squared / max(self.frames, 1)))

    @property
    def final_position_l1_m(self) -> float:
        """L1 distance of the places that both series of commands lead to, m.

        The published open-loop metric with right rotation, as `path.PathDistance.final_l1_m`.
        """
        one, other = self._places
        return abs(one.x - other.x) + abs(one.y - other.y) + abs(one.z - other.z)
