"""ONNX graphs of a model folder from its settings and arrays."""

from liquid_control.export.onnx import controller_graph, perception_graph
from liquid_control.liquid.weights import CfCWeights
from liquid_control.policy.model import CONTROLLER, PERCEPTION, Arrays
from liquid_control.policy.model_settings import ModelSettings


def model_graphs(settings: ModelSettings, arrays: Arrays) -> dict[str, bytes]:
    """Return `perception.onnx` and `controller.onnx`, serialised, as `save_model` expects them.

    Args:
        settings: settings of the model.
        arrays: arrays of the controller and the perception network, by name.

    Raises:
        CellError: the arrays of the controller do not fit its wiring.
        ModelError: the arrays of the perception network do not fit its spec.
    """
    weights = CfCWeights.from_arrays(
        arrays, settings.circuit, settings.masking, settings.time_unit_s
    )
    return {
        PERCEPTION: perception_graph(settings.perception, arrays),
        CONTROLLER: controller_graph(weights, settings.motors),
    }
