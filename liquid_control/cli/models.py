"""`liquid-control models`: the model folders of the checkout or of a folder, and those of a Hub."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

LIST = "list"


class ListByDefault(TyperGroup):
    """Group whose first word may be a folder: `models FOLDER` is `models list FOLDER`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the name of the default command where none is given."""
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [LIST, *args]
        return super().parse_args(ctx, args)


models = typer.Typer(
    name="models", help="List models, push them to a Hub and pull them.", cls=ListByDefault
)


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


Repository = Annotated[
    str, typer.Argument(metavar="REPO", help="Repository, such as name/model.", show_default=False)
]


@models.command()
def push(
    model: Annotated[Path, typer.Argument(help="Model folder.", show_default=False)],
    repository: Repository,
    private: Annotated[
        bool, typer.Option("--private", help="Create a private repository.")
    ] = False,
) -> None:
    """Push a model to a repository of the Hugging Face Hub, as one commit.

    Example: liquid-control models push models/trail_cfc19 name/trail_cfc19

    The repository is created if it is not there. HF_ENDPOINT names another Hub, HF_TOKEN a token.
    """
    from liquid_control.policy.hub import push_model

    print(push_model(model, repository, private=private))


@models.command()
def pull(
    repository: Repository,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write.", show_default="the repository's name")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit.", show_default="main")
    ] = None,
) -> None:
    """Pull a model from a repository of the Hugging Face Hub into a model folder.

    Example: liquid-control models pull name/trail_cfc19
    """
    from liquid_control.cli.next_steps import command_of, suggest
    from liquid_control.policy.hub import pull_model

    model = pull_model(repository, out or Path(repository.split("/")[-1]), revision=revision)
    print(model.path)
    suggest(command_of("liquid-control", "fly", "--model", model.path))
