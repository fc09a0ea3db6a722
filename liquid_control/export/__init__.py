"""Export of weights for other runtimes: ONNX graphs and C, without torch."""

from liquid_control.export.c import controller_c
from liquid_control.export.model_graphs import model_graphs
from liquid_control.export.onnx import controller_graph, core_controller_graph, perception_graph

__all__ = [
    "controller_c",
    "controller_graph",
    "core_controller_graph",
    "model_graphs",
    "perception_graph",
]
