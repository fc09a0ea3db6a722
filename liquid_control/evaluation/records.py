"""Flight records on disk: one compressed `.npz` per flight, validated when read."""

import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from liquid_control.errors import OutputError
from liquid_control.files import atomic_write
from liquid_control.types import FlightRecord, FlightResult

_WIDTHS: dict[str, int | None] = {
    "stamp_ns": None,
    "position": 3,
    "quaternion": 4,
    "velocity": 3,
    "command": 4,
    "framed": None,
    "wind": 3,
    "progress_m": None,
    "cross_track_m": None,
    "clearance_m": None,
}
"""Second dimension of each array; None for one-dimensional arrays."""

_DTYPES: dict[str, type] = {"stamp_ns": np.int64, "framed": np.bool_}
"""Types other than float64."""


def save_record(path: Path, record: FlightRecord) -> Path:
    """Write a record, atomically.

    Raises:
        OutputError: the folder cannot be written to.
    """
    arrays: dict[str, Any] = {name: np.asarray(getattr(record, name)) for name in _WIDTHS}
    arrays["result"] = np.array(json.dumps(asdict(record.result)))
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return atomic_write(path, content.getvalue(), parents=True)


def load_record(path: Path) -> FlightRecord:
    """Read a record.

    Raises:
        OutputError: the file is missing, is not a record, or its arrays have inconsistent shapes.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except OSError as error:
        raise OutputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (BadZipFile, ValueError, EOFError) as error:
        raise OutputError(f"{path}: is not a flight record (.npz)") from error
    missing = sorted({*_WIDTHS, "result"} - set(arrays))
    if missing:
        raise OutputError(f"{path}: is not a flight record, it lacks {', '.join(missing)}")
    _check(path, arrays)
    result = _result(path, str(arrays["result"]))
    return FlightRecord(result=result, **{name: arrays[name] for name in _WIDTHS})


def _check(path: Path, arrays: dict[str, Any]) -> None:
    rows = len(arrays["stamp_ns"]) if arrays["stamp_ns"].ndim else 0
    for name, width in _WIDTHS.items():
        shape = (rows,) if width is None else (rows, width)
        dtype = np.dtype(_DTYPES.get(name, np.float64))
        if arrays[name].shape != shape or arrays[name].dtype != dtype:
            raise OutputError(
                f"{path}: {name} must be {dtype} {list(shape)}, "
                f"got {arrays[name].dtype} {list(arrays[name].shape)}"
            )
    if rows == 0 or (np.diff(arrays["stamp_ns"]) <= 0).any():
        raise OutputError(f"{path}: stamp_ns must hold at least one stamp and advance")


def _result(path: Path, text: str) -> FlightResult:
    names = {field.name for field in fields(FlightResult)}
    try:
        content = json.loads(text)
    except ValueError as error:
        raise OutputError(f"{path}: its result is not JSON") from error
    if not isinstance(content, dict) or set(content) != names:
        raise OutputError(f"{path}: its result must have the keys {', '.join(sorted(names))}")
    return FlightResult(**content)
