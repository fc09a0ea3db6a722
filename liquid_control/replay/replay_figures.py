"""Figures of a replay without a time axis: intervals between frames and picture statistics."""

import numpy as np
from matplotlib.figure import Figure

from liquid_control.pages import style
from liquid_control.replay.distribution_shift import DistributionShift
from liquid_control.replay.timing import GAP_FACTOR, Intervals
from liquid_control.types import Floats


def interval_figure(intervals: Intervals) -> str | None:
    """Return the histogram as SVG; None without intervals."""
    if not intervals.counts or intervals.median_s is None:
        return None
    edges = 1000.0 * np.array(intervals.edges_s)
    with style.drawing():
        figure = Figure(figsize=(style.WIDTH_IN, 2.3))
        axes = figure.add_axes((0.045, 0.2, 0.94, 0.66))
        style.quiet_axes(axes)
        axes.bar(
            edges[:-1],
            intervals.counts,
            np.diff(edges),
            align="edge",
            color=style.BLUE,
            linewidth=0,
        )
        axes.set_yscale("symlog", linthresh=1.0)
        axes.set_ylim(0.0, 2.0 * max(intervals.counts))
        axes.set_xlim(0.0, float(edges[-1]))
        axes.minorticks_off()
        late = 1000.0 * GAP_FACTOR * intervals.median_s
        if late < edges[-1]:
            axes.axvline(late, color=style.RED, linewidth=1.0, linestyle=(0, (4, 3)))
            axes.annotate(
                "gaps",
                (late, axes.get_ylim()[1]),
                (5, -3),
                textcoords="offset points",
                color=style.RED,
                va="top",
                fontsize=8.5,
            )
        axes.set_title("frames by the interval before them")
        axes.set_xlabel("interval, ms", loc="right")
        return style.svg(figure, "Histogram of the intervals between frames")


_ROW_IN = 0.3
_OUTSIDE = 0.05
"""Fraction of frames outside 98 % of the training pictures, above which a row is red."""


def shift_figure(shifts: tuple[DistributionShift, ...], values: Floats) -> str:
    """Return the figure as SVG.

    Args:
        shifts: one for each statistic.
        values: float64 [F, S], of the flight's pictures.
    """
    low, high = np.percentile(values, (1, 99), axis=0)
    with style.drawing():
        height = _ROW_IN * len(shifts) + 0.75
        figure = Figure(figsize=(style.WIDTH_IN, height))
        axes = figure.add_axes((0.085, 0.5 / height, 0.9, 1 - 0.75 / height))
        for row, shift in enumerate(shifts):
            scale = max(shift.learned_deviation, 1e-6)

            def at(value: float, shift: DistributionShift = shift, scale: float = scale) -> float:
                return (value - shift.learned_mean) / scale

            colour = style.RED if shift.outside > _OUTSIDE else style.BLUE
            axes.plot(
                [at(shift.learned_p1), at(shift.learned_p99)],
                [row, row],
                color=style.GRID,
                linewidth=11,
                solid_capstyle="butt",
            )
            axes.plot([at(low[row]), at(high[row])], [row, row], color=colour, linewidth=3)
            axes.plot(shift.shift, row, "o", color=colour, markersize=7)
        axes.axvline(0.0, color=style.MUTED, linewidth=0.8)
        axes.set_yticks(range(len(shifts)), [shift.name for shift in shifts])
        axes.set_ylim(len(shifts) - 0.4, -0.6)
        axes.set_xlabel("standard deviations of the training pictures", loc="right")
        axes.spines["bottom"].set_visible(False)
        return style.svg(figure, "Statistics of the pictures against the training pictures")
