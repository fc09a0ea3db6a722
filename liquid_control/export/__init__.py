"""Export of models for other runtimes: ONNX graphs, 8-bit or not, C and NIR, without torch.

The exported names are imported when they are first used: C code needs no package `onnx`.
"""

from typing import TYPE_CHECKING

from liquid_control.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from liquid_control.export.c import controller_c
    from liquid_control.export.c_events import events_c
    from liquid_control.export.c_fixed import fixed_controller_c
    from liquid_control.export.c_policy import policy_c
    from liquid_control.export.model_files import int8_perception, model_graphs, onnx_files
    from liquid_control.export.nir_maps import nir_file, nir_graph
    from liquid_control.export.onnx import (
        controller_graph,
        core_controller_graph,
        perception_graph,
    )

__all__ = [
    "controller_c",
    "controller_graph",
    "core_controller_graph",
    "events_c",
    "fixed_controller_c",
    "int8_perception",
    "model_graphs",
    "nir_file",
    "nir_graph",
    "onnx_files",
    "perception_graph",
    "policy_c",
]

_MODULES = {
    "controller_c": "c",
    "controller_graph": "onnx",
    "core_controller_graph": "onnx",
    "events_c": "c_events",
    "fixed_controller_c": "c_fixed",
    "int8_perception": "model_files",
    "model_graphs": "model_files",
    "nir_file": "nir_maps",
    "nir_graph": "nir_maps",
    "onnx_files": "model_files",
    "perception_graph": "onnx",
    "policy_c": "c_policy",
}

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
