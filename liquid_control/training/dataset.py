"""Training flights on disk and in memory: one array per quantity, with a hash of all flights."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import OutputError
from liquid_control.files import atomic_write
from liquid_control.perception import INPUTS, input_size
from liquid_control.perception.camera_view import CONTRAST_FLOOR, moments
from liquid_control.perception.picture_distribution import PictureDistribution, picture_statistics
from liquid_control.training.auxiliary import AUXILIARY_SIZE
from liquid_control.types import NANOSECONDS, FlightResult

ARRAYS = ("stamps_ns", "images", "imu", "labels", "by_expert", "inputs", "auxiliary")
"""Arrays of a flight, in files and in its hash."""


@dataclass(frozen=True, slots=True)
class TrainingFlight:
    """One flight as data, a row per delivered frame.

    Attributes:
        stamps_ns: int64 [T], increasing.
        images: uint8 [T, H, W, 3], RGB.
        imu: float32 [T, F], IMU features as the policy receives them.
        labels: float32 [T, 4], commands to learn, as `Command.values`: the expert's, or those of
            a bag.
        by_expert: bool [T], whether the expert flew at that frame.
        result: of the flight; None for a piece of a recorded one.
        inputs: float32 [T, K], all optional inputs, from `perception.known_inputs`; NaN where
            there was no reading.
        auxiliary: float32 [T, A], from `training.auxiliary`; NaN where unknown.
    """

    stamps_ns: NDArray[np.int64]
    images: NDArray[np.uint8]
    imu: NDArray[np.float32]
    labels: NDArray[np.float32]
    by_expert: NDArray[np.bool_]
    result: FlightResult | None
    inputs: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    auxiliary: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def __post_init__(self) -> None:
        count = len(self.stamps_ns)
        widths = {"inputs": input_size(tuple(INPUTS)), "auxiliary": AUXILIARY_SIZE}
        for name, width in widths.items():
            if not getattr(self, name).size:
                unknown = np.full((count, width), np.nan, np.float32)
                object.__setattr__(self, name, unknown)
        if not count:
            raise OutputError("flight data: expected at least one frame, got none")
        for name in ARRAYS[1:]:
            if len(getattr(self, name)) != count:
                raise OutputError(
                    f"flight data: {name} must have {count} rows, got {len(getattr(self, name))}"
                )
        for name, width in widths.items():
            if getattr(self, name).shape[1:] != (width,):
                raise OutputError(
                    f"flight data: {name} must have {width} columns, got "
                    f"{getattr(self, name).shape[-1]}: another version flew them; fly them again"
                )
        if not np.isfinite(self.labels).all():
            raise OutputError("flight data: a command to learn is not finite")

    def elapsed_s(self, nominal_s: float) -> NDArray[np.float32]:
        """Return the time since the frame before, float32 [T]; `nominal_s` for the first."""
        elapsed = np.diff(self.stamps_ns).astype(np.float64) / NANOSECONDS
        return np.concatenate([[nominal_s], elapsed]).astype(np.float32)

    @property
    def digest(self) -> str:
        """SHA-256 of the arrays and the result; it does not depend on the file format."""
        hasher = hashlib.sha256()
        for array in (getattr(self, name) for name in ARRAYS):
            hasher.update(f"{array.dtype.str}{array.shape}".encode())
            hasher.update(np.ascontiguousarray(array).tobytes())
        hasher.update(json.dumps(_plain(self.result), sort_keys=True).encode())
        return hasher.hexdigest()


def _plain(result: FlightResult | None) -> dict[str, Any] | None:
    return None if result is None else asdict(result)


def write_flight(path: Path, flight: TrainingFlight) -> None:
    """Write a flight, atomically."""
    head = json.dumps({"result": _plain(flight.result), "sha256": flight.digest})
    atomic_write(path, lambda partial: _save(partial, head, flight), parents=True)


def _save(path: Path, head: str, flight: TrainingFlight) -> None:
    with path.open("wb") as stream:
        np.savez(
            stream,
            head=np.array(head),
            **{name: getattr(flight, name) for name in ARRAYS},
        )


def frame_count(path: Path) -> int:
    """Return the number of frames in a flight's file, without reading its images."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return len(archive["stamps_ns"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def read_flight(path: Path, pictures: bool = True) -> tuple[TrainingFlight, str]:
    """Read a flight and its SHA-256.

    Args:
        path: of the file.
        pictures: whether to read the pictures; without them `images` is uint8 [T, 0, 0, 3].

    Raises:
        OutputError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            head: dict[str, Any] = json.loads(str(archive["head"]))
            ended = head["result"]
            arrays = {name: archive[name] for name in ARRAYS if pictures or name != "images"}
            if not pictures:
                arrays["images"] = np.empty((len(arrays["stamps_ns"]), 0, 0, 3), np.uint8)
            flight = TrainingFlight(
                **arrays,
                result=None if ended is None else FlightResult(**ended),
            )
            return flight, str(head["sha256"])
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> OutputError:
    return OutputError(
        f"{path}: is not a flight that training wrote ({error}); delete it and pass --resume"
    )


@dataclass(frozen=True, slots=True)
class Dataset:
    """Concatenated flights.

    Attributes:
        images: uint8 [N, H, W, 3], RGB; [N, 0, 0, 3] where `features` replace them.
        features: float32 [2, N, F], features of a frozen encoder, of the pictures and of their
            mirror images; [2, N, 0] without one.
        means: float32 [N], mean of each picture.
        scales: float32 [N], factor that standardises a picture after its mean is subtracted.
        imu: float32 [N, F], features of the IMU.
        labels: float32 [N, 4], the expert's command, as `Command.values`.
        elapsed_s: float32 [N], time since the frame before in the same flight.
        inputs: float32 [N, K], all optional inputs; NaN where there was no reading.
        auxiliary: float32 [N, A], auxiliary targets; NaN where unknown.
        starts: int64 [K + 1], first row of each flight or piece of a flight; the last entry is N.
        origins: int64 [K], index of the flight of each piece; a split keeps its pieces together.
        sha256: of the flights' own hashes, in order.
    """

    images: NDArray[np.uint8]
    features: NDArray[np.float32]
    means: NDArray[np.float32]
    scales: NDArray[np.float32]
    imu: NDArray[np.float32]
    labels: NDArray[np.float32]
    elapsed_s: NDArray[np.float32]
    inputs: NDArray[np.float32]
    auxiliary: NDArray[np.float32]
    starts: NDArray[np.int64]
    origins: NDArray[np.int64]
    sha256: str

    @property
    def pieces(self) -> int:
        """Number of pieces."""
        return len(self.origins)

    @property
    def flights(self) -> int:
        """Number of flights."""
        return len(np.unique(self.origins))

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.labels)

    @property
    def durations_s(self) -> NDArray[np.float64]:
        """Duration of each flight or piece, s, float64 [K]."""
        return np.add.reduceat(self.elapsed_s.astype(np.float64), self.starts[:-1])


def load_dataset(
    paths: Sequence[Path],
    nominal_s: float,
    origins: Sequence[int] | None = None,
    encode: Callable[[Path], NDArray[np.float32]] | None = None,
) -> Dataset:
    """Read flights in the given order into arrays.

    Args:
        paths: of the flights' files, at least one.
        nominal_s: elapsed time of each flight's first frame.
        origins: index of the flight that each file is a piece of; None if each file is a flight.
        encode: features of a flight's file, float32 [2, T, F], which replace its pictures; None to
            keep the pictures.

    Raises:
        OutputError: a file is damaged, or its images differ in shape from the others.
    """
    starts = np.cumsum([0, *(frame_count(path) for path in paths)]).astype(np.int64)
    first, _ = read_flight(paths[0], pictures=encode is None)
    total = int(starts[-1])
    width = 0 if encode is None else encode(paths[0]).shape[2]
    shape = first.images.shape[1:] if encode is None else (0, 0, 3)
    dataset = Dataset(
        images=np.empty((total, *shape), np.uint8),
        features=np.empty((2, total, width), np.float32),
        means=np.empty(total, np.float32),
        scales=np.empty(total, np.float32),
        imu=np.empty((total, *first.imu.shape[1:]), np.float32),
        labels=np.empty((total, 4), np.float32),
        elapsed_s=np.empty(total, np.float32),
        inputs=np.empty((total, *first.inputs.shape[1:]), np.float32),
        auxiliary=np.empty((total, *first.auxiliary.shape[1:]), np.float32),
        starts=starts,
        origins=np.array(range(len(paths)) if origins is None else origins, np.int64),
        sha256="",
    )
    digests = [_fill(dataset, index, path, nominal_s, encode) for index, path in enumerate(paths)]
    sha256 = hashlib.sha256("".join(digests).encode()).hexdigest()
    return replace(dataset, sha256=sha256)


def _fill(
    dataset: Dataset,
    index: int,
    path: Path,
    nominal_s: float,
    encode: Callable[[Path], NDArray[np.float32]] | None,
) -> str:
    """Copy one flight into its rows; return its hash."""
    flight, digest = read_flight(path, pictures=encode is None)
    rows = slice(int(dataset.starts[index]), int(dataset.starts[index + 1]))
    if encode is None:
        _fill_pictures(dataset, rows, flight, path)
    else:
        dataset.features[:, rows] = encode(path)
    dataset.imu[rows] = flight.imu
    dataset.labels[rows] = flight.labels
    dataset.inputs[rows] = flight.inputs
    dataset.auxiliary[rows] = flight.auxiliary
    dataset.elapsed_s[rows] = flight.elapsed_s(nominal_s)
    return digest


def _fill_pictures(dataset: Dataset, rows: slice, flight: TrainingFlight, path: Path) -> None:
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


MEASURED_FLIGHTS = 120


def picture_distribution(paths: Sequence[Path], source: str) -> PictureDistribution:
    """Return the distribution over the pictures of some flights.

    Of more than `MEASURED_FLIGHTS` flights, that many are measured, evenly spaced.

    Args:
        paths: of the flights' files, at least one.
        source: of the pictures, in one line.

    Raises:
        OutputError: a file is damaged.
    """
    count = min(len(paths), MEASURED_FLIGHTS)
    paths = [paths[index * len(paths) // count] for index in range(count)]
    values = [
        np.stack([picture_statistics(image) for image in read_flight(path)[0].images])
        for path in paths
    ]
    return PictureDistribution.of(np.concatenate(values), source)
