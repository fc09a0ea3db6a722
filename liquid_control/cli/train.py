"""`liquid-control train`: expert flights or bags, cloning, DAgger, validation, a model folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.cli.options import Topic, Topics

if TYPE_CHECKING:
    from liquid_control.training.bags.sources import BagData
    from liquid_control.training.data_pilots import Actors
    from liquid_control.training.run_folder import RunFolder, RunProgress
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
            "folders of bags. With flights.cloning above 0, beside simulated ones.",
        ),
    ] = None,
    topics: Topics = None,
    topic: Topic = None,
    resume: Annotated[
        bool, typer.Option(help="Go on with a run that was interrupted: the newest, or --out's.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run.", show_default="runs/<UTC time>-train"),
    ] = None,
) -> None:
    """Train a policy in simulation or from bags and write its model folder.

    Example: liquid-control train config/train/trail_cfc19.yaml

    The expert flies, a policy learns from it, flies itself and is corrected, round after round.
    What flies best becomes a model folder with its card, in the run's folder under its name.

    Example: liquid-control train config/train/from_bags.yaml --data flights/*.mcap

    The policy learns from recorded flights; section `bags` of the file says what of them.
    """
    from liquid_control.config.locations import shipped
    from liquid_control.dependencies import require
    from liquid_control.training.training_settings import load_training

    settings = load_training(shipped(config))
    require("torch", "train", "train a policy")
    bags = _bags(data, more, topics, topic)
    begun = _resumed(settings, out) if resume else None
    if begun is not None:
        bags = _same_bags(begun[0], bags)
    settings.check_data(len(bags.sources) if bags else 0)
    actors = _actors() if settings.flies else None
    from liquid_control.export import model_graphs
    from liquid_control.training.run import Training

    folder, progress = begun or _begun(settings, out, bags)
    Training(settings, folder, actors, progress, model_graphs, bags).run()
    print(folder.root / settings.name)


def _actors() -> "Actors":
    from liquid_control.cli.pilots import prepare_simulator, simulator
    from liquid_control.training.data_pilots import Actors

    prepare_simulator()
    flyer = simulator()
    from liquid_control_sim import Expert

    return Actors(flyer, Expert)


def _bags(
    data: list[Path] | None,
    more: list[Path] | None,
    topics: list[str] | None,
    topic: list[str] | None,
) -> "BagData | None":
    from liquid_control.cli.options import rules_of
    from liquid_control.cli.output import console
    from liquid_control.errors import ConfigError
    from liquid_control.training.bags.sources import bag_data

    rules_of(topics, topic)
    if not data:
        if more:
            raise ConfigError(f"expected one file, got also {more[0]}; bags come after --data")
        if topics or topic:
            raise ConfigError("--topics and --topic are for bags: expected --data beside them")
        return None
    flags = dict(word.split("=", 1) for word in topic or ())
    found, lines = bag_data([*data, *(more or ())], topics or (), flags)
    for line in lines:
        console().print(line, markup=False, highlight=False)
    return found


def _same_bags(folder: "RunFolder", bags: "BagData | None") -> "BagData | None":
    """Return the bags that a run was begun with; if bags are given, they must be these."""
    from liquid_control.errors import ConfigError
    from liquid_control.training.bags.sources import load_data

    begun = load_data(folder.root)
    if bags is None:
        return begun
    if begun is None:
        raise ConfigError(f"--resume: the run in {folder.root} was begun without --data")
    bags.check_same(begun)
    return bags


def _begun(
    settings: "TrainingSettings", out: Path | None, bags: "BagData | None"
) -> "tuple[RunFolder, RunProgress]":
    import sys
    from datetime import datetime, timezone

    from liquid_control.cli.output import output_folder
    from liquid_control.provenance import git_revision
    from liquid_control.training.run_folder import RunFolder, RunProgress

    with output_folder(out, "train") as root:
        folder = RunFolder(root)
        folder.check_unused()
        folder.keep_settings(settings)
        if bags is not None:
            bags.save(root)
        words = " ".join(["liquid-control", *sys.argv[1:]])
        began = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
        progress = RunProgress(words, began, git_revision())
        progress.save(root)
    return folder, progress


def _resumed(settings: "TrainingSettings", out: Path | None) -> "tuple[RunFolder, RunProgress]":
    from liquid_control.training.run_folder import RunFolder, load_progress, newest_run

    folder = RunFolder(out) if out is not None else newest_run(Path("runs"), settings.name)
    progress = load_progress(folder.root)
    folder.check_settings(settings)
    return folder, progress
