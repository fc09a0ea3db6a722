"""How long the intervals between frames are, as a histogram."""

import numpy as np
from matplotlib.figure import Figure

from liquid_control.pages import ink
from liquid_control.replay.intervals import GAP_FACTOR, Intervals


def interval_figure(intervals: Intervals) -> str | None:
    """Return the histogram as SVG, or None where there are no intervals to show."""
    if not intervals.counts or intervals.median_s is None:
        return None
    edges = 1000.0 * np.array(intervals.edges_s)
    with ink.drawing():
        figure = Figure(figsize=(ink.WIDTH_IN, 2.3))
        axes = figure.add_axes((0.045, 0.2, 0.94, 0.66))
        ink.quiet_axes(axes)
        axes.bar(
            edges[:-1], intervals.counts, np.diff(edges), align="edge", color=ink.BLUE, linewidth=0
        )
        axes.set_yscale("symlog", linthresh=1.0)
        axes.set_ylim(0.0, 2.0 * max(intervals.counts))
        axes.set_xlim(0.0, float(edges[-1]))
        axes.minorticks_off()
        late = 1000.0 * GAP_FACTOR * intervals.median_s
        if late < edges[-1]:
            axes.axvline(late, color=ink.RED, linewidth=1.0, linestyle=(0, (4, 3)))
            axes.annotate(
                "gaps",
                (late, axes.get_ylim()[1]),
                (5, -3),
                textcoords="offset points",
                color=ink.RED,
                va="top",
                fontsize=8.5,
            )
        axes.set_title("frames by the interval before them")
        axes.set_xlabel("interval, ms", loc="right")
        return ink.svg(figure, "Histogram of the intervals between frames")
