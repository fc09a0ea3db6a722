"""`report.html`: one self-contained page that shows one flight or several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from markupsafe import Markup

from liquid_control.evaluation.campaign import FlightJob
from liquid_control.evaluation.flight_data import FlightData, fly_and_capture
from liquid_control.evaluation.flight_figures import (
    commands_over_time,
    flight_map,
    margins_over_time,
    neuron_map,
)
from liquid_control.evaluation.preflight import PilotFactory
from liquid_control.evaluation.result_tables import metres, percent
from liquid_control.evaluation.results import FlightRow
from liquid_control.evaluation.runner import Evaluation
from liquid_control.files import atomic_write
from liquid_control.interfaces import Flyer
from liquid_control.pages.page import picture_address, render
from liquid_control.types import NANOSECONDS


def worth_showing(
    jobs: Sequence[FlightJob], rows: Sequence[FlightRow], count: int
) -> list[FlightJob]:
    """Return up to `count` jobs of each model and entry: failed flights first, in campaign order.

    Args:
        jobs: the flights.
        rows: their results, one per job.
        count: flights of each model and entry.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault((job.model, job.entry), []).append(index)
    chosen = []
    for group in groups.values():
        chosen += sorted(group, key=lambda index: (rows[index].success, index))[:count]
    return [jobs[index] for index in chosen]


def key_instants(flight: FlightData, count: int = 8) -> list[tuple[int, str]]:
    """Return (tick, caption) of the instants to show pictures of, in order of time.

    These are start and end of the flight, the closest tree, the strongest wind and the largest
    distance from the trail. Instants spread evenly over the flight fill the rest.
    """
    record = flight.record
    last = len(record.stamp_ns) - 1
    wind = np.linalg.norm(record.wind, axis=1)
    wanted = [(0, "start"), (last, record.result.reason.replace("_", " "))]
    if np.isfinite(record.clearance_m).any():
        wanted.append((int(np.argmin(record.clearance_m)), "closest tree"))
    if wind.max() > 0.0:
        wanted.append((int(np.argmax(wind)), "strongest wind"))
    wanted.append((int(np.argmax(np.abs(record.cross_track_m))), "farthest from the trail"))
    chosen: dict[int, str] = {}
    apart = max(1, last // (3 * count))
    for tick, why in wanted:
        if all(abs(tick - other) >= apart for other in chosen):
            chosen[tick] = why
    while len(chosen) < min(count, last + 1):
        ticks = sorted(chosen)
        gap, before = max((b - a, a) for a, b in pairwise(ticks))
        if gap < 2:
            break
        chosen[before + gap // 2] = ""
    return sorted(chosen.items())


@dataclass(frozen=True, slots=True)
class _KeyFrame:
    source: str
    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class _Section:
    """Template data of one flight; figures are SVG elements."""

    anchor: str
    flight: FlightData
    facts: tuple[tuple[str, str], ...]
    map: Markup
    commands: Markup
    margins: Markup
    neurons: Markup | None
    frames: tuple[_KeyFrame, ...]
    scenario: str


def write_report(
    path: Path, title: str, flights: Sequence[FlightData], document: Mapping[str, Any]
) -> Path:
    """Write the page, atomically.

    Args:
        path: of the page.
        title: heading of the page.
        flights: flights to show, in order.
        document: content of `results.json`: provenance and summary.

    Raises:
        OutputError: the folder cannot be written to.
    """
    sections = [_section(number, flight) for number, flight in enumerate(flights, start=1)]
    page = render(
        "liquid_control.evaluation",
        "report.html",
        {"title": title, "sections": sections, "document": document},
        {"metres": _metres, "percent": percent},
    )
    return atomic_write(path, page)


def fly_and_report(
    path: Path,
    evaluation: Evaluation,
    flyer: Flyer,
    pilots: Mapping[str, PilotFactory],
    document: Mapping[str, Any],
    count: int,
) -> Path:
    """Fly selected flights of an evaluation again and write a report on them.

    The same seed gives the same flight; this time pictures and neurons are kept.

    Args:
        path: of the page.
        evaluation: results of the campaign.
        flyer: flies a scenario in this process.
        pilots: makes the pilots, by their label.
        document: content of `results.json`: provenance and summary.
        count: flights of each model and entry, failed ones first.

    Raises:
        OutputError: the folder cannot be written to.
    """
    flights = [
        fly_and_capture(
            flyer, job.scenario, job.seed, pilots[job.pilot_key](), f"{job.entry}, {job.seed}"
        )
        for job in worth_showing(evaluation.jobs, evaluation.rows, count)
    ]
    return write_report(path, evaluation.campaign.name, flights, document)


def _section(number: int, flight: FlightData) -> _Section:
    return _Section(
        anchor=f"flight-{number}",
        flight=flight,
        facts=(*_facts(flight), *flight.facts),
        map=Markup(flight_map(flight)),
        commands=Markup(commands_over_time(flight)),
        margins=Markup(margins_over_time(flight)),
        neurons=Markup(neuron_map(flight, flight.neurons)) if flight.neurons else None,
        frames=_key_frames(flight),
        scenario=yaml.safe_dump(flight.scenario.model_dump(mode="json"), sort_keys=False),
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
        ("least clearance", metres(result.min_clearance_m)),
        ("wind, mean and peak", f"{wind.mean():.1f}, {wind.max():.1f} m/s"),
    )


def _key_frames(flight: FlightData) -> tuple[_KeyFrame, ...]:
    if flight.frames is None:
        return ()
    start = int(flight.record.stamp_ns[0])
    shown: dict[int, _KeyFrame] = {}
    for tick, why in key_instants(flight):
        index = flight.frames.latest(int(flight.record.stamp_ns[tick]))
        seconds = (int(flight.frames.stamp_ns[index]) - start) / NANOSECONDS
        if index not in shown or not shown[index].why:
            shown[index] = _KeyFrame(picture_address(flight.frames.images[index]), seconds, why)
    return tuple(shown.values())


def _metres(value: float | None) -> str:
    return "-" if value is None or not isfinite(value) else metres(value)
