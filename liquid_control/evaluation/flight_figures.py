"""Figures of a flight as SVG: map, commands, margins and neurons."""

from collections.abc import Sequence
from math import atan2, ceil, cos, floor, sin

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from liquid_control.evaluation.flight_data import FlightData, ForestMap, NeuronTrack
from liquid_control.frames import heading_from_world, heading_of
from liquid_control.pages import style
from liquid_control.pages.heat_map import Heat, neurons_over_time
from liquid_control.pages.panels import Line, Panel, panels_over_time
from liquid_control.types import Floats, Pixels

SPEED_COLOURS = LinearSegmentedColormap.from_list(
    "speed", ["#3b6fd4", "#2a9d8f", "#e9b44c", "#e05a47"]
)


def speed_limits(speed_mps: Floats) -> tuple[float, float]:
    """Return whole m/s below the slowest and above the fastest, at least 1 m/s apart."""
    low = float(floor(float(speed_mps.min())))
    return low, max(low + 1.0, float(ceil(float(speed_mps.max()))))


def speed_colours(speed_mps: Floats) -> Pixels:
    """Return the RGB colour of each speed, uint8 [T, 3]."""
    low, high = speed_limits(speed_mps)
    return np.asarray(SPEED_COLOURS((speed_mps - low) / (high - low), bytes=True))[:, :3]


TRAIL_WIDTH_M = 1.0
_BEYOND_M = 3.0
_SEGMENTS = 300


def flight_map(flight: FlightData) -> str:
    """Return the map as SVG, turned so that the trail runs from left to right; north is shown."""
    turn = _turn(flight.map)
    trail = flight.map.trail @ turn.T
    path = flight.record.position[:, :2] @ turn.T
    targets = flight.map.targets[:, :2] @ turn.T
    low, high = _bounds(np.concatenate([trail, path, targets]), flight.map.lateral_limit_m)
    span = high - low
    height_in = float(np.clip(style.WIDTH_IN * span[1] / span[0], 1.8, 7.0))
    with style.drawing():
        figure = Figure(figsize=(style.WIDTH_IN, height_in + 0.75))
        foot = 0.75 / (height_in + 0.75)
        axes = figure.add_axes((0.0, foot, 1.0, 1.0 - foot))
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
        axes.axis("off")
        _way(axes, trail, flight.map.lateral_limit_m)
        _bars(axes, flight.map, turn)
        _targets(axes, targets, flight.map.targets[:, 2])
        _trunks(axes, flight.map.trunks[:, :2] @ turn.T, flight.map.trunks[:, 2], low, high)
        speeds = _path(axes, path, np.linalg.norm(flight.record.velocity[:, :2], axis=1))
        _ends(axes, path, flight)
        scale = figure.add_axes((0.012, 0.62 * foot, 0.16, 0.10 * foot))
        bar = figure.colorbar(speeds, cax=scale, orientation="horizontal")
        bar.outline.set_visible(False)
        scale.set_title("speed, m/s", color=style.MUTED, fontsize=8.5)
        _legend(figure, foot, low, high, turn, flight)
        return style.svg(figure, "Path over the forest map")


def _turn(ground: ForestMap) -> Floats:
    """Return the rotation [2, 2] that lays the line from start to end along x."""
    chord = ground.trail[-1] - ground.trail[0]
    angle = -atan2(float(chord[1]), float(chord[0]))
    return np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])


def _bounds(points: Floats, limit_m: float | None) -> tuple[Floats, Floats]:
    beyond = np.array([_BEYOND_M, (limit_m or _BEYOND_M) + 1.5])
    return points.min(axis=0) - beyond, points.max(axis=0) + beyond


def _way(axes: Axes, trail: Floats, limit_m: float | None) -> None:
    """Draw the trail inside its corridor, or the course as a dashed line."""
    if limit_m is None:
        axes.plot(*trail.T, linestyle=(0, (4, 4)), color=style.MUTED, linewidth=1.0, zorder=1)
        return
    for width, colour, order in (
        (2 * limit_m, style.CORRIDOR, 0),
        (TRAIL_WIDTH_M, style.TRAIL, 1),
    ):
        axes.fill(*_band(trail, width).T, color=colour, linewidth=0, zorder=order)


def _bars(axes: Axes, ground: ForestMap, turn: Floats) -> None:
    """Draw branches, posts and objects with their collision radius."""
    for x, y, other_x, other_y, radius in ground.bars.tolist():
        a, b = np.array([(x, y), (other_x, other_y)]) @ turn.T
        side = np.array([a[1] - b[1], b[0] - a[0]])
        length = float(np.linalg.norm(side))
        if length > radius:
            side *= radius / length
            axes.fill(*np.array([a + side, b + side, b - side, a - side]).T, color=style.TRUNK)
        else:
            axes.add_patch(Circle(a, radius, color=style.TRUNK, zorder=2))


def _targets(axes: Axes, centres: Floats, radii: Floats) -> None:
    """Draw the targets, numbered if there are several."""
    for number, (centre, radius) in enumerate(zip(centres, radii, strict=True), start=1):
        axes.add_patch(Circle(centre, radius, color=style.RED, zorder=3))
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
    """Draw the trunks that lie completely on the map."""
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
            facecolor=style.TRUNK,
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


def _ends(axes: Axes, path: Floats, flight: FlightData) -> None:
    result = flight.record.result
    colour = style.GREEN if result.success else style.RED
    axes.plot(*path[0], "o", color=style.INK, markersize=5, zorder=5)
    axes.plot(*path[-1], "o" if result.success else "X", color=colour, markersize=9, zorder=6)
    offset = (0, 10)
    axes.annotate(
        "start",
        path[0],
        offset,
        textcoords="offset points",
        ha="center",
        color=style.INK,
        zorder=6,
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
    figure: Figure, foot: float, low: Floats, high: Floats, turn: Floats, flight: FlightData
) -> None:
    """Draw the scale bar, north, and the mean wind below the map."""
    axes = figure.add_axes((0.0, 0.0, 1.0, foot))
    width_in, height_in = figure.get_size_inches()
    per_m = width_in / float(high[0] - low[0])
    axes.set(xlim=(0, width_in), ylim=(0, height_in * foot))
    axes.axis("off")
    middle, left = 0.42 * height_in * foot, 2.6
    axes.plot([left, left + 10 * per_m], [middle, middle], color=style.MUTED, linewidth=2)
    axes.text(left + 5 * per_m, middle + 0.09, "10 m", ha="center", color=style.MUTED)
    left += 10 * per_m + 0.7
    _arrow(axes, left, middle, turn @ np.array([0.0, 1.0]), style.MUTED, "north")
    wind = flight.record.wind[:, :2].mean(axis=0)
    mean = float(np.linalg.norm(wind))
    if mean > 0.05:
        label = f"mean wind {mean:.1f} m/s"
        _arrow(axes, left + 1.4, middle, turn @ wind / mean, style.ORANGE, label)


def _arrow(axes: Axes, x: float, y: float, way: Floats, colour: str, label: str) -> None:
    half = 0.19 * way
    axes.annotate(
        "",
        (x + half[0], y + half[1]),
        (x - half[0], y - half[1]),
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.6},
    )
    axes.text(x + 0.3, y, label, va="center", color=colour)


_COMMANDS = (
    ("forward, m/s", (0.0, 2.0)),
    ("left, m/s", (-0.5, 0.5)),
    ("up, m/s", (-0.5, 0.5)),
    ("yaw rate, rad/s", (-0.5, 0.5)),
)
"""Name of each value of a command, and the smallest range of its axis."""


def commands_over_time(flight: FlightData) -> str:
    """Return commanded and flown velocities as SVG."""
    record = flight.record
    flown = flown_motion(flight)
    panels = [
        Panel(
            name,
            span,
            (
                Line(flown[:, column], style.MUTED, "flown", 1.1),
                Line(record.command[:, column], style.BLUE, "commanded", steps=True),
            ),
        )
        for column, (name, span) in enumerate(_COMMANDS)
    ]
    return _panels(flight, panels, "Commands over time", zero=True)


def margins_over_time(flight: FlightData) -> str:
    """Return wind, distance from the trail, clearance and height, as SVG."""
    record = flight.record
    wind = np.linalg.norm(record.wind, axis=1)
    height = record.position[:, 2]
    middle = float(np.median(height))
    panels = [
        Panel("wind speed at the vehicle, m/s", (0.0, 1.0), (Line(wind, style.ORANGE, "wind"),)),
        Panel(
            "cross-track, left of the trail positive, m",
            (-0.5, 0.5),
            (Line(record.cross_track_m, style.BLUE, "cross-track"),),
        ),
        Panel(
            "clearance to the nearest tree, m",
            (0.0, 1.0),
            (Line(record.clearance_m, style.GREEN, "clearance"),),
        ),
        Panel(
            "height, m",
            (middle - 0.3, middle + 0.3),
            (Line(height, style.PURPLE, "height"),),
        ),
    ]
    return _panels(flight, panels, "Wind and margins over time", zero=False)


def flown_motion(flight: FlightData) -> Floats:
    """Return the flown velocities in the form of `Command.values`, float64 [T, 4]."""
    record = flight.record
    headings = np.array([heading_of(quaternion) for quaternion in record.quaternion])
    velocity = np.array(
        [
            heading_from_world(velocity, heading)
            for velocity, heading in zip(record.velocity, headings, strict=True)
        ]
    )
    elapsed = flight.seconds(record.stamp_ns)
    turning = np.gradient(np.unwrap(headings), elapsed) if len(elapsed) > 1 else np.zeros(1)
    return np.column_stack([velocity, turning])


def _panels(flight: FlightData, panels: Sequence[Panel], label: str, zero: bool) -> str:
    return panels_over_time(flight.seconds(flight.record.stamp_ns), panels, label, zero).svg


def neuron_map(flight: FlightData, neurons: NeuronTrack) -> str:
    """Return heat maps of states and, where there are any, of gates as SVG."""
    heats = [Heat.of_states("state", neurons.state)]
    if neurons.gate.size:
        title = "time gate: 0 where a neuron stays, 1 where it has settled"
        heats.append(Heat.of_gates(title, neurons.gate))
    seconds = flight.seconds(neurons.stamp_ns)
    return neurons_over_time(seconds, neurons.names, heats, "The neurons over time").svg
