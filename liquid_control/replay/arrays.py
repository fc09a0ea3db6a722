"""`replay.npz`: every frame of a replay as arrays, for whoever wants to look closer."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.errors import OutputError
from liquid_control.replay.judgement import Judgement
from liquid_control.replay.track import Track


def write_arrays(path: Path, judgement: Judgement) -> Path:
    """Write commands, neurons, features, paths and statistics by stamp, whole.

    Raises:
        OutputError: the folder cannot be written to.
    """
    arrays: dict[str, Any] = _of_track("replayed", judgement.replayed.track)
    if judgement.other is not None:
        arrays |= _of_track("other", judgement.other)
    arrays |= {
        "path/stamp_ns": judgement.path.stamp_ns,
        "path/replayed": judgement.path.ours,
        "frames/stamp_ns": judgement.recorded.frames.stamp_ns,
        "frames/log_ns": judgement.recorded.frames.log_ns,
    }
    if judgement.path.theirs is not None:
        arrays["path/other"] = judgement.path.theirs
    if judgement.statistics is not None:
        arrays["pictures/stamp_ns"] = judgement.statistics.stamp_ns
        arrays["pictures/statistics"] = judgement.statistics.values
    return _write(path, arrays)


def _of_track(side: str, track: Track) -> dict[str, Any]:
    arrays: dict[str, Any] = {f"{side}/neuron_names": np.array(track.neuron_names)}
    for part in ("policy", "guarded", "features", "states", "gates"):
        series = getattr(track, part)
        if len(series):
            arrays[f"{side}/{part}/stamp_ns"] = series.stamp_ns
            arrays[f"{side}/{part}"] = series.values
    return arrays


def _write(path: Path, arrays: dict[str, Any]) -> Path:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content.getvalue())
        beside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    return path
