"""All flights in memory, as one array a quantity, with the hash that names them together."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import OutputError
from liquid_control.perception.image import CONTRAST_FLOOR, moments
from liquid_control.training.flight_file import frame_count, read_flight


@dataclass(frozen=True, slots=True)
class Dataset:
    """Flights one after the other.

    Attributes:
        images: uint8 [N, H, W, 3], RGB.
        means: float32 [N], mean of each picture.
        scales: float32 [N], what standardises a picture once its mean is taken out.
        imu: float32 [N, F], features of the IMU.
        labels: float32 [N, 4], the expert's command, as `Command.values`.
        elapsed_s: float32 [N], time since the frame before in the same flight.
        starts: int64 [K + 1], where each flight, or piece of one, begins; the last entry is N.
        origins: int64 [K], which flight each is a piece of: one's pieces are kept together.
        sha256: of the flights' own hashes, in order.
    """

    images: NDArray[np.uint8]
    means: NDArray[np.float32]
    scales: NDArray[np.float32]
    imu: NDArray[np.float32]
    labels: NDArray[np.float32]
    elapsed_s: NDArray[np.float32]
    starts: NDArray[np.int64]
    origins: NDArray[np.int64]
    sha256: str

    @property
    def pieces(self) -> int:
        """How many rows `origins` has."""
        return len(self.origins)

    @property
    def flights(self) -> int:
        """How many flights there are."""
        return len(np.unique(self.origins))

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.labels)

    @property
    def durations_s(self) -> NDArray[np.float64]:
        """How long each flight or piece lasts, float64 [K]."""
        return np.add.reduceat(self.elapsed_s.astype(np.float64), self.starts[:-1])


def load_dataset(
    paths: Sequence[Path], nominal_s: float, origins: Sequence[int] | None = None
) -> Dataset:
    """Read flights in the given order into arrays that are allocated once.

    Args:
        paths: of the flights' files, at least one.
        nominal_s: elapsed time of each flight's first frame.
        origins: which flight each file is a piece of; each is one of its own if None.

    Raises:
        OutputError: a file is damaged, or its images have another shape than the others.
    """
    starts = np.cumsum([0, *(frame_count(path) for path in paths)]).astype(np.int64)
    first, _ = read_flight(paths[0])
    total = int(starts[-1])
    dataset = Dataset(
        images=np.empty((total, *first.images.shape[1:]), np.uint8),
        means=np.empty(total, np.float32),
        scales=np.empty(total, np.float32),
        imu=np.empty((total, *first.imu.shape[1:]), np.float32),
        labels=np.empty((total, 4), np.float32),
        elapsed_s=np.empty(total, np.float32),
        starts=starts,
        origins=np.array(range(len(paths)) if origins is None else origins, np.int64),
        sha256="",
    )
    digests = [_fill(dataset, index, path, nominal_s) for index, path in enumerate(paths)]
    sha256 = hashlib.sha256("".join(digests).encode()).hexdigest()
    return replace(dataset, sha256=sha256)


def _fill(dataset: Dataset, index: int, path: Path, nominal_s: float) -> str:
    """Copy one flight into its rows; return its hash."""
    flight, digest = read_flight(path)
    rows = slice(int(dataset.starts[index]), int(dataset.starts[index + 1]))
    expected = dataset.images.shape[1:]
    if flight.images.shape[1:] != expected:
        raise OutputError(
            f"{path}: images must have shape {expected}, got {flight.images.shape[1:]}"
        )
    dataset.images[rows] = flight.images
    for row, image in zip(range(rows.start, rows.stop), flight.images, strict=True):
        mean, deviation = moments(image)
        dataset.means[row] = mean
        dataset.scales[row] = 1.0 / max(deviation, CONTRAST_FLOOR)
    dataset.imu[rows] = flight.imu
    dataset.labels[rows] = flight.labels
    dataset.elapsed_s[rows] = flight.elapsed_s(nominal_s)
    return digest
