"""Rotation of the body over time, integrated from the samples of a gyro."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import NANOSECONDS, Floats, ImuWindow

GAP_S = 0.1
"""Longest interval between two samples over which the rotation is integrated."""


@dataclass(frozen=True, slots=True)
class GyroRotation:
    """Rotation of `base_link`, by the trapezoidal rule between the samples of a gyro.

    Attributes:
        stamps_s: float64 [K], strictly increasing.
        rates: float64 [K, 3], rad/s, base_link.
    """

    stamps_s: Floats
    rates: Floats

    @classmethod
    def of(cls, window: ImuWindow, origin_ns: int) -> "GyroRotation":
        """Return the rotation of samples, without those whose stamp does not advance.

        Args:
            window: samples.
            origin_ns: stamp that becomes 0 s.
        """
        newest = np.maximum.accumulate(window.stamps_ns) if len(window.stamps_ns) else np.empty(0)
        advances = np.concatenate([[True], window.stamps_ns[1:] > newest[:-1]])
        advances = advances[: len(window.stamps_ns)]
        stamps_ns = window.stamps_ns[advances] - origin_ns
        return cls(stamps_ns / NANOSECONDS, window.angular_velocity[advances])

    def covers(self, begin_s: Floats, end_s: Floats) -> NDArray[np.bool_]:
        """Return for each interval whether it has samples, without a gap of `GAP_S`, bool [P]."""
        steps = np.diff(self.stamps_s)
        gaps = np.concatenate([[0], np.cumsum(steps > GAP_S)])
        inside = (begin_s >= self.stamps_s[0]) & (end_s <= self.stamps_s[-1])
        first = np.searchsorted(self.stamps_s, begin_s, side="right") - 1
        last = np.searchsorted(self.stamps_s, end_s, side="left")
        most = len(self.stamps_s) - 1
        first, last = np.clip(first, 0, most), np.clip(last, 0, most)
        return np.asarray(inside & (gaps[first] == gaps[last]))

    def integrated(self, bias: Floats) -> "IntegratedRotation":
        """Return the integral of the rates minus a bias, float64 [3], rad/s."""
        middle = 0.5 * (self.rates[1:] + self.rates[:-1]) - bias
        steps = np.diff(self.stamps_s)
        steps = np.where(steps > GAP_S, 0.0, steps)
        totals = _cumulated(rotations_of(middle * steps[:, None]))
        return IntegratedRotation(self.stamps_s, middle, totals)


@dataclass(frozen=True, slots=True, eq=False)
class IntegratedRotation:
    """Rotation of `base_link` as a function of time.

    Attributes:
        stamps_s: float64 [K].
        rates: float64 [K - 1, 3], rad/s, constant between two stamps.
        totals: float64 [K, 3, 3], from the body at each stamp to the body at the first one.
    """

    stamps_s: Floats
    rates: Floats
    totals: Floats

    def at(self, times_s: Floats) -> Floats:
        """Return the rotations from the body at each time [M] to that at the first stamp.

        Times outside the stamps use the nearest rate. The result is float64 [M, 3, 3].
        """
        index = np.searchsorted(self.stamps_s, times_s, side="right") - 1
        index = np.clip(index, 0, len(self.stamps_s) - 2)
        rest = (times_s - self.stamps_s[index])[:, None] * self.rates[index]
        return np.asarray(self.totals[index] @ rotations_of(rest))


def rotations_of(vectors: Floats) -> Floats:
    """Return the matrices [N, 3, 3] of rotation vectors [N, 3], by Rodrigues' formula."""
    angles = np.linalg.norm(vectors, axis=1)
    safe = np.maximum(angles, 1e-12)
    cross = np.zeros((len(vectors), 3, 3))
    x, y, z = vectors.T
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -z, y, -x
    cross[:, 1, 0], cross[:, 2, 0], cross[:, 2, 1] = z, -y, x
    first = (np.sin(safe) / safe)[:, None, None]
    second = ((1.0 - np.cos(safe)) / safe**2)[:, None, None]
    return np.asarray(np.eye(3) + first * cross + second * (cross @ cross))


def _cumulated(steps: Floats) -> Floats:
    """Return the products of all first n matrices, [K + 1, 3, 3] for steps [K, 3, 3].

    The steps are multiplied within blocks, all blocks at once, then block by block.
    """
    count = len(steps)
    length = max(1, int(np.sqrt(count)))
    blocks = -(-count // length)
    padded = np.tile(np.eye(3), (blocks * length, 1, 1))
    padded[:count] = steps
    inner = padded.reshape(blocks, length, 3, 3)
    for index in range(1, length):
        inner[:, index] = inner[:, index - 1] @ inner[:, index]
    start = np.eye(3)
    for block in inner:
        block[:] = start @ block
        start = block[-1]
    return np.concatenate([np.eye(3)[None], inner.reshape(-1, 3, 3)[:count]])
