"""Commands, wind and margins over time: small panels on one clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from liquid_control.evaluation.story import FlightStory
from liquid_control.frames import heading_from_world, heading_of
from liquid_control.pages import ink
from liquid_control.types import Floats

_PANEL_IN = 0.95
_COMMANDS = (
    ("forward, m/s", (0.0, 2.0)),
    ("left, m/s", (-0.5, 0.5)),
    ("up, m/s", (-0.5, 0.5)),
    ("yaw rate, rad/s", (-0.5, 0.5)),
)
"""Name of each value of a command, and the least span of its axis."""


@dataclass(frozen=True, slots=True)
class _Line:
    values: Floats
    colour: str
    label: str
    width: float = 1.4
    steps: bool = False


@dataclass(frozen=True, slots=True)
class _Panel:
    """One quantity; its axis shows at least the `span`, so that noise does not look like drama."""

    name: str
    span: tuple[float, float]
    lines: tuple[_Line, ...]


def commands_over_time(story: FlightStory) -> str:
    """Return what was commanded and what was flown, as SVG."""
    record = story.record
    flown = flown_motion(story)
    panels = [
        _Panel(
            name,
            span,
            (
                _Line(flown[:, column], ink.MUTED, "flown", 1.1),
                _Line(record.command[:, column], ink.BLUE, "commanded", steps=True),
            ),
        )
        for column, (name, span) in enumerate(_COMMANDS)
    ]
    return _panels(story, panels, "Commands over time", zero=True)


def margins_over_time(story: FlightStory) -> str:
    """Return wind, distance from the trail, clearance and height, as SVG."""
    record = story.record
    wind = np.linalg.norm(record.wind, axis=1)
    height = record.position[:, 2]
    middle = float(np.median(height))
    panels = [
        _Panel("wind speed at the vehicle, m/s", (0.0, 1.0), (_Line(wind, ink.ORANGE, "wind"),)),
        _Panel(
            "cross-track, left of the trail positive, m",
            (-0.5, 0.5),
            (_Line(record.cross_track_m, ink.BLUE, "cross-track"),),
        ),
        _Panel(
            "clearance to the nearest tree, m",
            (0.0, 1.0),
            (_Line(record.clearance_m, ink.GREEN, "clearance"),),
        ),
        _Panel("height, m", (middle - 0.3, middle + 0.3), (_Line(height, ink.PURPLE, "height"),)),
    ]
    return _panels(story, panels, "Wind and margins over time", zero=False)


def flown_motion(story: FlightStory) -> Floats:
    """Return what was flown in the terms of `Command.values`, float64 [T, 4]."""
    record = story.record
    headings = np.array([heading_of(quaternion) for quaternion in record.quaternion])
    velocity = np.array(
        [
            heading_from_world(velocity, heading)
            for velocity, heading in zip(record.velocity, headings, strict=True)
        ]
    )
    elapsed = story.seconds(record.stamp_ns)
    turning = np.gradient(np.unwrap(headings), elapsed) if len(elapsed) > 1 else np.zeros(1)
    return np.column_stack([velocity, turning])


def _panels(story: FlightStory, panels: Sequence[_Panel], label: str, zero: bool) -> str:
    seconds = story.seconds(story.record.stamp_ns)
    with ink.drawing():
        size = (ink.WIDTH_IN, len(panels) * _PANEL_IN + 0.55)
        figure = Figure(figsize=size)
        column = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        top = 1 - 0.3 / size[1]
        figure.subplots_adjust(0.045, 0.45 / size[1], 0.995, top, hspace=0.55)
        for axes, panel in zip(column, panels, strict=True):
            _draw(axes, seconds, panel)
            axes.tick_params(bottom=axes is column[-1])
            if zero:
                axes.axhline(0.0, color=ink.GRID, linewidth=1.4, zorder=1)
        column[-1].set_xlabel("time, s", loc="right")
        column[-1].set_xlim(0.0, max(float(seconds[-1]), 1e-3))
        if zero:
            _key(column[0])
        return ink.svg(figure, label)


def _draw(axes: Axes, seconds: Floats, panel: _Panel) -> None:
    ink.quiet_axes(axes)
    axes.set_title(panel.name)
    thin = max(1, ceil(len(seconds) / 2000))
    for line in panel.lines:
        axes.plot(
            seconds[::thin],
            line.values[::thin],
            color=line.colour,
            linewidth=line.width,
            label=line.label,
            drawstyle="steps-post" if line.steps else "default",
        )
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, panel.span[0]), max(high, panel.span[1]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))


def _key(axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], labels[::-1], loc="lower right", bbox_to_anchor=(1.0, 0.93), ncols=2
    )
