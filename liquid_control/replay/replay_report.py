"""Report of a replay: `report.html`, one self-contained page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup

from liquid_control.files import atomic_write
from liquid_control.pages.page import picture_address, render
from liquid_control.pages.panels import Timeline
from liquid_control.replay.comparison import AXES, UNITS, WorstFrame
from liquid_control.replay.replay_figures import (
    command_figure,
    difference_figure,
    interval_figure,
    neuron_figure,
    path_figure,
    shift_figure,
)
from liquid_control.replay.request import ReplayMetadata
from liquid_control.replay.result import ReplayResult, verdict
from liquid_control.replay.severity_curves import disturbed_section
from liquid_control.replay.timing import Percentiles
from liquid_control.types import Pixels

WIDEST = 640
SMALL = 200
"""Largest width of pictures that are stored without loss, pixels."""
QUALITY = 85
GAPS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class _ShownFrame:
    """A frame with its picture and values for the template."""

    source: str
    seconds: float
    frame: WorstFrame
    rows: tuple[tuple[str, str, str, str], ...]
    largest: str


def write_report(
    path: Path, metadata: ReplayMetadata, result: ReplayResult, pictures: Mapping[int, Pixels]
) -> Path:
    """Write the report.

    Args:
        path: the file.
        metadata: of the replay.
        result: the replay.
        pictures: of the worst frames, by stamp, uint8 [H, W, 3] RGB; a frame without a picture is
            left out.

    Raises:
        OutputError: the file cannot be written.
    """
    main = result.main
    context = {
        "title": metadata.bag["files"][0]["name"],
        "metadata": metadata,
        "result": result,
        "verdict": verdict(result),
        "same": result.identity,
        "worst_frames": _shown_frames(result, pictures),
        "comparisons": [c for c in (result.policy, result.guarded) if c is not None],
        "axes": tuple(zip(AXES, UNITS, strict=True)),
        "commands": command_figure(result),
        "differences": None if main is None else difference_figure(result, main),
        "path": Markup(path_figure(result)),
        "histogram": _markup(interval_figure(result.intervals)),
        "gaps": (*result.intervals.jumps, *result.intervals.gaps)[:GAPS_SHOWN],
        "neurons": neuron_figure(result),
        "shift": _shift(result),
        "disturbed": None
        if result.disturbed is None
        else disturbed_section(result.disturbed, result.start_ns),
        "other": None if result.other is None else result.other.label,
    }
    filters: dict[str, Callable[..., str]] = {
        "timeline": _timeline,
        "seconds": _seconds(result),
        "ms": _ms,
    }
    page = render("liquid_control.replay", "replay.html", context, filters)
    return atomic_write(path, page)


def _markup(svg: str | None) -> Markup | None:
    return None if svg is None else Markup(svg)


def _shift(result: ReplayResult) -> Markup | None:
    if result.shift is None or result.statistics is None:
        return None
    return Markup(shift_figure(result.shift, result.statistics.values))


def _timeline(figure: Timeline) -> Markup:
    """Return a figure over time with an overlaid line that marks an instant."""
    return Markup(
        '<div class="timeline" data-left="{:.5f}" data-right="{:.5f}" data-start="{:.6f}" '
        'data-end="{:.6f}">{}<i></i></div>'
    ).format(figure.left, figure.right, figure.start_s, figure.end_s, Markup(figure.svg))


def _seconds(result: ReplayResult) -> Callable[[int], str]:
    def seconds(stamp_ns: int) -> str:
        return f"{float(result.seconds(np.array(stamp_ns))):.2f} s"

    return seconds


def _ms(value: Percentiles | None) -> str:
    if value is None:
        return "-"
    return " / ".join(f"{1000 * part:.1f}" for part in (value.p50_s, value.p90_s, value.p99_s))


def _shown_frames(result: ReplayResult, pictures: Mapping[int, Pixels]) -> tuple[_ShownFrame, ...]:
    shown = []
    for frame in result.worst_frames:
        if frame.stamp_ns in pictures:
            seconds = float(result.seconds(np.array(frame.stamp_ns)))
            source = _address(pictures[frame.stamp_ns])
            shown.append(_ShownFrame(source, seconds, frame, _rows(frame), _largest(frame)))
    return tuple(shown)


def _address(image: Pixels) -> str:
    height, width = image.shape[:2]
    if width > WIDEST:
        size = (WIDEST, round(height * WIDEST / width))
        shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        image = np.asarray(shrunk, dtype=np.uint8)
    return picture_address(image, None if width <= SMALL else QUALITY)


def _rows(frame: WorstFrame) -> tuple[tuple[str, str, str, str], ...]:
    compared = frame.other or (None,) * len(AXES)
    return tuple(
        (
            f"{name}, {unit}",
            f"{replayed:+.3f}",
            "-" if other is None else f"{other:+.3f}",
            "-" if other is None else f"{replayed - other:+.3g}",
        )
        for name, unit, replayed, other in zip(AXES, UNITS, frame.replayed, compared, strict=True)
    )


def _largest(frame: WorstFrame) -> str:
    """Return the largest difference with its axis; empty without one."""
    if frame.axis is None:
        return ""
    return f"{frame.axis} {frame.difference:+.3g} {UNITS[AXES.index(frame.axis)]}"
