"""From weights to what other runtimes load: ONNX graphs, made without torch."""

from liquid_control.export.model_graphs import model_graphs
from liquid_control.export.onnx import controller_graph, perception_graph

__all__ = ["controller_graph", "model_graphs", "perception_graph"]
