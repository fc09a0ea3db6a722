"""Flights on disk: one file each, written whole or not at all, and hashed.

The files are the only truth: what has been flown is what has a file, so a run that was killed goes
on at exactly the flight that is missing.
"""

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import OutputError
from liquid_control.training.atomic import write_whole
from liquid_control.types import NANOSECONDS, FlightResult


@dataclass(frozen=True, slots=True)
class FlightData:
    """One flight as data, a row a delivered frame.

    Attributes:
        stamps_ns: int64 [T], increasing.
        images: uint8 [T, H, W, 3], RGB.
        imu: float32 [T, F], the IMU features that the policy would have had.
        labels: float32 [T, 4], what is to be learned, as `Command.values`: the expert's command,
            or what a bag holds.
        by_expert: bool [T], whether the expert flew at that frame.
        result: how the flight ended; None for a piece of a recorded one.
    """

    stamps_ns: NDArray[np.int64]
    images: NDArray[np.uint8]
    imu: NDArray[np.float32]
    labels: NDArray[np.float32]
    by_expert: NDArray[np.bool_]
    result: FlightResult | None

    def __post_init__(self) -> None:
        count = len(self.stamps_ns)
        if not count:
            raise OutputError("flight data: expected at least one frame, got none")
        for name in ("images", "imu", "labels", "by_expert"):
            if len(getattr(self, name)) != count:
                raise OutputError(
                    f"flight data: {name} must have {count} rows, got {len(getattr(self, name))}"
                )
        if not np.isfinite(self.labels).all():
            raise OutputError("flight data: a command to learn is not finite")

    def elapsed_s(self, nominal_s: float) -> NDArray[np.float32]:
        """Return the time since the frame before, float32 [T]; `nominal_s` for the first."""
        elapsed = np.diff(self.stamps_ns).astype(np.float64) / NANOSECONDS
        return np.concatenate([[nominal_s], elapsed]).astype(np.float32)

    @property
    def digest(self) -> str:
        """SHA-256 of everything in the flight; it does not depend on how the file is packed."""
        hasher = hashlib.sha256()
        for array in (self.stamps_ns, self.images, self.imu, self.labels, self.by_expert):
            hasher.update(f"{array.dtype.str}{array.shape}".encode())
            hasher.update(np.ascontiguousarray(array).tobytes())
        hasher.update(json.dumps(_plain(self.result), sort_keys=True).encode())
        return hasher.hexdigest()


def _plain(result: FlightResult | None) -> dict[str, Any] | None:
    return None if result is None else asdict(result)


def write_flight(path: Path, flight: FlightData) -> None:
    """Write a flight beside its place and move it there, so that no half file is ever seen."""
    head = json.dumps({"result": _plain(flight.result), "sha256": flight.digest})
    write_whole(path, lambda partial: _save(partial, head, flight))


def _save(path: Path, head: str, flight: FlightData) -> None:
    with path.open("wb") as stream:
        np.savez(
            stream,
            head=np.array(head),
            stamps_ns=flight.stamps_ns,
            images=flight.images,
            imu=flight.imu,
            labels=flight.labels,
            by_expert=flight.by_expert,
        )


def frame_count(path: Path) -> int:
    """Return how many frames a flight's file has, without reading its images."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return len(archive["stamps_ns"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def read_flight(path: Path) -> tuple[FlightData, str]:
    """Read a flight and its SHA-256.

    Raises:
        OutputError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            head: dict[str, Any] = json.loads(str(archive["head"]))
            ended = head["result"]
            flight = FlightData(
                archive["stamps_ns"],
                archive["images"],
                archive["imu"],
                archive["labels"],
                archive["by_expert"],
                None if ended is None else FlightResult(**ended),
            )
            return flight, str(head["sha256"])
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> OutputError:
    return OutputError(
        f"{path}: is not a flight that training wrote ({error}); delete it and pass --resume"
    )
