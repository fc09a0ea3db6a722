"""The report's figures: SVG whose colours are CSS variables, so that they follow the theme."""

from liquid_control.evaluation.figures.flight_map import flight_map
from liquid_control.evaluation.figures.neuron_map import neuron_map
from liquid_control.evaluation.figures.timelines import commands_over_time, margins_over_time

__all__ = ["commands_over_time", "flight_map", "margins_over_time", "neuron_map"]
