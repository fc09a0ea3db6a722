"""The page of a flight in simulation: plots, map, neurons and markers from `FlightData`."""

import numpy as np

from liquid_control.evaluation.flight_data import FlightData, NeuronTrack
from liquid_control.evaluation.flight_video import TRAIL_WIDTH_M
from liquid_control.evaluation.result_tables import metres
from liquid_control.frames import heading_from_world, heading_of
from liquid_control.liquid.time_constants import time_constants
from liquid_control.liquid.weights import Mode
from liquid_control.pages.flight_view import (
    COMMAND_AXES,
    FlightView,
    MapPath,
    MapView,
    Marker,
    NeuronView,
    Plot,
    PlotGroup,
    Trace,
    WiringView,
    neuron_maps,
)
from liquid_control.pages.guard_markers import CommandChanges, guard_markers, guard_periods
from liquid_control.pages.picture_track import picture_track, saliency_track
from liquid_control.types import Floats


def flight_view(flight: FlightData) -> FlightView:
    """Return what the page of a flight shows."""
    result = flight.record.result
    seconds = flight.seconds(flight.record.stamp_ns)
    frames, pictures, saliency = flight.frames, None, None
    if frames is not None and frames.images:
        clock = flight.seconds(frames.stamp_ns)
        pictures = picture_track(clock, frames.images)
        saliency = None if flight.saliency is None else saliency_track(clock, flight.saliency)
    return FlightView(
        title=flight.title,
        subtitle=f"{flight.model} · seed {flight.seed}",
        outcome=result.reason.replace("_", " "),
        succeeded=result.success,
        facts=(*_facts(flight), *flight.facts),
        end_s=float(seconds[-1]),
        groups=(_commands(flight, seconds), _margins(flight, seconds)),
        markers=tuple(flight_markers(flight)),
        map=_map(flight, seconds),
        pictures=pictures,
        saliency=saliency,
        neurons=None if flight.neurons is None else _neurons(flight, flight.neurons),
        wiring=_wiring(flight),
        links=flight.links,
    )


def _facts(flight: FlightData) -> tuple[tuple[str, str], ...]:
    record, result = flight.record, flight.record.result
    wind = np.linalg.norm(record.wind, axis=1)
    speed = result.distance_m / result.duration_s if result.duration_s > 0 else 0.0
    return (
        ("distance", f"{result.distance_m:.1f} m of {flight.map.length_m:.0f} m"),
        ("time", f"{result.duration_s:.1f} s"),
        ("speed along the trail", f"{speed:.2f} m/s"),
        ("cross-track RMS", metres(result.cross_track_rms_m)),
        ("least clearance", finite_metres(result.min_clearance_m)),
        ("wind, mean and peak", f"{wind.mean():.1f}, {wind.max():.1f} m/s"),
    )


def finite_metres(value: float | None) -> str:
    """Return a distance; a dash where there is none."""
    return "-" if value is None or not np.isfinite(value) else metres(value)


def flight_markers(flight: FlightData) -> list[Marker]:
    """Return the instants of a flight that an engineer looks at first.

    They are start and end, the closest tree, the strongest wind, the largest distance from the
    trail, and the periods in which a rule of the guard acted.
    """
    record = flight.record
    seconds = flight.seconds(record.stamp_ns)
    wind = np.linalg.norm(record.wind, axis=1)
    markers = [
        Marker(0.0, "start"),
        Marker(float(seconds[-1]), record.result.reason.replace("_", " ")),
    ]
    if np.isfinite(record.clearance_m).any():
        tick = int(np.argmin(record.clearance_m))
        markers.append(_at(seconds, tick, f"closest tree, {metres(record.clearance_m[tick])}"))
    if wind.max() > 0.0:
        tick = int(np.argmax(wind))
        markers.append(_at(seconds, tick, f"strongest wind, {wind[tick]:.1f} m/s"))
    tick = int(np.argmax(np.abs(record.cross_track_m)))
    farthest = abs(float(record.cross_track_m[tick]))
    markers.append(_at(seconds, tick, f"farthest from the trail, {farthest:.2f} m"))
    return markers + _guard(flight)


def _guard(flight: FlightData) -> list[Marker]:
    periods = guard_periods(
        flight.guard or (), lambda stamp_ns: float(flight.seconds(np.array(stamp_ns)))
    )
    end_s = float(flight.seconds(flight.record.stamp_ns)[-1])
    track, changes = flight.commands, None
    if track is not None:
        changes = CommandChanges(flight.seconds(track.stamp_ns), track.policy, track.guarded)
    return guard_markers(periods, changes, end_s)


def _at(seconds: Floats, tick: int, text: str) -> Marker:
    return Marker(float(seconds[tick]), text)


def flown_motion(flight: FlightData) -> Floats:
    """Return the flown velocities in the form of `Command.values`, float64 [T, 4]."""
    record = flight.record
    headings = _headings(flight)
    velocity = np.array(
        [
            heading_from_world(velocity, heading)
            for velocity, heading in zip(record.velocity, headings, strict=True)
        ]
    )
    elapsed = flight.seconds(record.stamp_ns)
    turning = np.gradient(np.unwrap(headings), elapsed) if len(elapsed) > 1 else np.zeros(1)
    return np.column_stack([velocity, turning])


def _headings(flight: FlightData) -> Floats:
    return np.array([heading_of(quaternion) for quaternion in flight.record.quaternion])


def _commands(flight: FlightData, seconds: Floats) -> PlotGroup:
    flown, track = flown_motion(flight), flight.commands
    clock = None if track is None else flight.seconds(track.stamp_ns)
    plots = []
    for column, (name, span) in enumerate(COMMAND_AXES):
        traces = [Trace("flown", seconds, flown[:, column], "muted")]
        if track is not None and clock is not None:
            traces.append(Trace("policy", clock, track.policy[:, column], "orange", steps=True))
        commanded = flight.record.command[:, column]
        traces.append(Trace("commanded", seconds, commanded, "blue", steps=True))
        plots.append(Plot(name, span, tuple(traces)))
    caption = "Heading frame. Commanded: after the guard; red where one of its rules acted."
    return PlotGroup("Commands", tuple(plots), caption, guarded=True)


def _margins(flight: FlightData, seconds: Floats) -> PlotGroup:
    record = flight.record
    height = record.position[:, 2]
    middle = float(np.median(height))
    wind = np.linalg.norm(record.wind, axis=1)
    plots = (
        Plot("wind at the vehicle, m/s", (0.0, 1.0), (Trace("wind", seconds, wind, "orange"),)),
        Plot(
            "cross-track, left of the trail positive, m",
            (-0.5, 0.5),
            (Trace("cross-track", seconds, record.cross_track_m, "blue"),),
        ),
        Plot(
            "clearance to the nearest tree, m",
            (0.0, 1.0),
            (Trace("clearance", seconds, record.clearance_m, "green"),),
        ),
        Plot(
            "height, m",
            (middle - 0.3, middle + 0.3),
            (Trace("height", seconds, height, "purple"),),
        ),
    )
    return PlotGroup("Wind and margins", plots)


def _map(flight: FlightData, seconds: Floats) -> MapView:
    ground, record = flight.map, flight.record
    path = MapPath("flown", seconds, record.position[:, :2], _headings(flight))
    return MapView(
        paths=(path,),
        trail=ground.trail,
        corridor_m=ground.lateral_limit_m,
        trail_width_m=TRAIL_WIDTH_M,
        trunks=ground.trunks,
        bars=ground.bars,
        targets=ground.targets,
        wind=record.wind[:, :2],
    )


def _neurons(flight: FlightData, neurons: NeuronTrack) -> NeuronView:
    weights, constants = flight.weights, None
    if weights is not None and neurons.features is not None and weights.mode is not Mode.PURE:
        constants = time_constants(weights, neurons.features, neurons.state)
    maps = neuron_maps(neurons.state, neurons.gate, constants)
    return NeuronView(neurons.names, flight.seconds(neurons.stamp_ns), maps)


def _wiring(flight: FlightData) -> WiringView | None:
    if flight.neurons is None or flight.weights is None:
        return None
    return WiringView(flight.weights.wiring, flight.neurons.features)
