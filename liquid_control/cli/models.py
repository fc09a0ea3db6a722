"""`liquid-control models`: the model folders that come with the checkout, or those of a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from liquid_control.policy import Model


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
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from liquid_control.cli.next_steps import command_of, suggest
    from liquid_control.cli.output import console
    from liquid_control.policy import find_models

    found = find_models(folders or [Path("models")])
    table = Table(box=SIMPLE_HEAD)
    for name in ("model", "core", "weights", "in the core", "MB", "camera", "inputs", "purpose"):
        side = "right" if name in _NUMBERS else "left"
        table.add_column(name, justify=side, overflow="fold")
    for model in found:
        table.add_row(*_cells(model))
    console().print(table)
    suggest(command_of("liquid-control", "fly", "--model", found[-1].path))


_NUMBERS = ("weights", "in the core", "MB")


def _cells(model: "Model") -> list[str]:
    from liquid_control.config import shipped

    settings, camera = model.settings, model.settings.camera
    fov, pitch = (
        f"{value:g}" if limits is None else f"{limits[0]:g} to {limits[1]:g}"
        for value, limits in (
            (camera.horizontal_fov_deg, camera.fov_range_deg),
            (camera.pitch_down_deg, camera.pitch_range_deg),
        )
    )
    size = sum(file.stat().st_size for file in model.path.iterdir() if file.is_file())
    return [
        model.name
        if shipped(Path(model.name)).resolve() == model.path.resolve()
        else str(model.path),
        settings.core.kind,
        f"{model.parameters:,}",
        f"{model.core_parameters:,}",
        f"{size / 1e6:.1f}",
        f"{camera.width}x{camera.height}, {fov} deg wide, {pitch} deg down",
        ", ".join(settings.features.inputs) or "none",
        str(settings.provenance.get("settings", {}).get("description", "")),
    ]
