"""`liquid-control train`: expert flights or bags, cloning, DAgger, validation, a model folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.cli.options import Address, ExecutorKind
from liquid_control.cli.topic_options import Topic, Topics

if TYPE_CHECKING:
    from liquid_control.training import Actors, BagData
    from liquid_control.training.training_settings import TrainingSettings


def train(
    config: Annotated[
        Path, typer.Argument(help="YAML file of the run, such as config/train/trail_cfc19.yaml.")
    ],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="BAG", help="More bags, after --data.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="BAG...",
            help="Recorded flights to learn from: .mcap or .db3 files, rosbag2 folders, or "
            "folders of bags. With flights.cloning above 0, in addition to simulated ones.",
        ),
    ] = None,
    topics: Topics = None,
    topic: Topic = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Key of the file; may be repeated."),
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Continue an interrupted run: the newest, or the one in --out.")
    ] = False,
    executor: ExecutorKind = "local",
    address: Address = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run.", show_default="runs/<UTC time>-train"),
    ] = None,
) -> None:
    """Train a policy in simulation or from bags and write its model folder.

    Example: liquid-control train config/train/trail_cfc19.yaml

    The expert flies and a policy learns from it. In each further round the policy flies and the
    expert labels its frames. The best candidate becomes a model folder in the run's folder.

    Example: liquid-control train config/train/from_bags.yaml --data flights/*.mcap

    The policy learns from recorded flights; section `bags` of the file selects labels and frames.

    Example: liquid-control train config/train/encoder.yaml

    An encoder alone learns from expert flights. `network.encoder` of further files uses it.
    """
    from liquid_control.cli.next_steps import command_of, suggest
    from liquid_control.cli.output import RUNS, command_line, output_folder
    from liquid_control.config import parse_settings, shipped
    from liquid_control.dependencies import require
    from liquid_control.executors import Executor
    from liquid_control.export import model_graphs
    from liquid_control.training import load_training, newest_run
    from liquid_control.training import train as run_training

    settings = load_training(shipped(config), parse_settings(changes or []))
    require("torch", "train", "train a policy")
    from liquid_control.training.ranks import follow_rank_0

    if follow_rank_0():
        return
    where = Executor(settings.jobs, executor, address)
    where.check()
    if resume and out is None:
        out = newest_run(RUNS, settings.name).root
    with output_folder(out, "train", resume=resume) as root, _resumable(root):
        bags = _bags(data, more, topics, topic)
        actors = partial(training_actors, settings)
        options = {"resume": True} if resume else {"command": command_line()}
        model = run_training(
            settings, root, model_graphs, actors, data=bags, executor=where, **options
        )
        print(model)
    if settings.encoder is not None:
        return
    flown = ("--model", model, "--scenario", settings.scenario)
    suggest(
        command_of("liquid-control", "fly", *flown),
        command_of("liquid-control", "evaluate", *flown),
    )


@contextmanager
def _resumable(root: Path) -> Iterator[None]:
    """If the block fails or is interrupted, report how the run in a folder goes on."""
    from liquid_control.cli.output import note
    from liquid_control.errors import ConfigError
    from liquid_control.training.run_folder import RunFolder

    try:
        yield
    except ConfigError:
        raise
    except BaseException as error:
        if RunFolder(root).begun and "--resume" not in str(error):
            note(f"{root} keeps the run; the same command with --resume --out {root} goes on")
        raise


def training_actors(settings: "TrainingSettings") -> "Actors":
    """Return simulator and expert, after a check that they can fly the run's scenarios."""
    from liquid_control.cli.pilots import prepare_simulator, simulator
    from liquid_control.training import Actors

    flyer = simulator()
    from liquid_control_sim import Expert
    from liquid_control_sim.preflight import check_flight

    settings.check_flights(check_flight)
    prepare_simulator()
    return Actors(flyer, Expert)


def _bags(
    data: list[Path] | None,
    more: list[Path] | None,
    topics: list[str] | None,
    topic: list[str] | None,
) -> "BagData | None":
    from liquid_control.cli.output import console
    from liquid_control.cli.topic_options import rules_of
    from liquid_control.errors import ConfigError
    from liquid_control.training import bag_data

    rules_of(topics, topic)
    if not data:
        if more:
            raise ConfigError(f"expected one file, got also {more[0]}; bags come after --data")
        if topics or topic:
            raise ConfigError("--topics and --topic are for bags: expected --data too")
        return None
    flags = dict(word.split("=", 1) for word in topic or ())
    found, lines = bag_data([*data, *(more or ())], topics or (), flags)
    for line in lines:
        console().print(line, markup=False, highlight=False)
    return found
