"""`liquid-control export`: ONNX graphs, C code or NIR for other machines."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from liquid_control.cli.completion import complete_model
from liquid_control.errors import ConfigError


class ExportTarget(str, Enum):
    """Export formats."""

    ONNX = "onnx"
    C = "c"
    EVENTS = "c-events"
    NIR = "nir"


def export(
    model: Annotated[
        Path,
        typer.Option(
            help="Model folder, or the name of a shipped model.", autocompletion=complete_model
        ),
    ],
    target: Annotated[ExportTarget, typer.Option(help="Export format.")] = ExportTarget.ONNX,
    int8: Annotated[
        Path | None,
        typer.Option(
            metavar="BAG", help="onnx: quantise perception too, calibrated with this recording."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder.", show_default="runs/<UTC time>-export"),
    ] = None,
) -> None:
    """Export a model to ONNX, C or NIR; PyTorch is not needed.

    Example: liquid-control export --model models/trail_cfc19 --target c

    - onnx: perception.onnx maps pictures to features; controller.onnx maps features, state and
      elapsed time to the command and the next state.

      With --int8, perception_int8.onnx has 8-bit weights.

    - c: the whole policy as a C99 project without dependencies, with self-tests and examples for
      Linux and a bare Cortex-M; its README.md lists the files. controller.h is usable alone.

    - c-events: the whole policy in fixed point, computed only where its inputs moved.

    - nir: the linear maps of the policy; NIR has no primitive for what joins them.
    """
    from liquid_control.cli.next_steps import suggest, trial_of_export
    from liquid_control.cli.output import note, output_folder
    from liquid_control.export import events_c, nir_file, onnx_files, policy_c
    from liquid_control.export.nir_maps import MISSING, NIR_FILE
    from liquid_control.files import atomic_write
    from liquid_control.policy import load_model

    if int8 is not None and target is not ExportTarget.ONNX:
        raise ConfigError(f"--int8 needs --target onnx, got --target {target.value}")
    if target is ExportTarget.ONNX:
        files = onnx_files(load_model(model), int8)
    elif target is ExportTarget.NIR:
        files = {NIR_FILE: nir_file(load_model(model))}
        note(f"NIR holds the linear maps only; its primitives have no {', no '.join(MISSING)}")
    else:
        in_c = policy_c if target is ExportTarget.C else events_c
        files = {name: text.encode() for name, text in in_c(load_model(model)).items()}
    with output_folder(out, "export") as folder:
        for name, content in files.items():
            print(atomic_write(folder / name, content))
    suggest(*trial_of_export(folder, files))
