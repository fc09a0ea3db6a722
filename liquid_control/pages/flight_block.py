"""A flight's view as the block of data that its page reads."""

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.pages.data_block import decode_block, encode_block
from liquid_control.pages.flight_view import (
    FlightView,
    MapView,
    Marker,
    NeuronView,
    PlotGroup,
    Trace,
    WiringView,
)
from liquid_control.pages.picture_track import PictureTrack
from liquid_control.types import Floats

POINTS = 20_000
"""Largest number of points of a line; a longer line is thinned."""
FRAMES = 6_000
"""Largest number of frames with neurons; of more, every n-th is kept."""
MAX_ROWS = 48
"""Of a longer state, such as the window of a convolution, evenly spaced numbers are shown."""
_SHAPES = ("trail", "trunks", "bars", "targets")


def flight_block(view: FlightView) -> str:
    """Return a flight as an element of a page.

    Raises:
        OutputError: a number of the metadata is not finite.
    """
    store = _Store()
    content = {
        "title": view.title,
        "subtitle": view.subtitle,
        "outcome": view.outcome,
        "succeeded": view.succeeded,
        "facts": list(view.facts),
        "links": list(view.links),
        "end_s": view.end_s,
        "groups": [_group(store, group) for group in view.groups],
        "markers": [_marker(one) for one in sorted(view.markers, key=lambda m: m.seconds)],
        "map": None if view.map is None else _map(store, view.map),
        "pictures": _pictures(store, view.pictures),
        "saliency": _pictures(store, view.saliency),
        "neurons": None if view.neurons is None else _neurons(store, view.neurons),
        "wiring": None if view.wiring is None else _wiring(store, view.wiring, view.neurons),
    }
    return encode_block(content, store.arrays)


def surroundings(element: str) -> MapView | None:
    """Return the map of a flight's element without its paths; None if it has no map.

    Raises:
        OutputError: the element is damaged.
    """
    content, arrays = decode_block(element)
    shown = content["map"]
    if shown is None:
        return None
    shapes = {name: arrays[shown[name]].astype(np.float64) for name in _SHAPES}
    widths = {name: shown[name] for name in ("corridor_m", "trail_width_m")}
    return MapView((), **shapes, **widths)


class _Store:
    """Collects arrays; the content of a block refers to them by index."""

    def __init__(self) -> None:
        self.arrays: list[NDArray[Any]] = []

    def add(self, array: NDArray[Any], kind: type[np.generic] = np.float32) -> int:
        self.arrays.append(np.asarray(array, kind))
        return len(self.arrays) - 1


def _group(store: _Store, group: PlotGroup) -> dict[str, Any]:
    plots = [
        {
            "title": plot.title,
            "span": list(plot.span),
            "traces": [_trace(store, trace) for trace in plot.traces],
        }
        for plot in group.plots
    ]
    caption, guarded = group.caption, group.guarded
    return {"title": group.title, "plots": plots, "caption": caption, "guarded": guarded}


def _trace(store: _Store, trace: Trace) -> dict[str, Any]:
    kept = thinned(trace.values)
    return {
        "label": trace.label,
        "colour": trace.colour,
        "steps": trace.steps,
        "seconds": store.add(trace.seconds[kept], np.float64),
        "values": store.add(trace.values[kept]),
    }


def _marker(marker: Marker) -> dict[str, Any]:
    return {
        "seconds": marker.seconds,
        "end_s": marker.end_s,
        "text": marker.text,
        "kind": marker.kind,
    }


def _map(store: _Store, view: MapView) -> dict[str, Any]:
    paths = []
    for number, path in enumerate(view.paths):
        kept = np.arange(len(path.seconds))[:: ceil(max(1, len(path.seconds)) / POINTS)]
        wind = view.wind if number == 0 else None
        paths.append(
            {
                "label": path.label,
                "colour": path.colour,
                "seconds": store.add(path.seconds[kept], np.float64),
                "position": store.add(path.position[kept]),
                "heading": None if path.heading_rad is None else store.add(path.heading_rad[kept]),
                "wind": None if wind is None else store.add(wind[kept]),
            }
        )
    shapes = {name: store.add(getattr(view, name)) for name in _SHAPES}
    widths = {"corridor_m": view.corridor_m, "trail_width_m": view.trail_width_m}
    return {**shapes, "paths": paths, **widths}


def _pictures(store: _Store, track: PictureTrack | None) -> dict[str, Any] | None:
    if track is None:
        return None
    return {
        "seconds": store.add(track.seconds, np.float64),
        "jpeg": store.add(track.jpeg, np.uint8),
        "ends": store.add(track.ends, np.uint32),
        "size": list(track.size),
        "stride": track.stride,
    }


def _neurons(store: _Store, view: NeuronView) -> dict[str, Any]:
    count = min(len(view.names), MAX_ROWS)
    rows = np.linspace(0, len(view.names) - 1, count).round().astype(int)
    frames = _kept_frames(view)
    return {
        "names": [view.names[row] for row in rows],
        "total": len(view.names),
        "seconds": store.add(view.seconds[frames], np.float64),
        "maps": [
            {
                "title": one.title,
                "unit": one.unit,
                "scale": one.scale,
                "limits": list(one.limits()),
                "values": store.add(one.values[frames][:, rows]),
            }
            for one in view.maps
        ],
    }


def _kept_frames(view: NeuronView) -> slice:
    return slice(None, None, max(1, ceil(len(view.seconds) / FRAMES)))


def _wiring(store: _Store, view: WiringView, neurons: NeuronView | None) -> dict[str, Any]:
    wiring, features = view.wiring, view.features
    if features is not None and neurons is not None:
        features = features[_kept_frames(neurons)]
    return {
        "layers": [[layer.role, layer.size] for layer in wiring.layers],
        "sensory": store.add(wiring.sensory, np.int8),
        "recurrent": store.add(wiring.recurrent, np.int8),
        "features": None if features is None else store.add(features),
    }


def thinned(values: Floats, points: int = POINTS) -> NDArray[np.intp]:
    """Return the indices to draw: all, or both ends and the extremes of each section.

    A spike of one sample stays visible in a line of any length.

    Args:
        values: float64 [T].
        points: approximate number of kept points.
    """
    count = len(values)
    if count <= points:
        return np.arange(count)
    section = ceil(2 * count / points)
    whole = np.nan_to_num(values[: count - count % section]).reshape(-1, section)
    first = np.arange(len(whole)) * section
    kept = np.concatenate([first + whole.argmin(axis=1), first + whole.argmax(axis=1)])
    return np.unique(np.concatenate([[0], kept, [count - 1]]))
