"""The figures of a replay's page: SVG whose colours follow the theme."""

from liquid_control.replay.figures.commands import command_figure, difference_figure
from liquid_control.replay.figures.histogram import interval_figure
from liquid_control.replay.figures.neurons import neuron_figure
from liquid_control.replay.figures.paths import path_figure
from liquid_control.replay.figures.shift import shift_figure

__all__ = [
    "command_figure",
    "difference_figure",
    "interval_figure",
    "neuron_figure",
    "path_figure",
    "shift_figure",
]
