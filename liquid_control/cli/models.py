"""`liquid-control models`: the model folders that come with the checkout, or those of a folder."""

from pathlib import Path
from typing import Annotated

import typer


def models(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Model folders, or folders of them.", show_default="models"),
    ] = None,
) -> None:
    """List models: core, size, camera, inputs and purpose. Their cards have the results.

    Example: liquid-control models

    Example: liquid-control models runs/2026*-train
    """
    from liquid_control.cli.next_steps import command_of, suggest
    from liquid_control.cli.output import console
    from liquid_control.evaluation.result_tables import model_table
    from liquid_control.policy import find_models

    found = find_models(folders or [Path("models")])
    console().print(model_table(found))
    suggest(command_of("liquid-control", "fly", "--model", found[-1].path))
