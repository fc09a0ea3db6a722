"""Where both rows of commands lead, and what was flown, from above and to scale."""

from dataclasses import dataclass
from math import atan2, cos, sin

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from liquid_control.pages import ink
from liquid_control.replay.judgement import Judgement
from liquid_control.types import Floats

_POINTS = 1500
_SCALES_M = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One path: points [P, 2] as turned, colour, width in points, dashes and gaps."""

    name: str
    points: Floats
    colour: str
    width: float
    dashes: tuple[float, ...] = ()


def path_figure(judgement: Judgement) -> str:
    """Return the map as SVG: turned so that it runs from left to right."""
    path = judgement.path
    reference = path.ours if path.odometry is None else path.odometry
    turn = _turn(reference)
    drawn = [_Drawn("replayed", _seen(path.ours, turn), ink.BLUE, 1.6)]
    if path.theirs is not None and judgement.other is not None:
        other = judgement.other.label
        drawn.insert(0, _Drawn(other, _seen(path.theirs, turn), ink.ORANGE, 3.2))
    if path.odometry is not None:
        drawn.insert(0, _Drawn("odometry", _seen(path.odometry, turn), ink.MUTED, 1.6, (4, 3)))
    low, high = _bounds(np.concatenate([line.points for line in drawn]))
    height_in = float(np.clip(ink.WIDTH_IN * (high[1] - low[1]) / (high[0] - low[0]), 1.6, 6.0))
    with ink.drawing():
        figure = Figure(figsize=(ink.WIDTH_IN, height_in + 0.5))
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
        axes.plot(*drawn[-1].points[0], "o", color=ink.INK, markersize=6)
        _scale(axes, low, high)
        figure.legend(loc="lower right", ncols=len(drawn), borderaxespad=0.2)
        return ink.svg(figure, "Paths from above")


def _turn(path: Floats) -> Floats:
    """Return the rotation [2, 2] that lays the line from start to end along x."""
    chord = path[-1, :2] - path[0, :2]
    angle = -atan2(float(chord[1]), float(chord[0]))
    return np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])


def _seen(path: Floats, turn: Floats) -> Floats:
    keep = np.unique(np.linspace(0, len(path) - 1, min(len(path), _POINTS)).astype(int))
    return np.asarray(path[keep, :2] @ turn.T, np.float64)


def _bounds(points: Floats) -> tuple[Floats, Floats]:
    """Return the corners of the map; a path without length gets a metre around it."""
    low, high = points.min(axis=0), points.max(axis=0)
    beyond = 0.04 * max(float((high - low).max()), 1.0) + 0.3
    return low - beyond, high + beyond


def _scale(axes: Axes, low: Floats, high: Floats) -> None:
    """Draw a bar of a round length, about a tenth of the map."""
    wanted = 0.12 * float(high[0] - low[0])
    length = min(_SCALES_M, key=lambda scale: abs(scale - wanted))
    left, y = float(low[0]) + 0.01 * float(high[0] - low[0]), float(low[1])
    axes.plot([left, left + length], [y, y], color=ink.MUTED, linewidth=2, clip_on=False)
    axes.annotate(
        f"{length} m",
        (left + length / 2, y),
        (0, -12),
        textcoords="offset points",
        ha="center",
        color=ink.MUTED,
        annotation_clip=False,
    )
