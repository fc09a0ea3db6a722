"""Report section of a disturbed replay: curves over severity, rows and example pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from liquid_control.pages import style
from liquid_control.pages.page import picture_address
from liquid_control.replay.disturbed import DisturbedResult, DisturbedRow, Example
from liquid_control.types import NANOSECONDS, Floats

_COLUMNS = 6
_PANEL_IN = 1.45
_HEAD_IN, _FOOT_IN = 0.42, 0.42
_COLOURS = (
    style.BLUE,
    style.ORANGE,
    style.GREEN,
    style.PURPLE,
    style.RED,
)
_DASHES = ("-", "--", ":")
_TICKS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
_LEAST_SPAN = 0.02
"""Least span of the axis, which keeps negligible movements small."""
CAPTION = (
    "Movement of a model's commands by each camera disturbance, against the same model's "
    "undisturbed commands, by severity. The measure is the root mean square of the change over "
    "all frames, as a fraction of each motor's range (forward, left, up, yaw rate), then over the "
    "four. The replay is an open loop: the vehicle follows its recorded path, and the effect of "
    "the moved commands on the path is not included. The strongest disturbance comes first. The "
    "axis has a square-root scale, which keeps small movements visible next to large ones."
)
EXAMPLES_CAPTION = (
    "For each disturbance the frame at which it moved the first model's command most, from "
    "undisturbed (0) to the highest severity, at the model's size."
)


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One frame in all severities of a disturbance.

    Attributes:
        disturbance: its name.
        seconds: time in the recording, s.
        movement: movement of the command, as a fraction of the motors' ranges.
        pictures: severity and the picture's data address, None where the frame was not delivered.
    """

    disturbance: str
    seconds: float
    movement: float
    pictures: tuple[tuple[int, str | None], ...]


@dataclass(frozen=True, slots=True)
class DisturbedSection:
    """Report section of a disturbed replay.

    Attributes:
        svg: the curves, an inline SVG element; empty without rows.
        rows: as in `replay.json`.
        examples: a row of pictures for each disturbance.
        left_out: requested disturbances that cannot be applied, with the reason, a line each.
        caption: of the curves.
        examples_caption: of the pictures.
    """

    svg: str
    rows: tuple[Mapping[str, Any], ...]
    examples: tuple[ExampleRow, ...]
    left_out: tuple[str, ...] = ()
    caption: str = CAPTION
    examples_caption: str = EXAMPLES_CAPTION


def disturbed_section(result: DisturbedResult, start_ns: int) -> DisturbedSection:
    """Return the report section of a disturbed replay.

    Args:
        result: of the disturbed replay.
        start_ns: stamp of the first frame.
    """
    order = by_movement(result.rows)
    examples = sorted(result.examples, key=lambda example: order.index(example.disturbance))
    return DisturbedSection(
        severity_curves(result.rows) if result.rows else "",
        tuple(row.to_dict() for row in result.rows),
        tuple(_example_row(example, start_ns) for example in examples),
        result.left_out,
    )


def _example_row(example: Example, start_ns: int) -> ExampleRow:
    shown = tuple(
        (severity, None if picture is None else picture_address(picture))
        for severity, picture in example.pictures.items()
    )
    seconds = (example.stamp_ns - start_ns) / NANOSECONDS
    return ExampleRow(example.disturbance, seconds, example.movement, shown)


def by_movement(rows: Sequence[DisturbedRow]) -> list[str]:
    """Return the disturbances by their largest movement of any model's commands, largest first."""
    most: dict[str, float] = {}
    for row in rows:
        most[row.disturbance] = max(row.movement, most.get(row.disturbance, 0.0))
    return sorted(most, key=lambda name: -most[name])


def severity_curves(rows: Sequence[DisturbedRow]) -> str:
    """Return a small panel for each disturbance with a line for each model, as SVG."""
    names = by_movement(rows)
    models = list(dict.fromkeys(row.model for row in rows))
    columns, lines = min(_COLUMNS, len(names)), ceil(len(names) / _COLUMNS)
    top = max(_LEAST_SPAN, 1.08 * max(row.movement for row in rows))
    with style.drawing():
        height = lines * _PANEL_IN + _HEAD_IN + _FOOT_IN
        figure = Figure(figsize=(style.WIDTH_IN, height))
        grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
        width = columns / _COLUMNS if columns > 2 else 0.5
        figure.subplots_adjust(
            0.05, _FOOT_IN / height, 0.05 + 0.945 * width, 1 - 0.62 / height, 0.14, 0.36
        )
        for axes, name in zip(grid.flat, names, strict=False):
            _draw(axes, name, rows, models)
        for index, axes in enumerate(grid.flat):
            axes.set_yscale("function", functions=(_square_root, np.square))
            axes.set_ylim(0.0, top)
            axes.set_yticks([tick for tick in _TICKS if tick <= top])
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            axes.set_visible(index < len(names))
            axes.tick_params(labelbottom=index + columns >= len(names), bottom=True)
        _key(figure, models, height)
        return style.svg(figure, "Movement of the commands over the severity of disturbances")


def _square_root(values: Floats) -> Floats:
    return np.sqrt(np.maximum(values, 0.0))


def _line(number: int) -> dict[str, Any]:
    """Return the style of a model's line."""
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "linestyle": _DASHES[number // len(_COLOURS) % len(_DASHES)],
        "linewidth": 1.4,
        "marker": "o",
        "markersize": 2.6,
    }


def _draw(axes: Axes, name: str, rows: Sequence[DisturbedRow], models: Sequence[str]) -> None:
    style.quiet_axes(axes)
    axes.set_title(name)
    for number, model in enumerate(models):
        moved = {0: 0.0} | {
            row.severity: row.movement
            for row in rows
            if row.model == model and row.disturbance == name
        }
        axes.plot(list(moved), list(moved.values()), clip_on=False, **_line(number))
    axes.set_xlim(-0.15, 5.15)
    axes.set_xticks(range(6))


def _key(figure: Figure, models: Sequence[str], height: float) -> None:
    handles = [Line2D([], [], **_line(number)) for number in range(len(models))]
    figure.legend(handles, models, loc="upper right", bbox_to_anchor=(1.0, 1.0), ncols=len(models))
    figure.text(
        0.0, 1 - 0.1 / height, "movement, of the motors' range", color=style.MUTED, va="top"
    )
    figure.text(1.0, 0.0, "severity", color=style.MUTED, ha="right", va="bottom")
