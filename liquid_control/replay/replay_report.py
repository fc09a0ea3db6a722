"""A replay's page: `report.html`, one self-contained file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup

from liquid_control.pages.page import picture_address, render, write_whole
from liquid_control.pages.panels import Timeline
from liquid_control.replay.comparison import AXES, UNITS
from liquid_control.replay.output_files import About
from liquid_control.replay.replay_figures import (
    command_figure,
    difference_figure,
    interval_figure,
    neuron_figure,
    path_figure,
    shift_figure,
)
from liquid_control.replay.result import ReplayResult, verdict
from liquid_control.replay.severity_curves import DisturbedSection
from liquid_control.replay.timing import Percentiles
from liquid_control.replay.worst_frames import WorstFrame
from liquid_control.types import Pixels

WIDEST = 640
SMALL = 200
"""Pictures up to this wide are kept without loss."""
QUALITY = 85
GAPS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class _Shown:
    """A moment as the template shows it."""

    source: str
    seconds: float
    moment: WorstFrame
    rows: tuple[tuple[str, str, str, str], ...]
    why: str


def write_report(
    path: Path,
    about: About,
    judgement: ReplayResult,
    pictures: Mapping[int, Pixels],
    disturbed: DisturbedSection | None = None,
) -> Path:
    """Write the page, whole.

    Args:
        path: where to.
        about: what was replayed with what.
        judgement: how it came out.
        pictures: of the moments, by stamp, uint8 [H, W, 3] RGB; one that is missing is left out.
        disturbed: what a disturbed replay of the same bag has to show, if there was one.

    Raises:
        OutputError: the folder cannot be written to.
    """
    main = judgement.main
    context = {
        "title": about.bag["files"][0]["name"],
        "about": about,
        "judgement": judgement,
        "verdict": verdict(judgement),
        "same": judgement.identity,
        "moments": _moments(judgement, pictures),
        "comparisons": [c for c in (judgement.policy, judgement.guarded) if c is not None],
        "axes": tuple(zip(AXES, UNITS, strict=True)),
        "commands": command_figure(judgement),
        "differences": None if main is None else difference_figure(judgement, main),
        "path": Markup(path_figure(judgement)),
        "histogram": _markup(interval_figure(judgement.intervals)),
        "gaps": (*judgement.intervals.jumps, *judgement.intervals.gaps)[:GAPS_SHOWN],
        "neurons": neuron_figure(judgement),
        "shift": _shift(judgement),
        "disturbed": disturbed,
        "other": None if judgement.other is None else judgement.other.label,
    }
    filters: dict[str, Callable[..., str]] = {
        "timeline": _timeline,
        "seconds": _seconds(judgement),
        "ms": _ms,
    }
    page = render("liquid_control.replay", "replay.html", context, filters)
    return write_whole(path, page)


def _markup(svg: str | None) -> Markup | None:
    return None if svg is None else Markup(svg)


def _shift(judgement: ReplayResult) -> Markup | None:
    if judgement.shift is None or judgement.statistics is None:
        return None
    return Markup(shift_figure(judgement.shift, judgement.statistics.values))


def _timeline(figure: Timeline) -> Markup:
    """Return a figure over time with the line that marks an instant laid over it."""
    return Markup(
        '<div class="timeline" data-left="{:.5f}" data-right="{:.5f}" data-start="{:.6f}" '
        'data-end="{:.6f}">{}<i></i></div>'
    ).format(figure.left, figure.right, figure.start_s, figure.end_s, Markup(figure.svg))


def _seconds(judgement: ReplayResult) -> Callable[[int], str]:
    def seconds(stamp_ns: int) -> str:
        return f"{float(judgement.seconds(np.array(stamp_ns))):.2f} s"

    return seconds


def _ms(value: Percentiles | None) -> str:
    if value is None:
        return "-"
    return " / ".join(f"{1000 * part:.1f}" for part in (value.p50_s, value.p90_s, value.p99_s))


def _moments(judgement: ReplayResult, pictures: Mapping[int, Pixels]) -> tuple[_Shown, ...]:
    shown = []
    for moment in judgement.worst_frames:
        if moment.stamp_ns in pictures:
            seconds = float(judgement.seconds(np.array(moment.stamp_ns)))
            source = _address(pictures[moment.stamp_ns])
            shown.append(_Shown(source, seconds, moment, _rows(moment), _why(moment)))
    return tuple(shown)


def _address(image: Pixels) -> str:
    height, width = image.shape[:2]
    if width > WIDEST:
        size = (WIDEST, round(height * WIDEST / width))
        shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        image = np.asarray(shrunk, dtype=np.uint8)
    return picture_address(image, None if width <= SMALL else QUALITY)


def _rows(moment: WorstFrame) -> tuple[tuple[str, str, str, str], ...]:
    theirs = moment.theirs or (None,) * len(AXES)
    return tuple(
        (
            f"{name}, {unit}",
            f"{ours:+.3f}",
            "-" if other is None else f"{other:+.3f}",
            "-" if other is None else f"{ours - other:+.3g}",
        )
        for name, unit, ours, other in zip(AXES, UNITS, moment.ours, theirs, strict=True)
    )


def _why(moment: WorstFrame) -> str:
    if moment.axis is None:
        return ""
    return f"{moment.axis} {moment.difference:+.3g} {UNITS[AXES.index(moment.axis)]}"
