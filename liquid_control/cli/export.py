"""`liquid-control export`: ONNX graphs or C code for a companion computer."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.cli.completion import complete_model

if TYPE_CHECKING:
    from liquid_control.policy import Model


class ExportTarget(str, Enum):
    """Export formats."""

    ONNX = "onnx"
    C = "c"


def export(
    model: Annotated[
        Path,
        typer.Option(
            help="Model folder, or the name of a shipped model.", autocompletion=complete_model
        ),
    ],
    target: Annotated[ExportTarget, typer.Option(help="Export format.")] = ExportTarget.ONNX,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder.", show_default="runs/<UTC time>-export"),
    ] = None,
) -> None:
    """Export a model to ONNX or C; PyTorch is not needed.

    Example: liquid-control export --model models/trail_cfc19 --target c

    - onnx: perception.onnx maps pictures to features; controller.onnx maps features, state and
      elapsed time to the command and the next state.

    - c: controller.h is the controller as one C99 header without dependencies; controller_test.c
      compares it with the reference and measures the time of a step.
    """
    from liquid_control.cli.next_steps import suggest, trial_of_export
    from liquid_control.cli.output import output_folder
    from liquid_control.files import atomic_write
    from liquid_control.policy import load_model

    loaded = load_model(model)
    files = _onnx(loaded) if target is ExportTarget.ONNX else _c(loaded)
    with output_folder(out, "export") as folder:
        for name, content in files.items():
            print(atomic_write(folder / name, content))
    suggest(*trial_of_export(folder, files))


def _onnx(model: "Model") -> dict[str, bytes]:
    from liquid_control.dependencies import require
    from liquid_control.policy import WIRED
    from liquid_control.policy.model import CONTROLLER, PERCEPTION

    if model.settings.core.kind != WIRED:
        return {PERCEPTION: model.perception, CONTROLLER: model.controller}
    require("onnx", "train", "write ONNX graphs")
    from liquid_control.export.model_graphs import model_graphs

    return model_graphs(model.settings, model.arrays)


def _c(model: "Model") -> dict[str, bytes]:
    from liquid_control.export.c import controller_c

    files = controller_c(model.weights, model.settings.motors, model.name)
    return {name: text.encode() for name, text in files.items()}
