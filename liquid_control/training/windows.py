"""Batches of windows cut from flights, a function of seed and step only.

That makes the position in training one number: a run that was killed goes on with the batches it
would have had.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.seeding import stream
from liquid_control.training.dataset import Dataset
from liquid_control.training.training_settings import LearnerSettings

MIRRORED_LABELS = np.array([1.0, -1.0, 1.0, -1.0], np.float32)
"""Signs of (forward, left, up, yaw rate) seen in a mirror."""

MIRRORED_IMU = np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0], np.float32)
"""Signs of the IMU features in a mirror: rates are axial (x and z turn), accelerations are not."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Which rows of a dataset are learned from side by side.

    Attributes:
        first: int64 [B], the first row of each window.
        end: int64 [B], the row where its flight ends.
        mirrored: bool [B], whether left and right change places.
    """

    first: NDArray[np.int64]
    end: NDArray[np.int64]
    mirrored: NDArray[np.bool_]

    def parts(self, count: int) -> "list[Windows]":
        """Return the windows in so many parts of nearly equal size, fewer if there are fewer."""
        bounds = np.array_split(np.arange(len(self.first)), min(count, len(self.first)))
        return [Windows(self.first[i], self.end[i], self.mirrored[i]) for i in bounds]


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of L steps, cut out.

    Attributes:
        images: uint8 [B, L, H, W, 3].
        means: float32 [B, L], mean of each picture.
        scales: float32 [B, L], what to multiply each picture with after the mean is taken out.
        imu: float32 [B, L, F].
        elapsed_s: float32 [B, L].
        labels: float32 [B, L, 4].
        valid: bool [B, L], False after a flight's end.
        counted: bool [B, L], the steps whose error counts.
    """

    images: NDArray[np.uint8]
    means: NDArray[np.float32]
    scales: NDArray[np.float32]
    imu: NDArray[np.float32]
    elapsed_s: NDArray[np.float32]
    labels: NDArray[np.float32]
    valid: NDArray[np.bool_]
    counted: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Split:
    """Which flights teach and which only measure.

    Attributes:
        train: indices of flights or pieces of them.
        held_out: the same; of the last of every so many flights.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def split_flights(origins: NDArray[np.int64], every: int) -> Split:
    """Keep every so many-th flight out; the only flight there is both teaches and measures.

    Args:
        origins: int64 [K], which flight each row is a piece of; pieces of one go the same way.
        every: so many.
    """
    _, flights = np.unique(origins, return_inverse=True)
    last = int(flights.max())
    out = flights % every == every - 1
    if not out.any():
        out = flights == last
    indices = np.arange(len(origins))
    return Split(indices[~out] if last else indices, indices[out])


def draw_windows(
    dataset: Dataset, flights: NDArray[np.int64], settings: LearnerSettings, seed: int, step: int
) -> Windows:
    """Draw the windows of one optimiser step.

    Flights are drawn by their duration, not by their frames: one flown at 40 Hz counts as much as
    one at 10 Hz. Half of the windows are mirrored; somewhat more than chance begin with a flight.
    """
    generator = stream(seed, f"training.batch.{step}")
    durations = dataset.durations_s[flights]
    chosen = generator.choice(flights, settings.windows, p=durations / durations.sum())
    start, end = dataset.starts[chosen], dataset.starts[chosen + 1]
    steps = settings.window_steps
    last = np.maximum(end - start - steps, 0)
    offsets = generator.integers(-(steps // 4), last + 1)
    mirrored = generator.uniform(size=settings.windows) < 0.5
    return Windows(start + np.maximum(offsets, 0), end, mirrored)


def cut(dataset: Dataset, windows: Windows, steps: int, burn_in_steps: int) -> Batch:
    """Cut windows out of a dataset.

    The first steps of a window do not count, except where a flight begins: there a zero state is
    what the policy really has.
    """
    rows = windows.first[:, None] + np.arange(steps)
    valid = rows < windows.end[:, None]
    rows = np.minimum(rows, windows.end[:, None] - 1)
    at_start = np.isin(windows.first, dataset.starts[:-1])
    warm = at_start[:, None] | (np.arange(steps) >= burn_in_steps)
    images, imu, labels = dataset.images[rows], dataset.imu[rows], dataset.labels[rows]
    for window in np.flatnonzero(windows.mirrored):
        images[window] = images[window, :, :, ::-1].copy()
        imu[window] *= MIRRORED_IMU
        labels[window] *= MIRRORED_LABELS
    return Batch(
        images=images,
        means=dataset.means[rows],
        scales=dataset.scales[rows],
        imu=imu,
        elapsed_s=dataset.elapsed_s[rows],
        labels=labels,
        valid=valid,
        counted=valid & warm,
    )
