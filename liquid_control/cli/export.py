"""`liquid-control export`: what a companion computer runs."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from liquid_control.policy import Model


class ExportTarget(str, Enum):
    """What can be exported to."""

    ONNX = "onnx"
    C = "c"


def export(
    model: Annotated[Path, typer.Option(help="Model folder.")],
    target: Annotated[ExportTarget, typer.Option(help="What to export to.")] = ExportTarget.ONNX,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the files.", show_default="runs/<UTC time>-export"),
    ] = None,
) -> None:
    """Write what another machine runs, made from a model's weights without torch.

    Example: liquid-control export --model models/trail_cfc19 --target c

    onnx: perception.onnx turns pictures into features; controller.onnx turns features, state and
    elapsed time into command and next state.
    c: controller.h, the controller as one C99 header that needs no library, and controller_test.c,
    which compares it with the reference and times a step.
    """
    from liquid_control.cli.output import output_folder
    from liquid_control.policy import load_model

    loaded = load_model(model)
    files = _onnx(loaded) if target is ExportTarget.ONNX else _c(loaded)
    with output_folder(out, "export") as folder:
        for name, content in files.items():
            beside = folder / f".{name}.part"
            beside.write_bytes(content)
            print(beside.replace(folder / name))


def _onnx(model: "Model") -> dict[str, bytes]:
    from liquid_control.dependencies import require

    require("onnx", "train", "write ONNX graphs")
    from liquid_control.export.model_graphs import model_graphs

    return model_graphs(model.settings, model.arrays)


def _c(model: "Model") -> dict[str, bytes]:
    from liquid_control.export.c import controller_c

    files = controller_c(model.weights, model.settings.motors, model.name)
    return {name: text.encode() for name, text in files.items()}
