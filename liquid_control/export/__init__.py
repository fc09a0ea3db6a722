"""Export of models for other runtimes: ONNX graphs, 8-bit or not, and C, without torch."""

from liquid_control.export.c import controller_c
from liquid_control.export.c_fixed import fixed_controller_c
from liquid_control.export.c_policy import policy_c
from liquid_control.export.int8 import int8_perception
from liquid_control.export.model_graphs import model_graphs
from liquid_control.export.onnx import controller_graph, core_controller_graph, perception_graph

__all__ = [
    "controller_c",
    "controller_graph",
    "core_controller_graph",
    "fixed_controller_c",
    "int8_perception",
    "model_graphs",
    "perception_graph",
    "policy_c",
]
