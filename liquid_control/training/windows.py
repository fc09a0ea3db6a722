"""Batches of windows cut from flights, a function of seed and step only.

The step number is the whole state of the sampling, so a resumed run draws the same batches.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.perception import MIRRORED_IMU, MIRRORED_INPUTS
from liquid_control.seeding import stream
from liquid_control.training.dataset import Dataset
from liquid_control.training.network_settings import LearnerSettings

MIRRORED_LABELS = np.array([1.0, -1.0, 1.0, -1.0], np.float32)
"""Signs of (forward, left, up, yaw rate) in a mirrored picture."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Rows of a dataset that form a batch.

    Attributes:
        first: int64 [B], first row of each window.
        end: int64 [B], end of its flight.
        mirrored: bool [B], whether left and right are swapped.
    """

    first: NDArray[np.int64]
    end: NDArray[np.int64]
    mirrored: NDArray[np.bool_]

    def parts(self, count: int) -> "list[Windows]":
        """Return the windows in at most `count` parts of nearly equal size."""
        bounds = np.array_split(np.arange(len(self.first)), min(count, len(self.first)))
        return [Windows(self.first[i], self.end[i], self.mirrored[i]) for i in bounds]


@dataclass(frozen=True, slots=True)
class Batch:
    """The data of windows of L steps.

    Attributes:
        images: uint8 [B, L, H, W, 3]; [B, L, 0, 0, 3] where `features` replace them.
        features: float32 [B, L, F], of a frozen encoder; [B, L, 0] without one.
        means: float32 [B, L], mean of each picture.
        scales: float32 [B, L], factor for each picture after its mean is subtracted.
        imu: float32 [B, L, F].
        elapsed_s: float32 [B, L].
        labels: float32 [B, L, 4].
        inputs: float32 [B, L, K], all optional inputs.
        valid: bool [B, L], False after the end of the flight.
        counted: bool [B, L], steps that count in the loss.
    """

    images: NDArray[np.uint8]
    features: NDArray[np.float32]
    means: NDArray[np.float32]
    scales: NDArray[np.float32]
    imu: NDArray[np.float32]
    elapsed_s: NDArray[np.float32]
    labels: NDArray[np.float32]
    inputs: NDArray[np.float32]
    valid: NDArray[np.bool_]
    counted: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Split:
    """Indices of the flights, or pieces of flights, for training and validation.

    Attributes:
        train: int64, of those to learn from.
        validation: int64, of those that only measure the loss.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def split_flights(origins: NDArray[np.int64], every: int) -> Split:
    """Hold out every `every`-th flight for validation; a single flight is used for both.

    Args:
        origins: int64 [K], flight of each piece; the pieces of a flight stay together.
        every: number of flights of which the last is held out.
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

    Flights are drawn in proportion to their duration, not to their number of frames: a flight at
    40 Hz counts as much as one at 10 Hz. Half of the windows are mirrored, with
    `settings.mirror`. The start of a flight is drawn more often than other rows.
    """
    generator = stream(seed, f"training.batch.{step}")
    durations = dataset.durations_s[flights]
    chosen = generator.choice(flights, settings.windows, p=durations / durations.sum())
    start, end = dataset.starts[chosen], dataset.starts[chosen + 1]
    steps = settings.window_steps
    last = np.maximum(end - start - steps, 0)
    offsets = generator.integers(-(steps // 4), last + 1)
    mirrored = (generator.uniform(size=settings.windows) < 0.5) & settings.mirror
    return Windows(start + np.maximum(offsets, 0), end, mirrored)


def cut(
    dataset: Dataset, windows: Windows, steps: int, burn_in_steps: int, burn_in_s: float = 0.0
) -> Batch:
    """Cut windows out of a dataset.

    The first steps and seconds of a window do not count, except at the start of a flight, where
    the zero state is the policy's real state.

    Args:
        dataset: frames of all flights.
        windows: rows to cut out.
        steps: frames in a window.
        burn_in_steps: first frames that do not count.
        burn_in_s: frames closer than this to the first one do not count, s.
    """
    rows = windows.first[:, None] + np.arange(steps)
    valid = rows < windows.end[:, None]
    rows = np.minimum(rows, windows.end[:, None] - 1)
    at_start = np.isin(windows.first, dataset.starts[:-1])
    elapsed_s = dataset.elapsed_s[rows]
    since_first_s = np.cumsum(elapsed_s, axis=1, dtype=np.float64) - elapsed_s[:, :1]
    late = (np.arange(steps) >= burn_in_steps) & (since_first_s >= burn_in_s)
    warm = at_start[:, None] | late
    images, imu, labels = dataset.images[rows], dataset.imu[rows], dataset.labels[rows]
    inputs = dataset.inputs[rows]
    sides = windows.mirrored.astype(np.int64)[:, None]
    for window in np.flatnonzero(windows.mirrored):
        images[window] = images[window, :, :, ::-1].copy()
        imu[window] *= MIRRORED_IMU
        labels[window] *= MIRRORED_LABELS
        inputs[window] *= MIRRORED_INPUTS
    return Batch(
        images=images,
        features=dataset.features[sides, rows],
        means=dataset.means[rows],
        scales=dataset.scales[rows],
        imu=imu,
        elapsed_s=elapsed_s,
        labels=labels,
        inputs=inputs,
        valid=valid,
        counted=valid & warm,
    )
