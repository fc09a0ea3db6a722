"""The files of an inspection: data for other programs, pictures, and a video.

`FlightInspection` is what a page or a viewer needs of one flight: every array has one row for each
frame.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.files import atomic_write
from liquid_control.inspection import saliency
from liquid_control.inspection.contributions import contributions_of_all
from liquid_control.inspection.flight import (
    AXES,
    Array,
    InspectedFlight,
    time_constants,
    with_quantities,
)
from liquid_control.inspection.moment import Explanation, moment_document
from liquid_control.inspection.neurons import NeuronFindings, component_shares, findings
from liquid_control.inspection.retrace import picture_quantities
from liquid_control.journal import plain
from liquid_control.pages.picture_track import saliency_overlay
from liquid_control.policy import Policy
from liquid_control.types import Floats

STILLS = 8
"""Frames of the overlay picture."""


@dataclass(frozen=True, slots=True, eq=False)
class FlightInspection:
    """Everything about one flight, by frame; no HTML.

    Attributes:
        policy: the policy.
        flight: stamps, pictures, features, states, gates, commands, poses, quantities.
        time_constants: effective, float64 [T, S], s; None for a core other than the wired CfC.
        method: of the maps.
        target: what the maps explain.
        map_frames: int64 [M], indices of the frames with a map.
        maps: float32 [M, H, W].
        by_feature: contribution of each feature to the change of each command over the last
            second, float64 [T, 4, F]; None for a core other than the wired CfC.
        by_neuron: what of it passed through each neuron, float64 [T, 4, S]; None likewise.
        health: dead and duplicate neurons.
        shares: of the principal components of the states, float64 [S].
        missing: what this core does not have, and what is still there; empty for a wired CfC.
    """

    policy: Policy
    flight: InspectedFlight
    time_constants: Floats | None
    method: str
    target: str
    map_frames: np.ndarray
    maps: Array
    by_feature: Floats | None
    by_neuron: Floats | None
    health: NeuronFindings
    shares: Floats
    missing: tuple[str, ...]


def inspect(
    policy: Policy,
    flight: InspectedFlight,
    *,
    method: str = saliency.VISUAL_BACKPROP,
    target: str = saliency.FEATURES,
    every_map: bool = True,
    every_contribution: bool = True,
) -> FlightInspection:
    """Return the inspection of a flight.

    Args:
        policy: the policy.
        flight: of it, from `open_flight`.
        method: of the maps, one of `saliency.METHODS`.
        target: what they explain: `features`, or a command axis.
        every_map: whether every frame has a map, or only `STILLS` of them.
        every_contribution: whether contributions are computed at every frame.

    Raises:
        ConfigError: the method does not exist, or has no maps for the target.
        DependencyError: captum is needed and not installed.
    """
    make = saliency.map_maker(policy.model, method, target)
    wired = policy.model.settings.core.wiring is not None
    frames = list(range(len(flight))) if every_map else saliency.evenly(len(flight), STILLS)
    parts = _contributions(policy, flight) if wired and every_contribution else (None, None)
    return FlightInspection(
        policy=policy,
        flight=with_quantities(flight, picture_quantities(flight)),
        time_constants=time_constants(policy, flight),
        method=method,
        target=target,
        map_frames=np.array(frames),
        maps=saliency.maps_of(make, flight, frames),
        by_feature=parts[0],
        by_neuron=parts[1],
        health=findings([flight]),
        shares=component_shares([flight]),
        missing=missing_of(policy),
    )


def missing_of(policy: Policy) -> tuple[str, ...]:
    """Return what the inspection of a model cannot show, and what is still there, in one line."""
    core = policy.model.settings.core
    if core.wiring is not None:
        return ()
    return (
        f"core {core.kind} has no time gates, time constants, wiring or contributions through "
        "neurons; saliency maps, states, features and what-ifs are there (a clamped state acts "
        "from the next frame on), and so are lesions, decoders and measures",
    )


def _contributions(policy: Policy, flight: InspectedFlight) -> tuple[Floats, Floats]:
    """Return contributions over the last second at every frame; zeros at fresh starts."""
    count, axes = len(flight), len(AXES)
    features = np.zeros((count, axes, len(flight.feature_names)))
    neurons = np.zeros((count, axes, len(flight.state_names)))
    for found in contributions_of_all(policy.model, flight):
        features[found.frame] = found.features.sum(axis=1)
        neurons[found.frame] = found.neurons
    return features, neurons


def inspection_document(
    found: FlightInspection, moments: Sequence[Explanation] = ()
) -> dict[str, Any]:
    """Return an inspection as plain data for JSON; equal inspections give equal data."""
    flight, model = found.flight, found.policy.model
    return {
        "schema": 1,
        "flight": flight.name,
        "model": {"name": model.name, "core": model.settings.core.kind},
        "frames": len(flight),
        "seconds": float(flight.seconds[-1]),
        "refused": dict(flight.refused),
        "saliency": {
            "method": found.method,
            "target": found.target,
            "frames": len(found.maps),
        },
        "missing": list(found.missing),
        "neurons": {
            "names": list(flight.state_names),
            "dead": list(found.health.dead),
            "duplicates": [list(pair) for pair in found.health.duplicates],
            "first_component": float(found.shares[0]),
            "median_time_constant_s": None
            if found.time_constants is None
            else dict(
                zip(
                    flight.state_names,
                    np.median(found.time_constants, axis=0).tolist(),
                    strict=True,
                )
            ),
        },
        "moments": [moment_document(moment, flight) for moment in moments],
    }


def write_inspection(
    folder: Path,
    found: FlightInspection,
    *,
    moment: Explanation | None = None,
    axis: int = AXES.index("yaw"),
    extra: Mapping[str, Any] | None = None,
    video: bool = False,
) -> list[Path]:
    """Write the files of an inspection; return their paths.

    inspection.json, inspection.npz, overlay.png and neurons.png; with a moment also moment.png and
    wiring.png; with `video` also saliency.mp4. All but the video have the same bytes each time.

    Args:
        folder: for the files.
        found: the inspection.
        moment: what a command came from, by `moment_of`.
        axis: of the command in moment.png and wiring.png.
        extra: further entries of inspection.json.
        video: whether to write the video.

    Raises:
        OutputError: a file cannot be written.
    """
    from liquid_control.inspection import figures, overlay

    flight = found.flight
    document = inspection_document(found, [] if moment is None else [moment]) | dict(extra or {})
    text = json.dumps(plain(document), indent=1, allow_nan=False) + "\n"
    written = [
        atomic_write(folder / "inspection.json", text),
        atomic_write(folder / "inspection.npz", arrays_of(found)),
        overlay.write_picture(folder / "overlay.png", _stills(found)),
    ]
    marked_s = None if moment is None else moment.seconds
    neurons = figures.neurons_figure(flight, found.time_constants, marked_s)
    written.append(figures.save(neurons, folder / "neurons.png"))
    if moment is not None:
        why = figures.moment_figure(moment, flight, axis)
        written.append(figures.save(why, folder / "moment.png"))
    if moment is not None and moment.second is not None:
        wiring = figures.activity_figure(
            found.policy.model.settings.core.circuit,
            moment.second,
            flight.states[moment.frame].astype(np.float64),
            axis,
            f"{AXES[axis]}: what passed in the second before {moment.seconds:.2f} s",
        )
        written.append(figures.save(wiring, folder / "wiring.png"))
    if video:
        written.append(overlay.write_overlay_video(folder / "saliency.mp4", flight, found.maps))
    return written


def arrays_of(found: FlightInspection) -> bytes:
    """Return the arrays of an inspection as an npz archive, without pictures."""
    flight = found.flight
    named = {
        "stamp_ns": flight.stamp_ns,
        "seconds": flight.seconds,
        "commands": flight.commands,
        "features": flight.features,
        "feature_names": np.array(flight.feature_names),
        "states": flight.states,
        "state_names": np.array(flight.state_names),
        "gates": flight.gates,
        "time_constants": found.time_constants,
        "map_frames": found.map_frames,
        "maps": found.maps.astype(np.float16),
        "by_feature": found.by_feature,
        "by_neuron": found.by_neuron,
        **{f"quantity.{name}": values for name, values in flight.quantities.items()},
    }
    buffer = io.BytesIO()
    kept: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    np.savez_compressed(buffer, **kept)
    return buffer.getvalue()


def _stills(found: FlightInspection) -> np.ndarray:
    """Return pictures above their overlays, four to a row."""
    from liquid_control.inspection.overlay import SCALE, contact_sheet

    places = saliency.evenly(len(found.maps), STILLS)
    rows: list[list[np.ndarray]] = []
    for start in range(0, len(places), 4):
        chosen = places[start : start + 4]
        pictures = [found.flight.pictures[found.map_frames[place]] for place in chosen]
        rows.append([np.kron(p, np.ones((4, 4, 1), np.uint8)) for p in pictures])
        found_maps = zip(pictures, (found.maps[k] for k in chosen), strict=True)
        rows.append([saliency_overlay(one, values, SCALE) for one, values in found_maps])
    return contact_sheet(rows)
