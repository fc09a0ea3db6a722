"""Heat maps of neurons over time: one row for each neuron, motor neurons on top.

Of a state with more numbers than `MAX_ROWS`, such as the window of a convolution, evenly spaced
ones are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from liquid_control.pages import style
from liquid_control.pages.panels import Timeline
from liquid_control.types import Floats

_ROW_IN = 0.17
MAX_ROWS = 48
_COLUMNS = 600

STATE_COLOURS = LinearSegmentedColormap.from_list(
    "state", ["#174ea6ff", "#4d8bf0bf", "#88888800", "#f0884dbf", "#b3381fff"]
)
"""Transparent at zero, for light and dark pages."""

GATE_COLOURS = LinearSegmentedColormap.from_list("gate", ["#7a4fc000", "#7a4fc08c", "#5b2ea6ff"])


@dataclass(frozen=True, slots=True)
class Heat:
    """One heat map.

    Attributes:
        title: text above the map.
        values: float64 [F, N], one column for each neuron.
        colours: from the lower limit to the upper.
        limits: values of the first and the last colour.
    """

    title: str
    values: Floats
    colours: LinearSegmentedColormap
    limits: tuple[float, float]

    @classmethod
    def of_states(cls, title: str, values: Floats) -> "Heat":
        """Show states: blue below zero, red above, scaled to the largest magnitude."""
        reach = float(np.abs(values).max()) or 1.0
        return cls(title, values, STATE_COLOURS, (-reach, reach))

    @classmethod
    def of_gates(cls, title: str, values: Floats) -> "Heat":
        """Show gates between their 1st and 99th percentile."""
        low, high = (float(v) for v in np.percentile(values, (1, 99)))
        return cls(title, values, GATE_COLOURS, (low, max(high, low + 1e-6)))


def neurons_over_time(
    seconds: Floats, names: Sequence[str], heats: Sequence[Heat], label: str
) -> Timeline:
    """Return stacked heat maps; rows from the motor neurons down to the inter neurons.

    Args:
        seconds: of the frames, float64 [F], s.
        names: N names, motor neurons last.
        heats: from top to bottom.
        label: description of the figure for screen readers.
    """
    count = min(len(names), MAX_ROWS)
    order = np.linspace(0, len(names) - 1, count).round().astype(int)[::-1]
    rows = [names[index] for index in order]
    with style.drawing():
        height = _ROW_IN * len(rows)
        size = (style.WIDTH_IN, len(heats) * (height + 0.34) + 0.82)
        figure = Figure(figsize=size)
        column = figure.subplots(len(heats), 1, sharex=True, squeeze=False)[:, 0]
        figure.subplots_adjust(
            0.085, 0.5 / size[1], 0.93, 1 - 0.32 / size[1], hspace=0.62 / height
        )
        for axes, heat in zip(column, heats, strict=True):
            span = _draw(axes, seconds, heat, order, rows)
            axes.set_title(heat.title + _of_all(count, len(names)))
        column[-1].set_xlabel("time, s", loc="right")
        svg = style.svg(figure, label)
        box = column[-1].get_position()
        return Timeline(svg, float(box.x0), float(box.x1), *span)


def _of_all(count: int, total: int) -> str:
    return "" if count == total else f" ({count} of {total})"


def _draw(
    axes: Axes, seconds: Floats, heat: Heat, order: np.ndarray, names: list[str]
) -> tuple[float, float]:
    """Draw frames held until the next on a regular clock; return both ends of the clock."""
    start = float(seconds[0])
    end = float(seconds[-1]) + (float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.05)
    end = max(end, start + 1e-3)
    clock = np.linspace(start, end, min(_COLUMNS, 4 * len(seconds)), endpoint=False)
    held = np.searchsorted(seconds, clock, side="right") - 1
    picture = axes.imshow(
        heat.values[np.ix_(held, order)].T,
        aspect="auto",
        interpolation="nearest",
        cmap=heat.colours,
        vmin=heat.limits[0],
        vmax=heat.limits[1],
        extent=(start, end, len(names) - 0.5, -0.5),
    )
    axes.set_yticks(range(len(names)), names, fontsize=8)
    for edge in _group_edges(names):
        axes.axhline(edge - 0.5, color=style.MUTED, linewidth=0.8)
    axes.spines["bottom"].set_visible(False)
    bar = axes.figure.colorbar(picture, ax=axes, pad=0.012, fraction=0.018, aspect=24)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    return start, end


def _group_edges(names: list[str]) -> list[int]:
    """Return the rows at which a new kind of neuron begins: the letters before the number."""
    kinds = [name.rstrip("0123456789").rstrip("_") for name in names]
    return [
        row
        for row in range(1, len(kinds))
        if kinds[row] != kinds[row - 1] and kinds.count(kinds[row]) > 1
    ]
