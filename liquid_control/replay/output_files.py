"""`replay.json`: the judgement as plain data, the same bytes for the same replay."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime, timezone
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from liquid_control.errors import OutputError
from liquid_control.replay.comparison import AXES, Comparison
from liquid_control.replay.open_loop import OpenLoop
from liquid_control.replay.result import ReplayResult
from liquid_control.replay.tracks import Track
from liquid_control.replay.worst_frames import WorstFrame
from liquid_control.stopwatch import Timing

if TYPE_CHECKING:
    from liquid_control.cli.disturb import Disturbing
    from liquid_control.replay.request import Asked
    from liquid_control.replay.result import ReplayResult


SCHEMA = 1


@dataclass(frozen=True, slots=True)
class About:
    """What was replayed with what; names only, so that the same replay is the same anywhere.

    Attributes:
        command: words of an equal command line.
        bag: `{"files": [{"name", "size_bytes", "sha256"}]}` in order.
        topics: name by role.
        model: `{"name", "sha256"}`, of its weights.
        recorded_model: the same as the bag tells it; None where it does not.
        backend: of the controller.
        against: what was compared with.
        span: `{"start_s", "duration_s"}` of the bag that was asked for, None for all.
        versions: of packages by name.
        losses: what of the bag could not be used, a line a kind.
    """

    command: str
    bag: Mapping[str, Any]
    topics: Mapping[str, str]
    model: Mapping[str, str]
    recorded_model: Mapping[str, str] | None
    backend: str
    against: str
    span: Mapping[str, float | None]
    versions: Mapping[str, str]
    losses: Sequence[str]


def replay_document(about: About, judgement: ReplayResult) -> dict[str, Any]:
    """Return the content of `replay.json`."""
    replayed, recorded, same = judgement.replayed, judgement.recorded, judgement.identity
    document = {
        "schema": SCHEMA,
        **asdict(about),
        "identical": same.identical,
        "identical_parts": same.compared,
        "first_difference": same.first or None,
        "frames": {
            "seen": replayed.frames,
            "answered": len(replayed.track.states),
            "refused": replayed.refused.total(),
            "refusals": dict(sorted(replayed.refused.items())),
            "withheld": replayed.withheld,
            "fresh_states": replayed.fresh,
            "first_stamp_ns": judgement.start_ns,
            "last_stamp_ns": int(recorded.frames.stamp_ns[-1]),
        },
        "policy": _comparison(judgement.policy),
        "guarded": _comparison(judgement.guarded),
        "worst_moments": [_moment(moment) for moment in judgement.worst_frames if moment.axis],
        "path": _path(judgement.path),
        "intervals": judgement.intervals,
        "latency": judgement.latency,
        "guard": {
            "mode": "lockstep" if replayed.lockstep else "realtime",
            "events": {
                event.value: number for event, number in sorted(replayed.guard_events.items())
            },
        },
        "neurons": _neurons(judgement),
        "picture_shift": judgement.shift,
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


def _moment(moment: WorstFrame) -> dict[str, Any]:
    return {
        "stamp_ns": moment.stamp_ns,
        "axis": moment.axis,
        "difference": moment.difference,
        "replayed": dict(zip(AXES, moment.ours, strict=True)),
        "other": None if moment.theirs is None else dict(zip(AXES, moment.theirs, strict=True)),
    }


def _path(path: OpenLoop) -> dict[str, Any]:
    return {
        "length_m": path.length_m,
        "replayed_from_other": path.apart,
        "published_final_l1_m": path.published_final_l1_m,
        "replayed_from_odometry": path.ours_from_odometry,
        "other_from_odometry": path.theirs_from_odometry,
    }


def _neurons(judgement: ReplayResult) -> list[dict[str, Any]]:
    """Return a summary of each neuron over the replay; `replay.npz` has every frame."""
    track = judgement.replayed.track
    if not len(track.states):
        return []
    return [
        {"name": name, "state": _spread(state), "gate": _spread(gate)}
        for name, state, gate in zip(
            track.neuron_names, track.states.values.T, track.gates.values.T, strict=True
        )
    ]


def _spread(values: np.ndarray) -> dict[str, float]:
    exact = values.astype(np.float64)
    return {
        "mean": float(exact.mean()),
        "deviation": float(exact.std()),
        "least": float(exact.min()),
        "most": float(exact.max()),
    }


def _plain(value: Any) -> Any:
    """Return the value as JSON knows it; numbers that are not finite become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def write_arrays(path: Path, judgement: ReplayResult) -> Path:
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


def write_files(
    folder: Path,
    asked: "Asked",
    told: "About",
    judgement: "ReplayResult",
    timing: Timing,
    video: bool,
    disturbed: "Disturbing | None",
) -> None:
    """Write all files of a replay.

    Args:
        folder: where to.
        asked: what was replayed.
        told: the same by names and hashes.
        judgement: how it came out.
        timing: how long the pass over the bag took.
        video: whether to write the film too.
        disturbed: the same flight with disturbed pictures; None where none were asked for.

    Raises:
        OutputError: the folder cannot be written to.
    """
    from liquid_control.pages.page import write_whole
    from liquid_control.policy import Policy
    from liquid_control.replay.replay_report import write_report
    from liquid_control.replay.replay_video import write_replay_video
    from liquid_control.replay.worst_frames import frame_pictures, pictures_of

    section = None if disturbed is None else disturbed.section(judgement.start_ns)
    document = replay_document(told, judgement)
    document["disturbed"] = None if section is None else section.rows
    write_whole(folder / "replay.json", document_text(document))
    write_arrays(folder / "replay.npz", judgement)
    policy = Policy(asked.choice.model)
    stamps = {moment.stamp_ns for moment in judgement.worst_frames}
    frames = judgement.recorded.frames
    pictures = pictures_of(asked.bag, asked.topics, policy, frames, stamps)
    write_report(folder / "report.html", told, judgement, pictures, section)
    if video:
        begin_ns = asked.span.begin_ns(asked.bag)
        shown = frame_pictures(asked.bag, asked.topics, policy, begin_ns)
        write_replay_video(folder / "replay.mp4", asked.bag.path.name, judgement, shown)
    content = _timing(judgement, timing)
    write_whole(folder / "timing.json", json.dumps(content, indent=1) + "\n")


def _timing(judgement: "ReplayResult", timing: Timing) -> dict[str, Any]:
    """Return what differs from one replay to the next."""
    from liquid_control.provenance import git_revision, machine

    length_s = recorded_s(judgement)
    return {
        "created_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "git_revision": git_revision(),
        "machine": machine(),
        "recorded_s": length_s,
        **asdict(timing),
        "times_real_time": length_s / timing.wall_s,
        "times_real_time_cpu": length_s / timing.cpu_s,
    }


def recorded_s(judgement: "ReplayResult") -> float:
    """Return how long the frames took to be filed, s, whatever their stamps did."""
    filed = judgement.recorded.frames.log_ns
    return float(filed[-1] - filed[0]) * 1e-9
