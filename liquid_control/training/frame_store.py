"""Frames of many flights in one memory-mapped folder, fitted to the size of an encoder.

Pictures are the bulk of the data: a memory map keeps them out of the process's own memory and lets
several processes share them. The folder is written once for a list of flights, its index last.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import OutputError
from liquid_control.files import atomic_write, reserve, unwritable
from liquid_control.perception import CameraView, fit
from liquid_control.perception.camera_view import CONTRAST_FLOOR, moments
from liquid_control.training.dataset import frame_count, read_flight
from liquid_control.training.windows import split_flights

INDEX = "frames.json"
COPIED = ("imu", "labels", "inputs", "auxiliary")
COLUMNS = ("images", "means", "scales", "elapsed_s", *COPIED)


@dataclass(frozen=True, slots=True)
class RowsByFlight:
    """Rows of a store, grouped by flight.

    Attributes:
        rows: int64 [R], increasing.
        bounds: int64 [F + 1], where the rows of each of F flights begin, and their end.
    """

    rows: NDArray[np.int64]
    bounds: NDArray[np.int64]

    def draw(self, generator: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Draw rows with replacement, each from a flight drawn before it; increasing.

        So a flight at 60 Hz counts as much as one at 5 Hz: its frames differ less.
        """
        flights = generator.integers(len(self.bounds) - 1, size=count)
        first, end = self.bounds[flights], self.bounds[flights + 1]
        places = first + (generator.random(count) * (end - first)).astype(np.int64)
        return np.sort(self.rows[places])


@dataclass(frozen=True, slots=True)
class FrameStore:
    """Frames of K flights, N in all.

    Attributes:
        images: uint8 [N, H, W, 3].
        means: float32 [N], mean of each picture.
        scales: float32 [N], factor of each picture after its mean is subtracted.
        imu: float32 [N, 6].
        labels: float32 [N, 4], the expert's command.
        inputs: float32 [N, K], all optional inputs.
        auxiliary: float32 [N, A], auxiliary targets; NaN where unknown.
        elapsed_s: float32 [N], time since the frame before.
        starts: int64 [K + 1], first row of each flight.
        sha256: of the flights.
    """

    images: NDArray[np.uint8]
    means: NDArray[np.float32]
    scales: NDArray[np.float32]
    imu: NDArray[np.float32]
    labels: NDArray[np.float32]
    inputs: NDArray[np.float32]
    auxiliary: NDArray[np.float32]
    elapsed_s: NDArray[np.float32]
    starts: NDArray[np.int64]
    sha256: str

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.labels)

    def flights_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the flight of each row."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def flights_in(self, rows: NDArray[np.int64]) -> RowsByFlight:
        """Return increasing rows grouped by flight."""
        _, firsts = np.unique(self.flights_of(rows), return_index=True)
        return RowsByFlight(rows, np.append(firsts, len(rows)))

    def split(self, every: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows to learn from, and those that `split_flights` holds out."""
        split = split_flights(np.arange(len(self.starts) - 1), every)
        flights = self.flights_of(np.arange(self.frames))
        train, validation = (np.isin(flights, part) for part in (split.train, split.validation))
        return np.flatnonzero(train), np.flatnonzero(validation)


def pack_frames(
    folder: Path,
    paths: Sequence[Path],
    height: int,
    width: int,
    nominal_s: float,
    on_flight: Callable[[], None] = lambda: None,
    threads: int = 1,
) -> FrameStore:
    """Write the frames of some flights into a folder, unless it holds them already.

    Args:
        folder: of the store.
        paths: of the flights' files, in order.
        height: rows of the fitted pictures.
        width: columns of the fitted pictures.
        nominal_s: elapsed time of each flight's first frame, s.
        on_flight: called after each flight.
        threads: that read flights at the same time.

    Raises:
        OutputError: a flight is damaged, its pictures are too small, or the disk has no space for
            the frames, of which nothing is left then.
    """
    plan = {"height": height, "width": width, "flights": [str(path.name) for path in paths]}
    index = _read_index(folder)
    if index is not None and index["plan"] == plan:
        return _open(folder, index)
    if not paths:
        raise OutputError(f"{folder}: expected at least one flight, got none")
    folder.mkdir(parents=True, exist_ok=True)
    # The frames of another plan are overwritten: their index must not outlive them.
    (folder / INDEX).unlink(missing_ok=True)
    starts = np.cumsum([0, *(frame_count(path) for path in paths)])
    arrays = _create(folder, int(starts[-1]), read_flight(paths[0])[0], height, width)
    view = CameraView(width, height, 90.0)
    copy = partial(_copy, arrays, view, nominal_s)
    digests = []
    with ThreadPoolExecutor(threads) as pool:
        for digest in pool.map(copy, paths, starts.tolist()):
            digests.append(digest)
            on_flight()
    for array in arrays.values():
        array.flush()
    sha256 = hashlib.sha256("".join(digests).encode()).hexdigest()
    content = {"plan": plan, "starts": starts.tolist(), "sha256": sha256}
    atomic_write(folder / INDEX, json.dumps(content))
    return _open(folder, content)


def _copy(
    arrays: "dict[str, np.memmap[Any, Any]]",
    view: CameraView,
    nominal_s: float,
    path: Path,
    start: int,
) -> str:
    """Copy a flight into its rows; return its hash."""
    flight, digest = read_flight(path)
    rows = slice(start, start + len(flight.labels))
    for row, image in zip(range(rows.start, rows.stop), flight.images, strict=True):
        fitted = fit(image, view)
        mean, deviation = moments(fitted)
        arrays["images"][row] = fitted
        arrays["means"][row] = mean
        arrays["scales"][row] = 1.0 / max(deviation, CONTRAST_FLOOR)
    for name in COPIED:
        arrays[name][rows] = getattr(flight, name)
    arrays["elapsed_s"][rows] = flight.elapsed_s(nominal_s)
    return digest


def _create(
    folder: Path, total: int, first: Any, height: int, width: int
) -> dict[str, "np.memmap[Any, Any]"]:
    shapes: dict[str, tuple[int, ...]] = {
        "images": (height, width, 3),
        "means": (),
        "scales": (),
        "elapsed_s": (),
        **{name: getattr(first, name).shape[1:] for name in COPIED},
    }
    arrays = {}
    try:
        for name in COLUMNS:
            path = folder / f"{name}.npy"
            kind = np.uint8 if name == "images" else np.float32
            shape = (total, *shapes[name])
            arrays[name] = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
            with path.open("r+b") as file:
                reserve(file.fileno(), path.stat().st_size)
    except OSError as error:
        for name in COLUMNS:
            (folder / f"{name}.npy").unlink(missing_ok=True)
        raise unwritable(folder, error) from error
    return arrays


def open_frames(folder: Path, sha256: str) -> FrameStore | None:
    """Return the store in a folder; None if there is none of these flights."""
    index = _read_index(folder)
    return _open(folder, index) if index is not None and index["sha256"] == sha256 else None


def _read_index(folder: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads((folder / INDEX).read_text())
    except (OSError, ValueError):
        return None
    return content


def _open(folder: Path, index: dict[str, Any]) -> FrameStore:
    try:
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="c") for name in COLUMNS}
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder}: is not a store of frames ({error}); delete it") from error
    return FrameStore(**arrays, starts=np.array(index["starts"], np.int64), sha256=index["sha256"])
