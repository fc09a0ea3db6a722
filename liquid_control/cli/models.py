"""`liquid-control models`: model folders; `cli.exchange` has the commands of a Hub."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

LIST = "list"


class ListByDefault(TyperGroup):
    """Group whose first word may be a folder: `models FOLDER` is `models list FOLDER`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the name of the default command where none is given."""
        named = args and args[0] in {*self.commands, *ctx.help_option_names}
        return super().parse_args(ctx, args if named else [LIST, *args])


models = typer.Typer(name="models", help="List, push and pull models.", cls=ListByDefault)


@models.command(LIST)
def list_models(
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
