"""Pictures of the worst flights of a benchmark: flown again, the last seconds before the end."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from liquid_control.evaluation.arms import HOVERING
from liquid_control.evaluation.campaign import FlightJob
from liquid_control.evaluation.preflight import PilotFactory
from liquid_control.evaluation.results import FlightRow
from liquid_control.interfaces import FlightProgress, Flyer
from liquid_control.progress import progress_bar
from liquid_control.types import NANOSECONDS, Pixels

MAX_STRIPS = 8
PICTURES = 7
INTERVAL_S = 0.5
"""Time between two pictures of a strip."""


def worst_flights(
    jobs: Sequence[FlightJob], rows: Sequence[FlightRow], arms: Mapping[str, str]
) -> list[int]:
    """Return the worst flight of each arm: indices of up to `MAX_STRIPS` flights.

    The worst flight is a failed one at the lowest severity; of those the shortest.

    Args:
        jobs: the flights.
        rows: their results, one per job.
        arms: name of the arm by label; `hover` has no worst flight.
    """
    failed: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        if not row.success and arms[row.model] != HOVERING:
            failed.setdefault(arms[row.model], []).append(index)
    chosen = [
        min(own, key=lambda index: (*_badness(rows[index]), index)) for own in failed.values()
    ]
    return chosen[:MAX_STRIPS]


def _badness(row: FlightRow) -> tuple[float, float]:
    severity = row.severity if isinstance(row.severity, (int, float)) else float("inf")
    return float(severity), row.distance_m


def photograph_worst(
    jobs: Sequence[FlightJob],
    rows: Sequence[FlightRow],
    arms: Mapping[str, str],
    flyer: Flyer,
    pilots: Mapping[str, PilotFactory],
) -> list[dict[str, Any]]:
    """Fly the worst flight of each arm again; return caption and pictures of each.

    Args:
        jobs: the flights.
        rows: their results, one per job.
        arms: name of the arm by label.
        flyer: flies a scenario.
        pilots: makes the pilots, by the jobs' pilot key.

    Returns:
        Strips for `results.json`: model, entry, seed, caption, and a PNG in base64.
    """
    chosen = worst_flights(jobs, rows, arms)
    strips = []
    with progress_bar("pictures of the worst flights", len(chosen)) as bar:
        for index in chosen:
            job, row = jobs[index], rows[index]
            frames: list[tuple[int, Pixels]] = []

            def keep(tick: FlightProgress, frames: list[tuple[int, Pixels]] = frames) -> None:
                if tick.image is not None:
                    frames.append((tick.stamp_ns, tick.image))

            flyer(job.scenario, job.seed, pilots[job.pilot_key](), keep)
            reason = row.reason.replace("_", " ")
            caption = (
                f"{row.model}: {row.entry}, seed {row.seed}, {reason} after {row.distance_m:.0f} m"
            )
            strip = {"model": row.model, "entry": row.entry, "seed": row.seed}
            strips.append(strip | {"caption": caption, "png": _encoded(strip_of(frames))})
            bar.advance(row.model)
    return strips


def strip_of(frames: Sequence[tuple[int, Pixels]]) -> Pixels:
    """Return up to `PICTURES` pictures side by side, uint8 [H, W, 3], the last at the right.

    Args:
        frames: stamps in ns and pictures of a flight, at least one.
    """
    stamps = np.array([stamp for stamp, _ in frames])
    wanted = stamps[-1] - np.arange(PICTURES)[::-1] * int(INTERVAL_S * NANOSECONDS)
    places = sorted({int(np.abs(stamps - stamp).argmin()) for stamp in wanted})
    return np.concatenate([frames[place][1] for place in places], axis=1)


def _encoded(picture: Pixels) -> str:
    _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return base64.b64encode(png.tobytes()).decode("ascii")
