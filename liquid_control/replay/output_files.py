"""Files of a replay: `replay.json` and `replay.npz`, report, video and `timing.json`.

The same replay writes the same bytes, except for `timing.json`.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import datetime, timezone
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.dependencies import require_report
from liquid_control.files import atomic_write
from liquid_control.policy import Policy
from liquid_control.provenance import git_revision, machine
from liquid_control.replay.comparison import AXES, PARTS, Comparison, WorstFrame
from liquid_control.replay.feature_extractor import frame_pictures
from liquid_control.replay.open_loop import OpenLoop
from liquid_control.replay.request import ReplayMetadata, ReplayRequest, replay_metadata
from liquid_control.replay.result import ReplayResult
from liquid_control.replay.tracks import Track
from liquid_control.stopwatch import Timing

SCHEMA = 1


def write_replay_files(
    folder: Path | str,
    request: ReplayRequest,
    result: ReplayResult,
    *,
    video: bool = False,
    command: str | None = None,
) -> None:
    """Write the files of a replay into a folder, which is created where it is missing.

    Args:
        folder: receives replay.json, replay.npz, report.html, and timing.json where the result
            has a timing.
        request: the replay.
        result: its result.
        video: whether to write replay.mp4 too.
        command: the command line in the report; None for `request.command_line()`.

    Raises:
        DependencyError: a package for reports is not installed.
        OutputError: a file cannot be written.
    """
    require_report()
    from liquid_control.replay.replay_report import encode_pictures, write_report
    from liquid_control.replay.replay_video import write_replay_video

    folder, bag = Path(folder), request.bag
    metadata = replay_metadata(request, result.losses, command)
    text = document_text(replay_document(metadata, result))
    atomic_write(folder / "replay.json", text, parents=True)
    write_arrays(folder / "replay.npz", result)
    policy = Policy(request.choice.model)
    begin_ns = request.span.begin_ns(bag)
    pictures = encode_pictures(result, frame_pictures(bag, request.topics, policy, begin_ns))
    weights = request.choice.model.wired_weights
    write_report(folder / "report.html", metadata, result, pictures, weights)
    if video:
        shown = frame_pictures(bag, request.topics, policy, begin_ns)
        write_replay_video(folder / "replay.mp4", bag.path.name, result, shown)
    if result.timing is not None:
        content = json.dumps(_timing_document(result, result.timing), indent=1)
        atomic_write(folder / "timing.json", content + "\n")


def replay_document(metadata: ReplayMetadata, result: ReplayResult) -> dict[str, Any]:
    """Return the content of `replay.json`."""
    replayed, recorded, same = result.replayed, result.recorded, result.identity
    document = {
        "schema": SCHEMA,
        **asdict(metadata),
        "identical": same.identical,
        "identical_parts": same.compared,
        "first_difference": same.first or None,
        "frames": {
            "seen": replayed.frames,
            "answered": len(replayed.track.states),
            "refused": replayed.refused.total(),
            "refusals": dict(sorted(replayed.refused.items())),
            "withheld": replayed.withheld,
            "compared": result.coverage.pairs,
            "covered": result.coverage.covered,
            "min_coverage": result.coverage.minimum,
            "fresh_states": replayed.fresh,
            "first_stamp_ns": result.start_ns,
            "last_stamp_ns": int(recorded.frames.stamp_ns[-1]),
        },
        "policy": _comparison(result.policy),
        "guarded": _comparison(result.guarded),
        "worst_moments": [_worst_frame(frame) for frame in result.worst_frames if frame.axis],
        "path": _path(result.path),
        "intervals": result.intervals,
        "latency": result.latency,
        "guard": {
            "mode": "lockstep" if replayed.lockstep else "realtime",
            "events": {
                event.value: number for event, number in sorted(replayed.guard_events.items())
            },
        },
        "neurons": _neurons(result.replayed.track),
        "picture_shift": result.shift,
        "disturbed": None if result.disturbed is None else _disturbed(result),
    }
    plain: dict[str, Any] = _plain(document)
    return plain


def document_text(document: Mapping[str, Any]) -> str:
    """Return the document as JSON."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _comparison(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    pairing = comparison.pairing
    return {
        "pairs": len(comparison.stamp_ns),
        "by_stamp": pairing.by_stamp,
        "by_time": pairing.by_time,
        "without_partner": pairing.without,
        "axes": comparison.axes,
    }


def _worst_frame(frame: WorstFrame) -> dict[str, Any]:
    return {
        "stamp_ns": frame.stamp_ns,
        "axis": frame.axis,
        "difference": frame.difference,
        "replayed": dict(zip(AXES, frame.replayed, strict=True)),
        "other": None if frame.other is None else dict(zip(AXES, frame.other, strict=True)),
    }


def _path(path: OpenLoop) -> dict[str, Any]:
    return {
        "length_m": path.length_m,
        "replayed_from_other": path.replayed_from_other,
        "published_final_l1_m": path.published_final_l1_m,
        "replayed_from_odometry": path.replayed_from_odometry,
        "other_from_odometry": path.other_from_odometry,
    }


def _neurons(track: Track) -> list[dict[str, Any]]:
    """Return a summary of each neuron over the replay; `replay.npz` has every frame."""
    if not len(track.states):
        return []
    rows: list[dict[str, Any]] = [
        {"name": name, "state": _spread(state)}
        for name, state in zip(track.neuron_names, track.states.values.T, strict=True)
    ]
    for row, gate in zip(rows, track.gates.values.T, strict=False):
        row["gate"] = _spread(gate)
    return rows


def _spread(values: np.ndarray) -> dict[str, float]:
    exact = values.astype(np.float64)
    return {
        "mean": float(exact.mean()),
        "deviation": float(exact.std()),
        "least": float(exact.min()),
        "most": float(exact.max()),
    }


def _disturbed(result: ReplayResult) -> list[dict[str, Any]]:
    return [] if result.disturbed is None else [row.to_dict() for row in result.disturbed.rows]


def _plain(value: Any) -> Any:
    """Return the value in JSON's types; numbers that are not finite become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def write_arrays(path: Path, result: ReplayResult) -> Path:
    """Write commands, neurons, features, paths and picture statistics with their stamps.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays: dict[str, Any] = _track_arrays("replayed", result.replayed.track)
    if result.other is not None:
        arrays |= _track_arrays("other", result.other)
    arrays |= {
        "path/stamp_ns": result.path.stamp_ns,
        "path/replayed": result.path.replayed,
        "frames/stamp_ns": result.recorded.frames.stamp_ns,
        "frames/log_ns": result.recorded.frames.log_ns,
    }
    if result.path.other is not None:
        arrays["path/other"] = result.path.other
    if result.statistics is not None:
        arrays["pictures/stamp_ns"] = result.statistics.stamp_ns
        arrays["pictures/statistics"] = result.statistics.values
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return atomic_write(path, content.getvalue())


def _track_arrays(side: str, track: Track) -> dict[str, Any]:
    arrays: dict[str, Any] = {f"{side}/neuron_names": np.array(track.neuron_names)}
    for part in PARTS:
        series = getattr(track, part)
        if len(series):
            arrays[f"{side}/{part}/stamp_ns"] = series.stamp_ns
            arrays[f"{side}/{part}"] = series.values
    return arrays


def _timing_document(result: ReplayResult, timing: Timing) -> dict[str, Any]:
    """Return the content of `timing.json`: all that differs between equal replays."""
    return {
        "created_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "git_revision": git_revision(),
        "machine": machine(),
        "recorded_s": result.length_s,
        **asdict(timing),
        "times_real_time": result.length_s / timing.wall_s,
        "times_real_time_cpu": result.length_s / timing.cpu_s,
    }
