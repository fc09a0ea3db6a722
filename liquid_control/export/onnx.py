"""ONNX graphs from arrays, without torch, for the flight encoder and other runtimes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from liquid_control.command.motors import MotorScaling
from liquid_control.errors import CellError, ModelError
from liquid_control.liquid.weights import MAPS, CfCWeights, Mode
from liquid_control.perception import MOUNT_SIZE, PerceptionSpec

OPSET = 17
IR_VERSION = 8

Arrays = Mapping[str, NDArray[np.float32]]


class _Graph:
    """Builder of a graph; every node has one output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=output, **attributes)
        )
        return output

    def split(self, value: str, outputs: Sequence[str], sizes: Sequence[int]) -> Sequence[str]:
        at = self.constant(f"{value}.sizes", np.array(sizes, dtype=np.int64))
        self.nodes.append(helper.make_node("Split", [value, at], list(outputs), axis=1))
        return outputs

    def serialise(
        self,
        name: str,
        inputs: Mapping[str, Sequence[str | int]],
        outputs: Mapping[str, Sequence[str | int]],
    ) -> bytes:
        graph = helper.make_graph(
            self.nodes, name, _values(inputs), _values(outputs), self.constants
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="liquid_control"
        )
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def perception_graph(spec: PerceptionSpec, arrays: Arrays) -> bytes:
    """Return the perception network: `pictures` float32 [B, 3, H, W] to `features` [B, F].

    With `spec.mount` it has a second input, `mount` float32 [B, 2].

    Args:
        spec: layers and sizes.
        arrays: weights, named and shaped as `spec.array_shapes()`.

    Raises:
        ModelError: an array is missing or does not fit.
    """
    for name, shape in spec.array_shapes().items():
        if name not in arrays or arrays[name].shape != shape:
            got = arrays[name].shape if name in arrays else "nothing"
            raise ModelError(f"{name}: expected an array of shape {shape}, got {got}")
    graph = _Graph()
    value = "pictures"
    for index, conv in enumerate(spec.convolutions):
        names = [f"perception.conv{index}.{kind}" for kind in ("weight", "bias")]
        constants = [graph.constant(name, arrays[name]) for name in names]
        maps = graph.node(
            "Conv",
            [value, *constants],
            f"conv{index}",
            kernel_shape=[conv.kernel] * 2,
            strides=[conv.stride] * 2,
            pads=[conv.padding] * 4,
        )
        value = graph.node("Relu", [maps], f"relu{index}")
    flat = graph.node("Flatten", [value], "flat", axis=1)
    inputs: dict[str, Sequence[str | int]] = {"pictures": ["B", 3, spec.height, spec.width]}
    if spec.mount:
        flat = graph.node("Concat", [flat, "mount"], "mounted", axis=1)
        inputs["mount"] = ["B", MOUNT_SIZE]
    if spec.hidden:
        names = [f"perception.hidden.{kind}" for kind in ("weight", "bias")]
        hidden = [graph.constant(name, arrays[name]) for name in names]
        summed = graph.node("Gemm", [flat, *hidden], "hidden_sum", transB=1)
        flat = graph.node("Relu", [summed], "hidden")
    names = [f"perception.linear.{kind}" for kind in ("weight", "bias")]
    linear = [graph.constant(name, arrays[name]) for name in names]
    value = graph.node("Gemm", [flat, *linear], "linear", transB=1)
    graph.node("Tanh", [value], "features")
    return graph.serialise(
        "perception",
        inputs,
        {"features": ["B", spec.features]},
    )


def controller_graph(weights: CfCWeights, motors: MotorScaling) -> bytes:
    """Return one step of the controller.

    Inputs `features` [B, I], `state` [B, N] and `dt` [B] in s; outputs `command` [B, 4] in m/s and
    rad/s, `next_state` [B, N] and `gates` [B, N]; all float32. The equations are those of
    `liquid_control.liquid.reference`.

    Raises:
        CellError: the mode of the weights is not `default`.
    """
    if weights.mode is not Mode.DEFAULT:
        raise CellError(f"expected a CfC in mode 'default', got {weights.mode.value!r}")
    wiring = weights.wiring
    graph = _Graph()
    unit = graph.constant("time_unit", np.array([weights.time_unit_s], dtype=np.float32))
    axis = graph.constant("axis", np.array([1], dtype=np.int64))
    graph.constant("one", np.array(1.0, dtype=np.float32))
    ticks = graph.node("Unsqueeze", [graph.node("Div", ["dt", unit], "ticks"), axis], "elapsed")
    sizes = [layer.size for layer in wiring.layers]
    before = [f"{layer.role}.before" for layer in wiring.layers]
    own = graph.split("state", before, sizes) if len(before) > 1 else ["state"]
    value, states, gates = "features", [], []
    for index, layer in enumerate(wiring.layers):
        joined = graph.node("Concat", [value, own[index]], f"{layer.role}.joined", axis=1)
        value, gate = _layer(graph, weights, index, joined, ticks)
        states.append(value)
        gates.append(gate)
    graph.node("Concat", states, "next_state", axis=1)
    graph.node("Concat", gates, "gates", axis=1)
    scaled = graph.node("Mul", [value, graph.constant("scales", motors.scales)], "scaled")
    graph.node("Add", [scaled, graph.constant("offsets", motors.offsets)], "command")
    return graph.serialise(
        "controller",
        {"features": ["B", wiring.inputs], "state": ["B", wiring.neurons], "dt": ["B"]},
        {
            "command": ["B", len(motors.scales)],
            "next_state": ["B", wiring.neurons],
            "gates": ["B", wiring.neurons],
        },
    )


def core_controller_graph(step: bytes, motors: MotorScaling, weights_sha256: str) -> bytes:
    """Return the controller of any core: one step and the motor scaling.

    Inputs `features` [1, I], `state` [1, S] and `dt` [1] in s; outputs `command` [1, 4] in m/s and
    rad/s and `next_state` [1, S]; all float32.

    Args:
        step: one step of the core, from `liquid_control.cores.step_graph`.
        motors: ranges of the outputs.
        weights_sha256: checksum of the core's arrays, kept in the graph's metadata.

    Raises:
        ModelError: the outputs of the step are not the motors'.
    """
    model = onnx.load_from_string(step)
    outputs = {value.name: value for value in model.graph.output}
    sizes = [axis.dim_value for axis in outputs["outputs"].type.tensor_type.shape.dim]
    if sizes != [1, len(motors.scales)]:
        raise ModelError(f"expected a core with {len(motors.scales)} outputs, got shape {sizes}")
    constants = {"motor_scales": motors.scales, "motor_offsets": motors.offsets}
    model.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    model.graph.node.extend(
        [
            helper.make_node("Mul", ["outputs", "motor_scales"], ["scaled"]),
            helper.make_node("Add", ["scaled", "motor_offsets"], ["command"]),
        ]
    )
    command = helper.make_tensor_value_info("command", TensorProto.FLOAT, sizes)
    after = onnx.ValueInfoProto()
    after.CopyFrom(outputs["next_state"])
    del model.graph.output[:]
    model.graph.output.extend([command, after])
    helper.set_model_props(model, {"weights_sha256": weights_sha256})
    model.producer_name, model.producer_version = "liquid_control", ""
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _layer(
    graph: _Graph, weights: CfCWeights, index: int, joined: str, ticks: str
) -> tuple[str, str]:
    role = weights.wiring.layers[index].role
    layer = weights.layers[index]
    size = layer.bias.shape[1]
    weight = graph.constant(f"cfc.{index}.weight", layer.weight.reshape(len(MAPS) * size, -1))
    bias = graph.constant(f"cfc.{index}.bias", layer.bias.reshape(-1))
    maps = graph.node("Gemm", [joined, weight, bias], f"{role}.maps", transB=1)
    names = [f"{role}.{name}" for name in MAPS]
    ff1, ff2, time_a, time_b = graph.split(maps, names, [size] * len(MAPS))
    timed = graph.node("Mul", [time_a, ticks], f"{role}.timed")
    gate = graph.node("Sigmoid", [graph.node("Add", [timed, time_b], f"{role}.v")], f"{role}.s")
    kept = graph.node("Sub", ["one", gate], f"{role}.kept")
    left = graph.node("Mul", [graph.node("Tanh", [ff1], f"{role}.g"), kept], f"{role}.left")
    right = graph.node("Mul", [graph.node("Tanh", [ff2], f"{role}.h"), gate], f"{role}.right")
    return graph.node("Add", [left, right], f"{role}.state"), gate


def _values(shapes: Mapping[str, Sequence[str | int]]) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
        for name, shape in shapes.items()
    ]
