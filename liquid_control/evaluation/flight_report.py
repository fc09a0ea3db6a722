"""`report.html`: one self-contained page that tells the story of one flight or of many."""

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
from liquid_control.evaluation.flight_data import FlightData
from liquid_control.evaluation.flight_figures import (
    commands_over_time,
    flight_map,
    margins_over_time,
    neuron_map,
)
from liquid_control.evaluation.result_tables import metres, percent
from liquid_control.evaluation.results import FlightRow
from liquid_control.pages.page import picture_address, render, write_whole
from liquid_control.types import NANOSECONDS


def worth_showing(
    jobs: Sequence[FlightJob], rows: Sequence[FlightRow], count: int
) -> list[FlightJob]:
    """Return up to `count` jobs of each model and entry: failed flights first, in campaign order.

    Args:
        jobs: what was flown.
        rows: what came of it, one a job.
        count: how many to show of each.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault((job.model, job.entry), []).append(index)
    chosen = []
    for group in groups.values():
        chosen += sorted(group, key=lambda index: (rows[index].success, index))[:count]
    return [jobs[index] for index in chosen]


def key_instants(story: FlightData, count: int = 8) -> list[tuple[int, str]]:
    """Return (tick, why) of the instants to show pictures of, in order of time.

    The flight's start and end, its closest tree, strongest wind and farthest from the trail come
    first; instants spread evenly over the flight fill what is left.
    """
    record = story.record
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
    """One flight, as the template shows it; figures are SVG elements."""

    anchor: str
    story: FlightData
    facts: tuple[tuple[str, str], ...]
    map: Markup
    commands: Markup
    margins: Markup
    neurons: Markup | None
    frames: tuple[_KeyFrame, ...]
    scenario: str


def write_report(
    path: Path, title: str, stories: Sequence[FlightData], document: Mapping[str, Any]
) -> Path:
    """Write the page beside its place, then rename it there.

    Args:
        path: where to.
        title: the page's heading.
        stories: the flights to show, in order.
        document: the content of `results.json`: provenance, and the summary of campaigns.

    Raises:
        OutputError: the folder cannot be written to.
    """
    sections = [_section(number, story) for number, story in enumerate(stories, start=1)]
    page = render(
        "liquid_control.evaluation",
        "report.html",
        {"title": title, "sections": sections, "document": document},
        {"metres": _metres, "percent": percent},
    )
    return write_whole(path, page)


def _section(number: int, story: FlightData) -> _Section:
    return _Section(
        anchor=f"flight-{number}",
        story=story,
        facts=(*_facts(story), *story.facts),
        map=Markup(flight_map(story)),
        commands=Markup(commands_over_time(story)),
        margins=Markup(margins_over_time(story)),
        neurons=Markup(neuron_map(story, story.neurons)) if story.neurons else None,
        frames=_key_frames(story),
        scenario=yaml.safe_dump(story.scenario.model_dump(mode="json"), sort_keys=False),
    )


def _facts(story: FlightData) -> tuple[tuple[str, str], ...]:
    record, result = story.record, story.record.result
    wind = np.linalg.norm(record.wind, axis=1)
    speed = result.distance_m / result.duration_s if result.duration_s > 0 else 0.0
    return (
        ("distance", f"{result.distance_m:.1f} m of {story.map.length_m:.0f} m"),
        ("time", f"{result.duration_s:.1f} s"),
        ("speed along the trail", f"{speed:.2f} m/s"),
        ("cross-track RMS", metres(result.cross_track_rms_m)),
        ("least clearance", metres(result.min_clearance_m)),
        ("wind, mean and peak", f"{wind.mean():.1f}, {wind.max():.1f} m/s"),
    )


def _key_frames(story: FlightData) -> tuple[_KeyFrame, ...]:
    if story.frames is None:
        return ()
    start = int(story.record.stamp_ns[0])
    shown: dict[int, _KeyFrame] = {}
    for tick, why in key_instants(story):
        index = story.frames.latest(int(story.record.stamp_ns[tick]))
        seconds = (int(story.frames.stamp_ns[index]) - start) / NANOSECONDS
        if index not in shown or not shown[index].why:
            shown[index] = _KeyFrame(picture_address(story.frames.images[index]), seconds, why)
    return tuple(shown.values())


def _metres(value: float | None) -> str:
    return "-" if value is None or not isfinite(value) else metres(value)
