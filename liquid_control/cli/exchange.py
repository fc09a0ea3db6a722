"""Flights and models in formats of other programs: `bag convert`, `models push` and `pull`."""

from pathlib import Path
from typing import Annotated

import typer

from liquid_control.cli.bag import bag
from liquid_control.cli.models import models
from liquid_control.cli.topic_options import Topic, Topics, rules_of
from liquid_control.errors import ConfigError

__all__ = ["bag", "models"]

Flights = Annotated[list[Path], typer.Argument(metavar="BAG...", help="Bags, or folders of bags.")]
Folder = Annotated[Path, typer.Argument(help="Folder to write.")]
Repository = Annotated[str, typer.Argument(metavar="REPO", help="Such as name/model.")]


@bag.command()
def convert(
    flights: Flights,
    out: Folder,
    to: Annotated[str, typer.Option(metavar="lerobot", help="Format.")] = "lerobot",
    label: Annotated[
        str, typer.Option(help="Action: policy_command, command or odometry.")
    ] = "policy_command",
    fps: Annotated[
        int | None, typer.Option(help="Rows a second.", show_default="that of the fastest bag")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Task in words.", show_default="the bag's scenario")
    ] = None,
    topics: Topics = None,
    topic: Topic = None,
) -> None:
    """Convert flights into a LeRobotDataset, version 3.0, which `train --data` reads too.

    Example: liquid-control bag convert flights/*.mcap --to lerobot dataset

    A flight becomes an episode, a frame a row at a fixed rate; a lost frame repeats the row
    before. docs/other_tools.md states what is exact.
    """
    from liquid_control.cli.output import console
    from liquid_control.training.bags.lerobot_writer import convert_to_lerobot, label_of
    from liquid_control.training.bags.sources import bag_data

    if to != "lerobot":
        raise ConfigError(f"--to: expected lerobot, got {to!r}")
    rules_of(topics, topic)
    flags = dict(word.split("=", 1) for word in topic or ())
    data, lines = bag_data(flights, topics or (), flags)
    made = convert_to_lerobot(data, out, label=label_of(label), fps=fps, task=task)
    for line in [*lines, *made.lines()]:
        console().print(line, markup=False, highlight=False)


@models.command()
def push(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    repository: Repository,
    private: Annotated[bool, typer.Option("--private", help="For a new repository.")] = False,
) -> None:
    """Push a model to a repository of the Hugging Face Hub, as one commit.

    Example: liquid-control models push models/trail_cfc19 name/trail_cfc19

    A missing repository is created. HF_ENDPOINT names another Hub, HF_TOKEN a token.
    """
    from liquid_control.policy.hub import push_model

    print(push_model(model, repository, private=private))


@models.command()
def pull(
    repository: Repository,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write.", show_default="name of the repository")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit.")] = None,
) -> None:
    """Pull a model from a repository of the Hugging Face Hub into a model folder.

    Example: liquid-control models pull name/trail_cfc19
    """
    from liquid_control.cli.next_steps import command_of, suggest
    from liquid_control.policy.hub import pull_model

    model = pull_model(repository, out or Path(repository.split("/")[-1]), revision=revision)
    print(model.path)
    suggest(command_of("liquid-control", "fly", "--model", model.path))
