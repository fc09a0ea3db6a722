"""ONNX graphs of a model from its settings and arrays, with an option for 8 bits.

Quantisation takes the ranges of activations from the pictures of a recording.
"""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.bags import FrameEvent, Losses, load_rules, open_bag, read_flight, resolve
from liquid_control.bags.events import CameraInfoEvent
from liquid_control.dependencies import require
from liquid_control.errors import BagError, ModelError, ObservationError
from liquid_control.liquid.weights import CfCWeights
from liquid_control.onnx_runtime import quantisation
from liquid_control.perception import Viewfinder, fit, input_values, standardise
from liquid_control.policy import WIRED
from liquid_control.policy.model import CONTROLLER, PERCEPTION, Arrays, Model, core_checksum
from liquid_control.policy.model_settings import ModelSettings
from liquid_control.types import ImuWindow, Observation, Pixels

INT8_PERCEPTION = "perception_int8.onnx"
MOST_PICTURES = 256
LEAST_PICTURES = 8
FLOAT_NODES = ["linear", "features"]
"""Nodes of `perception_graph` that stay float32: the last layer is small, tanh steep."""


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
        DependencyError: the package `onnx` is not installed.
        ModelError: the arrays of the perception network do not fit its spec, or a core other
            than the wired CfC comes without its step.
    """
    require("onnx", "train", "write ONNX graphs")
    from liquid_control.export.onnx import (
        controller_graph,
        core_controller_graph,
        perception_graph,
    )

    core = settings.core
    if core.kind == WIRED:
        weights = CfCWeights.from_arrays(arrays, core.circuit, core.masking, core.time_unit_s)
        controller = controller_graph(weights, settings.motors)
    elif core_step is None:
        raise ModelError(f"expected one step of core {core.kind} as an ONNX graph, got none")
    else:
        controller = core_controller_graph(core_step, settings.motors, core_checksum(arrays))
    return {PERCEPTION: perception_graph(settings.perception, arrays), CONTROLLER: controller}


def onnx_files(model: Model, recording: Path | None = None) -> dict[str, bytes]:
    """Return the graphs of a loaded model by file name.

    Args:
        model: its wired CfC is converted anew; the graph of another core is the model's own.
        recording: adds `perception_int8.onnx`, calibrated with this bag; None for no such graph.

    Raises:
        BagError: the recording has too few pictures of the model's view.
        DependencyError: the package `onnx` is not installed and needed.
    """
    files = {PERCEPTION: model.perception, CONTROLLER: model.controller}
    if model.settings.core.kind == WIRED:
        files = model_graphs(model.settings, model.arrays)
    if recording is not None:
        files[INT8_PERCEPTION] = int8_perception(model, recording)
    return files


def int8_perception(model: Model, recording: Path) -> bytes:
    """Return `perception.onnx` with 8-bit weights and activations; inputs and outputs are equal.

    Ranges of activations are their extremes over pictures at equal distances in a recording.
    Weights have a range for each output channel.

    Args:
        model: its perception network is quantised.
        recording: a bag with camera pictures that show the model's view.

    Raises:
        BagError: the recording has fewer than 8 usable pictures.
        DependencyError: the package `onnx` is not installed.
    """
    require("onnx", "train", "quantise a network")
    tools = quantisation()
    pictures = recorded_pictures(model, recording)
    inputs = [{"pictures": standardise(picture)[np.newaxis]} for picture in pictures]
    if model.settings.perception.mount:
        camera = model.settings.camera
        view = (camera.horizontal_fov_deg, camera.pitch_down_deg)
        frame = Observation(0, pictures[0], ImuWindow.empty(), mount=view)
        mount = input_values(("mount",), frame)[np.newaxis]
        inputs = [{**given, "mount": mount} for given in inputs]
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(model.perception)
        disabled = logging.root.manager.disable
        logging.disable(logging.WARNING)  # It recommends steps that this graph does not need.
        try:
            tools.quantize_static(
                source,
                result,
                _calibration(tools, inputs),
                per_channel=True,
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
                nodes_to_exclude=FLOAT_NODES,
            )
        finally:
            logging.disable(disabled)
        return result.read_bytes()


def recorded_pictures(model: Model, recording: Path) -> list[Pixels]:
    """Return 8 to 256 pictures of a recording at the model's size, at equal distances in it.

    Raises:
        BagError: it has fewer than 8 usable pictures.
    """
    view = model.settings.camera.view
    viewfinder, losses = Viewfinder(view), Losses()
    pictures: list[Pixels] = []
    count, stride, reason = 0, 1, "no pictures"
    bag = open_bag(recording)
    for event in read_flight(bag, resolve(bag, load_rules()), losses):
        if isinstance(event, CameraInfoEvent):
            viewfinder.set_camera(
                event.width, event.height, event.horizontal_fov_deg, event.model, event.problem
            )
        if not isinstance(event, FrameEvent):
            continue
        try:
            picture = fit(viewfinder.frame(event.observation.image), view)
        except (ModelError, ObservationError) as error:
            reason = str(error)
            continue
        if count % stride == 0:
            pictures.append(picture)
        count += 1
        if len(pictures) > MOST_PICTURES:
            pictures, stride = pictures[::2], 2 * stride
    if count < LEAST_PICTURES:
        raise BagError(
            f"{recording}: expected at least {LEAST_PICTURES} pictures that show the view of "
            f"{model.name}, got {count} ({reason})"
        )
    return pictures


def _calibration(tools: Any, inputs: Sequence[dict[str, NDArray[np.float32]]]) -> Any:
    """Return the inputs as the reader that ONNX Runtime expects, which returns None at the end."""

    class Inputs(tools.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(inputs)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self._left, None)

    return Inputs()
