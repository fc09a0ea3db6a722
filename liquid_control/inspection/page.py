"""The page of an inspected flight: that of its replay, with the saliency of every frame."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from liquid_control.bags import TopicRules
from liquid_control.bags.flight_result import RESULT, recorded_result
from liquid_control.files import atomic_write
from liquid_control.inspection.flight import recording_of
from liquid_control.inspection.report import FlightInspection
from liquid_control.pages.data_block import decode_block, read_blocks
from liquid_control.pages.flight_block import flight_block, surroundings
from liquid_control.pages.flight_page import FLIGHT_PAGE, flight_page
from liquid_control.pages.flight_view import FlightView, MapView, Marker
from liquid_control.pages.picture_track import saliency_track
from liquid_control.replay import ReplayRequest, ReplayResult, evaluate_replay
from liquid_control.replay.feature_extractor import frame_pictures
from liquid_control.replay.replay_report import encode_pictures
from liquid_control.replay.replay_views import replay_view
from liquid_control.replay.request import NONE, RECORDED


def write_flight_page(
    path: Path,
    found: FlightInspection,
    recording: Path,
    rules: TopicRules | None = None,
    moment_s: float | None = None,
) -> Path:
    """Write the page of an inspected flight; equal inspections give the same bytes.

    Args:
        path: of the page.
        found: the inspection.
        recording: the bag, or the folder with it, as for `open_flight`.
        rules: which topics play which role; None for those of this package.
        moment_s: a moment to mark, s from the first answered frame.

    Raises:
        BagError: the bag cannot be read.
        ConfigError: the moment is outside the flight.
        OutputError: the page of `fly` beside the bag is damaged, or the new one cannot be written.
    """
    bag, flight = recording_of(recording), found.flight
    around = _surroundings(bag)
    against = RECORDED if np.isfinite(flight.recorded).any() else NONE
    folder = found.policy.model.path
    request = ReplayRequest.for_bag(bag, folder, against=against, rules=rules)
    result = evaluate_replay(request)
    shown = frame_pictures(request.bag, request.topics, found.policy)
    about = f"{found.policy.model.name}, {found.method.replace('_', ' ')} of {found.target}"
    pictures, weights = encode_pictures(result, shown), found.policy.model.wired_weights
    view = replay_view(flight.name, about, result, pictures, weights)
    if view.map is not None and around is not None:
        view = replace(view, map=replace(around, paths=view.map.paths))
    if moment_s is not None:
        stamp_ns = flight.stamp_ns[flight.frame_at(moment_s)]
        marker = Marker(float(result.seconds(stamp_ns)), "inspected")
        view = replace(view, markers=(*view.markers, marker))
    ended = recorded_result(flight.metadata.get(RESULT, {}))
    if ended is not None:
        view = replace(view, outcome=ended.reason.replace("_", " "), succeeded=ended.success)
    block = flight_block(with_saliency(view, found, result))
    return atomic_write(path, flight_page(flight.name, "inspection", [block]))


def with_saliency(view: FlightView, found: FlightInspection, result: ReplayResult) -> FlightView:
    """Return the view with the magnitude of every frame's map.

    Without a map for every frame it stays as it is: the page would show a map of another frame.
    """
    flight = found.flight
    if len(found.maps) != len(flight):
        return view
    seconds = result.seconds(flight.stamp_ns)
    return replace(view, saliency=saliency_track(seconds, np.abs(found.maps)))


def _surroundings(bag: Path) -> MapView | None:
    """Return trail and obstacles from the page that `fly` wrote of a bag; None without one."""
    page = bag.parent / FLIGHT_PAGE
    if not page.is_file():
        return None
    element = read_blocks(page)[0]
    ours = ["bag", bag.name] in decode_block(element)[0]["links"]
    return surroundings(element) if ours else None
