"""Commands over time: replayed on recorded, and what lies between them."""

import numpy as np

from liquid_control.pages import ink
from liquid_control.pages.panels import Line, Panel, Timeline, panels_over_time
from liquid_control.replay.comparison import AXES, UNITS, Comparison
from liquid_control.replay.judgement import Judgement

_SPANS = ((0.0, 2.0), (-0.5, 0.5), (-0.5, 0.5), (-0.5, 0.5))
_NAMES = ("forward, m/s", "left, m/s", "up, m/s", "yaw rate, rad/s, left positive")


def command_figure(judgement: Judgement) -> Timeline:
    """Return the replayed commands, and those that they are compared with below them."""
    main, track = judgement.main, judgement.replayed.track
    stamps = track.policy.stamp_ns if main is None else main.stamp_ns
    ours = track.policy.values if main is None else main.ours
    panels = []
    for column, (name, span) in enumerate(zip(_NAMES, _SPANS, strict=True)):
        lines = [Line(ours[:, column], ink.BLUE, "replayed", 1.3, steps=True)]
        if main is not None and judgement.other is not None:
            other = judgement.other.label
            lines.insert(0, Line(main.theirs[:, column], ink.ORANGE, other, 2.6, steps=True))
        panels.append(Panel(name, span, tuple(lines)))
    seconds = judgement.seconds(stamps)
    return panels_over_time(seconds, panels, "Commands over time", zero=True, panel_in=1.2)


def difference_figure(judgement: Judgement, main: Comparison) -> Timeline | None:
    """Return replayed less the other on each axis, or None where nothing differs."""
    difference = main.difference
    if not difference.any():
        return None
    panels = []
    for column, (name, unit) in enumerate(zip(AXES, UNITS, strict=True)):
        reach = max(1.1 * float(np.abs(difference[:, column]).max()), 1e-9)
        line = Line(difference[:, column], ink.PURPLE, name, 1.2, steps=True)
        panels.append(Panel(f"{name}, {unit}", (-reach, reach), (line,)))
    seconds = judgement.seconds(main.stamp_ns)
    return panels_over_time(seconds, panels, "Differences over time", zero=True, key=False)
