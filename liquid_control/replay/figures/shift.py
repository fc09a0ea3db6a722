"""Where a flight's pictures lie in what the model learned from, a row a statistic."""

import numpy as np
from matplotlib.figure import Figure

from liquid_control.pages import ink
from liquid_control.replay.shift import Shift
from liquid_control.types import Floats

_ROW_IN = 0.3
_OUTSIDE = 0.05
"""Share of frames outside 98 % of what was learned from, above which a row is told in red."""


def shift_figure(shifts: tuple[Shift, ...], values: Floats) -> str:
    """Return the figure as SVG.

    Args:
        shifts: one a statistic.
        values: float64 [F, S], of the flight's pictures.
    """
    low, high = np.percentile(values, (1, 99), axis=0)
    with ink.drawing():
        height = _ROW_IN * len(shifts) + 0.75
        figure = Figure(figsize=(ink.WIDTH_IN, height))
        axes = figure.add_axes((0.085, 0.5 / height, 0.9, 1 - 0.75 / height))
        for row, shift in enumerate(shifts):
            scale = max(shift.learned_deviation, 1e-6)

            def at(value: float, shift: Shift = shift, scale: float = scale) -> float:
                return (value - shift.learned_mean) / scale

            colour = ink.RED if shift.outside > _OUTSIDE else ink.BLUE
            axes.plot(
                [at(shift.learned_p1), at(shift.learned_p99)],
                [row, row],
                color=ink.GRID,
                linewidth=11,
                solid_capstyle="butt",
            )
            axes.plot([at(low[row]), at(high[row])], [row, row], color=colour, linewidth=3)
            axes.plot(shift.shift, row, "o", color=colour, markersize=7)
        axes.axvline(0.0, color=ink.MUTED, linewidth=0.8)
        axes.set_yticks(range(len(shifts)), [shift.name for shift in shifts])
        axes.set_ylim(len(shifts) - 0.4, -0.6)
        axes.set_xlabel("standard deviations of the pictures learned from", loc="right")
        axes.spines["bottom"].set_visible(False)
        return ink.svg(figure, "Statistics of the pictures against those learned from")
