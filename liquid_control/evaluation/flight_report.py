"""Report of flights: `report.html` with a table, and a page for each flight."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from liquid_control.evaluation.campaign import FlightJob
from liquid_control.evaluation.flight_data import FlightData, fly_and_capture
from liquid_control.evaluation.flight_views import finite_metres, flight_view
from liquid_control.evaluation.preflight import PilotFactory
from liquid_control.evaluation.result_tables import percent
from liquid_control.evaluation.results import FlightRow
from liquid_control.evaluation.runner import Evaluation
from liquid_control.files import atomic_write
from liquid_control.interfaces import Flyer
from liquid_control.pages.flight_block import flight_block
from liquid_control.pages.flight_page import FLIGHT_PAGE, flight_page
from liquid_control.pages.page import render

PAGES_FOLDER = "flights"
"""Folder of the pages of flights without a folder of their own."""


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


def write_report(
    path: Path, title: str, flights: Sequence[FlightData], document: Mapping[str, Any]
) -> Path:
    """Write a page for each flight, then the report with links to them, each atomically.

    Args:
        path: of the report.
        title: heading of the report.
        flights: flights to show, in order.
        document: content of `results.json`: provenance and summary.

    Raises:
        OutputError: the folder cannot be written to.
    """
    pages = [page_path(path, number, flight) for number, flight in enumerate(flights, start=1)]
    for page, flight in zip(pages, flights, strict=True):
        write_flight(page, flight, document)
    listed = [
        (page.relative_to(path.parent).as_posix(), flight)
        for page, flight in zip(pages, flights, strict=True)
    ]
    text = render(
        "liquid_control.evaluation",
        "report.html",
        {"title": title, "flights": listed, "document": document},
        {"metres": finite_metres, "percent": percent},
    )
    return atomic_write(path, text)


def page_path(report: Path, number: int, flight: FlightData) -> Path:
    """Return the file of a flight's page: in its own folder, or numbered below the report."""
    if flight.folder:
        return report.parent / flight.folder / FLIGHT_PAGE
    words = re.sub(r"[^a-z0-9]+", "-", f"{flight.title} {flight.model}".lower()).strip("-")
    return report.parent / PAGES_FOLDER / f"{number:02d}-{words or 'flight'}.html"


def write_flight(path: Path, flight: FlightData, document: Mapping[str, Any]) -> Path:
    """Write the page of one flight, atomically; its folder is created.

    Args:
        path: of the page.
        flight: the flight.
        document: content of `results.json`: provenance.

    Raises:
        OutputError: the folder cannot be written to.
    """
    revision = document.get("git_revision")
    parts = [document["created_utc"], f"liquid_control {document['versions']['liquid_control']}"]
    parts += [f"revision {revision[:12]}"] if revision else []
    scenario = yaml.safe_dump(flight.scenario.model_dump(mode="json"), sort_keys=False)
    text = flight_page(
        flight.title,
        " · ".join(parts),
        [flight_block(flight_view(flight))],
        package="liquid_control.evaluation",
        template="flight_details.html",
        context={"command": document["command"], "scenario": scenario},
    )
    if path.parent.parent.is_dir():
        path.parent.mkdir(exist_ok=True)
    return atomic_write(path, text)


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
