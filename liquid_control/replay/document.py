"""`replay.json`: the judgement as plain data, the same bytes for the same replay."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from math import isfinite
from typing import Any

import numpy as np

from liquid_control.replay.comparison import AXES, Comparison
from liquid_control.replay.judgement import Judgement
from liquid_control.replay.moments import Moment
from liquid_control.replay.open_loop import OpenLoop

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


def replay_document(about: About, judgement: Judgement) -> dict[str, Any]:
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
        "worst_moments": [_moment(moment) for moment in judgement.moments if moment.axis],
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


def _moment(moment: Moment) -> dict[str, Any]:
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


def _neurons(judgement: Judgement) -> list[dict[str, Any]]:
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
