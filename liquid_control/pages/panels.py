"""Small panels of quantities over a common time axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from liquid_control.pages import style
from liquid_control.types import Floats

_PANEL_IN = 0.95
_LEFT, _RIGHT = 0.045, 0.995
POINTS = 2000
"""Largest number of points of a line; a longer line is thinned."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel.

    Attributes:
        values: float64 [T].
        colour: one of `style`.
        label: in the key.
        width: points.
        steps: whether each value is held until the next.
        seconds: float64 [T]; None for the time axis of the panels.
    """

    values: Floats
    colour: str
    label: str
    width: float = 1.4
    steps: bool = False
    seconds: Floats | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity; its axis covers at least `span`, which keeps noise small."""

    name: str
    span: tuple[float, float]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A figure over time and the position of its time axis.

    Attributes:
        svg: an inline SVG element.
        left: left end of the axis as a fraction of the figure's width; right likewise.
        start_s: time at the left end, s; end_s likewise.
    """

    svg: str
    left: float
    right: float
    start_s: float
    end_s: float


def panels_over_time(
    seconds: Floats,
    panels: Sequence[Panel],
    label: str,
    zero: bool,
    *,
    key: bool | None = None,
    panel_in: float = _PANEL_IN,
) -> Timeline:
    """Return stacked panels.

    Args:
        seconds: the time axis, float64 [T], s.
        panels: from top to bottom.
        label: description of the figure for screen readers.
        zero: whether to draw a line at zero.
        key: whether the first panel has a key; None for the value of `zero`.
        panel_in: height of a panel, inches of 72 points.
    """
    end_s = max(float(seconds.max()), 1e-3)
    with style.drawing():
        size = (style.WIDTH_IN, len(panels) * panel_in + 0.55)
        figure = Figure(figsize=size)
        column = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        figure.subplots_adjust(
            _LEFT, 0.45 / size[1], _RIGHT, 1 - 0.3 / size[1], hspace=0.55 * _PANEL_IN / panel_in
        )
        for axes, panel in zip(column, panels, strict=True):
            _draw(axes, seconds, panel)
            axes.tick_params(bottom=axes is column[-1])
            if zero:
                axes.axhline(0.0, color=style.GRID, linewidth=1.4, zorder=1)
        column[-1].set_xlabel("time, s", loc="right")
        column[-1].set_xlim(0.0, end_s)
        if zero if key is None else key:
            _key(column[0])
        return Timeline(style.svg(figure, label), _LEFT, _RIGHT, 0.0, end_s)


def _draw(axes: Axes, seconds: Floats, panel: Panel) -> None:
    style.quiet_axes(axes)
    axes.set_title(panel.name)
    for line in panel.lines:
        clock = seconds if line.seconds is None else line.seconds
        kept = thinned(line.values)
        axes.plot(
            clock[kept],
            line.values[kept],
            color=line.colour,
            linewidth=line.width,
            label=line.label,
            drawstyle="steps-post" if line.steps else "default",
        )
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, panel.span[0]), max(high, panel.span[1]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))


def thinned(values: Floats, points: int = POINTS) -> np.ndarray:
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


def _key(axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        loc="lower right",
        bbox_to_anchor=(1.0, 0.93),
        ncols=len(labels),
    )
