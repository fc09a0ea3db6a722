"""`liquid-control export`: what a companion computer runs."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Target(str, Enum):
    """What can be exported to."""

    ONNX = "onnx"


def export(
    model: Annotated[Path, typer.Option(help="Model folder.")],
    target: Annotated[Target, typer.Option(help="What to export to.")] = Target.ONNX,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the files.", show_default="runs/<UTC time>-export"),
    ] = None,
) -> None:
    """Write a model's graphs for another machine, made from its weights without torch.

    Example: liquid-control export --model models/trail_cfc19 --target onnx

    perception.onnx turns pictures into features; controller.onnx turns features, state and elapsed
    time into command and next state.
    """
    from liquid_control.cli.output import output_folder
    from liquid_control.cli.packages import require
    from liquid_control.cli.shipped import shipped
    from liquid_control.policy import load_model

    require("onnx", "train", "write ONNX graphs")
    from liquid_control.export.model_graphs import model_graphs

    loaded = load_model(shipped(model))
    graphs = model_graphs(loaded.settings, loaded.arrays)
    with output_folder(out, "export") as folder:
        for name, content in graphs.items():
            beside = folder / f".{name}.part"
            beside.write_bytes(content)
            print(beside.replace(folder / name))
