"""Commands, wind and margins over time: small panels on one clock."""

from collections.abc import Sequence

import numpy as np

from liquid_control.evaluation.story import FlightStory
from liquid_control.frames import heading_from_world, heading_of
from liquid_control.pages import ink
from liquid_control.pages.panels import Line, Panel, panels_over_time
from liquid_control.types import Floats

_COMMANDS = (
    ("forward, m/s", (0.0, 2.0)),
    ("left, m/s", (-0.5, 0.5)),
    ("up, m/s", (-0.5, 0.5)),
    ("yaw rate, rad/s", (-0.5, 0.5)),
)
"""Name of each value of a command, and the least span of its axis."""


def commands_over_time(story: FlightStory) -> str:
    """Return what was commanded and what was flown, as SVG."""
    record = story.record
    flown = flown_motion(story)
    panels = [
        Panel(
            name,
            span,
            (
                Line(flown[:, column], ink.MUTED, "flown", 1.1),
                Line(record.command[:, column], ink.BLUE, "commanded", steps=True),
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
        Panel("wind speed at the vehicle, m/s", (0.0, 1.0), (Line(wind, ink.ORANGE, "wind"),)),
        Panel(
            "cross-track, left of the trail positive, m",
            (-0.5, 0.5),
            (Line(record.cross_track_m, ink.BLUE, "cross-track"),),
        ),
        Panel(
            "clearance to the nearest tree, m",
            (0.0, 1.0),
            (Line(record.clearance_m, ink.GREEN, "clearance"),),
        ),
        Panel("height, m", (middle - 0.3, middle + 0.3), (Line(height, ink.PURPLE, "height"),)),
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


def _panels(story: FlightStory, panels: Sequence[Panel], label: str, zero: bool) -> str:
    return panels_over_time(story.seconds(story.record.stamp_ns), panels, label, zero).svg
