"""Export to NIR, the Neuromorphic Intermediate Representation: what its primitives can hold.

NIR (Pedersen et al. 2024, doi 10.1038/s41467-024-52259-9) has convolutions, affine maps and
spiking or leaky neurons. It has no ReLU, tanh or sigmoid, no product of two signals, and no
elapsed time that differs between steps. So the graph holds every linear map of a policy, each
between an input and an output of its own: the layers of the perception network, and for each layer
of the wired CfC its four maps. What joins them is named in the metadata and must be written by the
reader, as must send-on-delta and the rounding to integers: the weights are the model's floats.
"""

import io
from typing import Any

import numpy as np

from liquid_control.dependencies import require
from liquid_control.errors import ModelError
from liquid_control.liquid.weights import MAPS
from liquid_control.policy import WIRED
from liquid_control.policy.model import Model

NIR_FILE = "policy.nir"
MISSING = (
    "ReLU, tanh and sigmoid",
    "the products of the time gate",
    "elapsed time",
    "thresholds of changes",
)
"""What a policy has and NIR has not."""
JOINED = {
    "perception.hidden": "relu",
    "perception.linear": "tanh",
    "core": "s = sigmoid(time_a * dt / time_unit_s + time_b); "
    "state = tanh(ff1) * (1 - s) + tanh(ff2) * s",
}


def nir_graph(model: Model) -> Any:
    """Return the linear maps of a policy as a `nir.NIRGraph`.

    Nodes have the names of layers, such as `perception.conv0` and `core.command`; an input and an
    output with `.input` and `.output` added belong to each. The metadata of a node says which
    function follows. The inputs of a layer of the core are those of its neurons, the features or
    the new states of the layer before, and then its own previous states; its outputs are ff1, ff2,
    time_a and time_b of all its neurons.

    Raises:
        ModelError: the model has another core than the wired CfC.
        DependencyError: the package `nir` is not installed.
    """
    if model.settings.core.kind != WIRED:
        raise ModelError(
            f"{model.name}: expected core {WIRED} for NIR, got {model.settings.core.kind}"
        )
    nir: Any = require("nir", "nir", "export to NIR")
    spec, nodes, edges = model.settings.perception, {}, []
    for index, (name, shape) in enumerate(zip(spec.layer_names, spec.layers, strict=True)):
        weight, bias = (model.arrays[f"{name}.{part}"] for part in ("weight", "bias"))
        if index < len(spec.convolutions):
            nodes[name] = nir.Conv2d(
                input_shape=(shape.rows, shape.columns),
                weight=weight,
                stride=shape.stride,
                padding=shape.padding,
                dilation=1,
                groups=1,
                bias=bias,
            )
        else:
            nodes[name] = nir.Affine(weight=weight, bias=bias)
        nodes[name].metadata = {"then": JOINED.get(name, "relu")}
    weights = model.weights
    for layer, maps in zip(weights.wiring.layers, weights.layers, strict=True):
        name = f"core.{layer.role}"
        weight, bias = np.concatenate(maps.weight), np.concatenate(maps.bias)
        nodes[name] = nir.Affine(weight=weight, bias=bias)
        nodes[name].metadata = {
            "then": JOINED["core"],
            "maps": ", ".join(MAPS),
            "time_unit_s": weights.time_unit_s,
        }
    for name, node in list(nodes.items()):
        nodes[f"{name}.input"] = nir.Input(input_type=node.input_type)
        nodes[f"{name}.output"] = nir.Output(output_type=node.output_type)
        edges += [(f"{name}.input", name), (name, f"{name}.output")]
    graph = nir.NIRGraph(nodes=nodes, edges=edges)
    graph.metadata = {"model": model.name, "missing": "; ".join(MISSING)}
    return graph


def nir_file(model: Model) -> bytes:
    """Return the content of the HDF5 file of `nir_graph`, which `nir.read` reads.

    Raises:
        ModelError: the model has another core than the wired CfC.
        DependencyError: the package `nir` is not installed.
    """
    graph = nir_graph(model)
    nir: Any = require("nir", "nir", "export to NIR")
    content = io.BytesIO()
    nir.write(content, graph)
    return content.getvalue()
