"""ONNX graphs of a model folder from its settings and arrays."""

from liquid_control.errors import ModelError
from liquid_control.export.onnx import controller_graph, core_controller_graph, perception_graph
from liquid_control.liquid.weights import CfCWeights
from liquid_control.policy import WIRED
from liquid_control.policy.model import CONTROLLER, PERCEPTION, Arrays, core_checksum
from liquid_control.policy.model_settings import ModelSettings


def model_graphs(
    settings: ModelSettings, arrays: Arrays, core_step: bytes | None = None
) -> dict[str, bytes]:
    """Return `perception.onnx` and `controller.onnx`, serialised, as `save_model` expects them.

    Args:
        settings: settings of the model.
        arrays: arrays of the core and the perception network, by name.
        core_step: one step of the core, from `liquid_control.cores.step_graph`; not needed for a
            wired CfC.

    Raises:
        CellError: the arrays of the controller do not fit its wiring.
        ModelError: the arrays of the perception network do not fit its spec, or a core other
            than the wired CfC comes without its step.
    """
    core = settings.core
    if core.kind == WIRED:
        weights = CfCWeights.from_arrays(arrays, core.circuit, core.masking, core.time_unit_s)
        controller = controller_graph(weights, settings.motors)
    elif core_step is None:
        raise ModelError(f"expected one step of core {core.kind} as an ONNX graph, got none")
    else:
        controller = core_controller_graph(core_step, settings.motors, core_checksum(arrays))
    return {PERCEPTION: perception_graph(settings.perception, arrays), CONTROLLER: controller}
