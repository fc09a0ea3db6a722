"""Figures of a replay: commands, differences, intervals, neurons, paths and picture shift."""

from dataclasses import dataclass
from math import atan2, cos, sin

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from liquid_control.pages import style
from liquid_control.pages.heat_map import Heat, neurons_over_time
from liquid_control.pages.panels import Line, Panel, Timeline, panels_over_time
from liquid_control.policy import BACKENDS
from liquid_control.replay.comparison import AXES, UNITS, Comparison, pair
from liquid_control.replay.distribution_shift import DistributionShift
from liquid_control.replay.request import RECORDED
from liquid_control.replay.result import ReplayResult
from liquid_control.replay.timing import GAP_FACTOR, Intervals
from liquid_control.types import Floats

_SPANS = ((0.0, 2.0), (-0.5, 0.5), (-0.5, 0.5), (-0.5, 0.5))
_NAMES = ("forward, m/s", "left, m/s", "up, m/s", "yaw rate, rad/s, left positive")


def command_figure(result: ReplayResult) -> Timeline:
    """Return the replayed commands over time, drawn over the commands of the comparison."""
    main, track = result.main, result.replayed.track
    stamps = track.policy.stamp_ns if main is None else main.stamp_ns
    replayed = track.policy.values if main is None else main.replayed
    panels = []
    for column, (name, span) in enumerate(zip(_NAMES, _SPANS, strict=True)):
        lines = [Line(replayed[:, column], style.BLUE, "replayed", 1.3, steps=True)]
        if main is not None and result.other is not None:
            other = result.other.label
            lines.insert(0, Line(main.other[:, column], style.ORANGE, other, 2.6, steps=True))
        panels.append(Panel(name, span, tuple(lines)))
    seconds = result.seconds(stamps)
    return panels_over_time(seconds, panels, "Commands over time", zero=True, panel_in=1.2)


def difference_figure(result: ReplayResult, main: Comparison) -> Timeline | None:
    """Return replayed minus other on each axis; None without a difference."""
    difference = main.difference
    if not difference.any():
        return None
    panels = []
    for column, (name, unit) in enumerate(zip(AXES, UNITS, strict=True)):
        reach = max(1.1 * float(np.abs(difference[:, column]).max()), 1e-9)
        line = Line(difference[:, column], style.PURPLE, name, 1.2, steps=True)
        panels.append(Panel(f"{name}, {unit}", (-reach, reach), (line,)))
    seconds = result.seconds(main.stamp_ns)
    return panels_over_time(seconds, panels, "Differences over time", zero=True, key=False)


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


def neuron_figure(result: ReplayResult) -> Timeline | None:
    """Return heat maps of states, gates and, where there is one, the difference of the states."""
    track = result.replayed.track
    if not track.states.values.size:
        return None
    states = track.states.values.astype(np.float64)
    gates = track.gates.values.astype(np.float64)
    heats = [Heat.of_states("state", states)]
    if gates.size:
        heats.append(Heat.of_gates("time gate: 0 keeps the state, 1 settles it", gates))
    difference = _difference(result)
    if difference is not None and np.any(difference):
        heats.append(Heat.of_states("state, replayed minus other", difference))
    seconds = result.seconds(track.states.stamp_ns)
    order = np.argsort(seconds, kind="stable")
    heats = [Heat(h.title, h.values[order], h.colours, h.limits) for h in heats]
    label = "Neurons over time"
    return neurons_over_time(seconds[order], track.neuron_names, heats, label)


def _difference(result: ReplayResult) -> Floats | None:
    """Return the difference of the states, float64 [F, N], zero where the other track has none.

    None where the other track is another model's: its neurons share only their names.
    """
    replayed, other = result.replayed.track.states, result.other
    if other is None or other.label not in (RECORDED, *BACKENDS):
        return None
    states = other.states
    if not len(states) or states.values.shape[1] != replayed.values.shape[1]:
        return None
    pairs = pair(replayed.stamp_ns, states.stamp_ns)
    difference = np.zeros(replayed.values.shape)
    difference[pairs.replayed] = replayed.values[pairs.replayed] - states.values[pairs.other]
    return difference


_POINTS = 1500
_SCALES_M = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One path: rotated points [P, 2], colour, width in points, dashes and gaps."""

    name: str
    points: Floats
    colour: str
    width: float
    dashes: tuple[float, ...] = ()


def path_figure(result: ReplayResult) -> str:
    """Return the map as SVG, rotated so that the path runs from left to right."""
    path = result.path
    reference = path.replayed if path.odometry is None else path.odometry
    turn = _turn(reference)
    drawn = [_Drawn("replayed", _on_map(path.replayed, turn), style.BLUE, 1.6)]
    if path.other is not None and result.other is not None:
        other = result.other.label
        drawn.insert(0, _Drawn(other, _on_map(path.other, turn), style.ORANGE, 3.2))
    if path.odometry is not None:
        drawn.insert(0, _Drawn("odometry", _on_map(path.odometry, turn), style.MUTED, 1.6, (4, 3)))
    low, high = _bounds(np.concatenate([line.points for line in drawn]))
    height_in = float(np.clip(style.WIDTH_IN * (high[1] - low[1]) / (high[0] - low[0]), 1.6, 6.0))
    with style.drawing():
        figure = Figure(figsize=(style.WIDTH_IN, height_in + 0.5))
        axes = figure.add_axes((0.0, 0.5 / (height_in + 0.5), 1.0, height_in / (height_in + 0.5)))
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        axes.axis("off")
        for line in drawn:
            axes.plot(
                *line.points.T,
                color=line.colour,
                linewidth=line.width,
                linestyle=(0, line.dashes) if line.dashes else "-",
                label=line.name,
            )
            axes.plot(*line.points[-1], "o", color=line.colour, markersize=3 + 2 * line.width)
        axes.plot(*drawn[-1].points[0], "o", color=style.INK, markersize=6)
        _scale(axes, low, high)
        figure.legend(loc="lower right", ncols=len(drawn), borderaxespad=0.2)
        return style.svg(figure, "Paths from above")


def _turn(path: Floats) -> Floats:
    """Return the rotation [2, 2] of the line from start to end onto the x axis."""
    chord = path[-1, :2] - path[0, :2]
    angle = -atan2(float(chord[1]), float(chord[0]))
    return np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])


def _on_map(path: Floats, turn: Floats) -> Floats:
    keep = np.unique(np.linspace(0, len(path) - 1, min(len(path), _POINTS)).astype(int))
    return np.asarray(path[keep, :2] @ turn.T, np.float64)


def _bounds(points: Floats) -> tuple[Floats, Floats]:
    """Return the corners of the map, with a margin, also for a path without length."""
    low, high = points.min(axis=0), points.max(axis=0)
    beyond = 0.04 * max(float((high - low).max()), 1.0) + 0.3
    return low - beyond, high + beyond


def _scale(axes: Axes, low: Floats, high: Floats) -> None:
    """Draw a scale bar of a round length, about a tenth of the map."""
    wanted = 0.12 * float(high[0] - low[0])
    length = min(_SCALES_M, key=lambda scale: abs(scale - wanted))
    left, y = float(low[0]) + 0.01 * float(high[0] - low[0]), float(low[1])
    axes.plot([left, left + length], [y, y], color=style.MUTED, linewidth=2, clip_on=False)
    axes.annotate(
        f"{length} m",
        (left + length / 2, y),
        (0, -12),
        textcoords="offset points",
        ha="center",
        color=style.MUTED,
        annotation_clip=False,
    )


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
