"""The path over the forest, to scale, coloured by speed."""

from math import atan2, cos, sin

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from liquid_control.evaluation.figures.speed import SPEED_COLOURS, speed_limits
from liquid_control.evaluation.story import FlightStory, ForestMap
from liquid_control.pages import ink
from liquid_control.types import Floats

TRAIL_WIDTH_M = 1.0
_BEYOND_M = 3.0
_SEGMENTS = 300


def flight_map(story: FlightStory) -> str:
    """Return the map as SVG: turned so that the trail runs from left to right, north shown."""
    turn = _turn(story.map)
    trail = story.map.trail @ turn.T
    path = story.record.position[:, :2] @ turn.T
    targets = story.map.targets[:, :2] @ turn.T
    low, high = _bounds(np.concatenate([trail, path, targets]), story.map.lateral_limit_m)
    span = high - low
    height_in = float(np.clip(ink.WIDTH_IN * span[1] / span[0], 1.8, 7.0))
    with ink.drawing():
        figure = Figure(figsize=(ink.WIDTH_IN, height_in + 0.75))
        foot = 0.75 / (height_in + 0.75)
        axes = figure.add_axes((0.0, foot, 1.0, 1.0 - foot))
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        axes.axis("off")
        _way(axes, trail, story.map.lateral_limit_m)
        _bars(axes, story.map, turn)
        _targets(axes, targets, story.map.targets[:, 2])
        _trunks(axes, story.map.trunks[:, :2] @ turn.T, story.map.trunks[:, 2], low, high)
        speeds = _path(axes, path, np.linalg.norm(story.record.velocity[:, :2], axis=1))
        _ends(axes, path, story)
        scale = figure.add_axes((0.012, 0.62 * foot, 0.16, 0.10 * foot))
        bar = figure.colorbar(speeds, cax=scale, orientation="horizontal")
        bar.outline.set_visible(False)
        scale.set_title("speed, m/s", color=ink.MUTED, fontsize=8.5)
        _legend(figure, foot, low, high, turn, story)
        return ink.svg(figure, "Path over the forest map")


def _turn(ground: ForestMap) -> Floats:
    """Return the rotation [2, 2] that lays the line from start to end along x."""
    chord = ground.trail[-1] - ground.trail[0]
    angle = -atan2(float(chord[1]), float(chord[0]))
    return np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])


def _bounds(points: Floats, limit_m: float | None) -> tuple[Floats, Floats]:
    beyond = np.array([_BEYOND_M, (limit_m or _BEYOND_M) + 1.5])
    return points.min(axis=0) - beyond, points.max(axis=0) + beyond


def _way(axes: Axes, trail: Floats, limit_m: float | None) -> None:
    """Draw the trail in the corridor that may not be left, or the course as a dashed line."""
    if limit_m is None:
        axes.plot(*trail.T, linestyle=(0, (4, 4)), color=ink.MUTED, linewidth=1.0, zorder=1)
        return
    for width, colour, order in ((2 * limit_m, ink.CORRIDOR, 0), (TRAIL_WIDTH_M, ink.TRAIL, 1)):
        axes.fill(*_band(trail, width).T, color=colour, linewidth=0, zorder=order)


def _bars(axes: Axes, ground: ForestMap, turn: Floats) -> None:
    """Draw branches, posts and things, as wide as they are hit."""
    for x, y, other_x, other_y, radius in ground.bars.tolist():
        a, b = np.array([(x, y), (other_x, other_y)]) @ turn.T
        side = np.array([a[1] - b[1], b[0] - a[0]])
        length = float(np.linalg.norm(side))
        if length > radius:
            side *= radius / length
            axes.fill(*np.array([a + side, b + side, b - side, a - side]).T, color=ink.TRUNK)
        else:
            axes.add_patch(Circle(a, radius, color=ink.TRUNK, zorder=2))


def _targets(axes: Axes, centres: Floats, radii: Floats) -> None:
    """Draw what is to be found, numbered where there are several."""
    for number, (centre, radius) in enumerate(zip(centres, radii, strict=True), start=1):
        axes.add_patch(Circle(centre, radius, color=ink.RED, zorder=3))
        if len(centres) > 1:
            axes.text(
                float(centre[0]),
                float(centre[1]),
                str(number),
                ha="center",
                va="center",
                color="white",
                fontweight="bold",
            )


def _trunks(axes: Axes, centres: Floats, radii: Floats, low: Floats, high: Floats) -> None:
    """Draw the trunks that are whole on the map."""
    edge = radii[:, None]
    whole = ((centres - edge > low) & (centres + edge < high)).all(axis=1)
    diameters = 2 * radii[whole]
    if not len(diameters):
        return
    axes.add_collection(
        EllipseCollection(
            diameters,
            diameters,
            np.zeros(len(diameters)),
            units="xy",
            offsets=centres[whole],
            offset_transform=axes.transData,
            facecolor=ink.TRUNK,
            zorder=3,
        )
    )


def _band(trail: Floats, width_m: float) -> Floats:
    """Return the polygon [2P, 2] of a strip along the trail."""
    along = np.gradient(trail, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    left = np.stack([-along[:, 1], along[:, 0]], axis=1) * width_m / 2
    return np.concatenate([trail + left, (trail - left)[::-1]])


def _path(axes: Axes, path: Floats, speed: Floats) -> LineCollection:
    keep = np.unique(np.linspace(0, len(path) - 1, min(len(path), _SEGMENTS)).astype(int))
    points = path[keep]
    pieces = np.stack([points[:-1], points[1:]], axis=1)
    lines = LineCollection(list(pieces), cmap=SPEED_COLOURS, linewidth=2.2, capstyle="round")
    lines.set(zorder=4, array=speed[keep][:-1], clim=speed_limits(speed))
    axes.add_collection(lines)
    return lines


def _ends(axes: Axes, path: Floats, story: FlightStory) -> None:
    result = story.record.result
    colour = ink.GREEN if result.success else ink.RED
    axes.plot(*path[0], "o", color=ink.INK, markersize=5, zorder=5)
    axes.plot(*path[-1], "o" if result.success else "X", color=colour, markersize=9, zorder=6)
    offset = (0, 10)
    axes.annotate(
        "start", path[0], offset, textcoords="offset points", ha="center", color=ink.INK, zorder=6
    )
    axes.annotate(
        result.reason.replace("_", " "),
        path[-1],
        offset,
        textcoords="offset points",
        ha="center",
        color=colour,
        fontweight="bold",
        zorder=6,
    )


def _legend(
    figure: Figure, foot: float, low: Floats, high: Floats, turn: Floats, story: FlightStory
) -> None:
    """Draw the scale bar, north, and the mean wind below the map."""
    axes = figure.add_axes((0.0, 0.0, 1.0, foot))
    width_in, height_in = figure.get_size_inches()
    per_m = width_in / float(high[0] - low[0])
    axes.set(xlim=(0, width_in), ylim=(0, height_in * foot))
    axes.axis("off")
    middle, left = 0.42 * height_in * foot, 2.6
    axes.plot([left, left + 10 * per_m], [middle, middle], color=ink.MUTED, linewidth=2)
    axes.text(left + 5 * per_m, middle + 0.09, "10 m", ha="center", color=ink.MUTED)
    left += 10 * per_m + 0.7
    _arrow(axes, left, middle, turn @ np.array([0.0, 1.0]), ink.MUTED, "north")
    wind = story.record.wind[:, :2].mean(axis=0)
    mean = float(np.linalg.norm(wind))
    if mean > 0.05:
        label = f"mean wind {mean:.1f} m/s"
        _arrow(axes, left + 1.4, middle, turn @ wind / mean, ink.ORANGE, label)


def _arrow(axes: Axes, x: float, y: float, way: Floats, colour: str, label: str) -> None:
    half = 0.19 * way
    axes.annotate(
        "",
        (x + half[0], y + half[1]),
        (x - half[0], y - half[1]),
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.6},
    )
    axes.text(x + 0.3, y, label, va="center", color=colour)
