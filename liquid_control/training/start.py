"""Entry point of training: begins or resumes a run and returns its model folder."""

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from liquid_control.errors import ConfigError, ModelError
from liquid_control.executors import Executor
from liquid_control.perception import CameraView
from liquid_control.provenance import git_revision
from liquid_control.training.bags.sources import BagData, load_data
from liquid_control.training.data_pilots import Actors
from liquid_control.training.data_runs import data_paths
from liquid_control.training.run_folder import RunFolder, RunProgress, load_progress
from liquid_control.training.training_settings import TrainingSettings

if TYPE_CHECKING:
    from liquid_control.progress import Reporter
    from liquid_control.training.publish import GraphMaker


def train(
    settings: TrainingSettings,
    out: Path | str,
    graphs: "GraphMaker",
    actors: Actors | Callable[[], Actors] | None = None,
    *,
    data: BagData | None = None,
    resume: bool = False,
    command: str = "liquid_control.training.train",
    reporter: "Reporter | None" = None,
    executor: Executor | None = None,
) -> Path:
    """Train a policy and write its model folder; needs torch.

    Flights are flown in worker processes, which import the modules of `actors`: call this
    function from a notebook, or in a script below `if __name__ == "__main__":`. Under torchrun,
    rank 0 runs the training, and the other ranks only learn with it.

    Args:
        settings: from `load_training`, or made in Python.
        out: folder of the run.
        graphs: makes the ONNX graphs of a model: `liquid_control.export.model_graphs`.
        actors: simulator and expert, or a function that makes them when all settings are
            checked; needed if the run flies, see `TrainingSettings.flies`.
        data: bags to learn from, from `bag_data`; a resumed run finds its own.
        resume: continue the run in `out` instead of beginning one there.
        command: recorded as provenance.
        reporter: shows the progress; on stderr by default.
        executor: where flights are flown, `settings.jobs` at a time; on this machine by default.

    Returns:
        The model folder, `out` / `settings.name`.

    Raises:
        ConfigError: nothing to learn from, or a resumed run was begun with other settings or bags.
        OutputError: `out` holds a run already, or none to resume, or cannot be written.
        LiquidControlError: a flight or a bag could not be used.
    """
    from liquid_control.training.ranks import follow_rank_0

    folder = RunFolder(Path(out))
    if follow_rank_0():
        return folder.root / settings.name
    progress = _resumed(folder, settings) if resume else None
    if progress is not None:
        data = _same_bags(folder, data)
    check_run(settings, len(data.sources) if data else 0)
    if progress is None:
        folder.check_unused()
    executor = executor or Executor()
    executor.check()
    flying = _flying_actors(settings, actors)
    progress = progress or _begun(folder, settings, data, command)
    from liquid_control.progress import Reporter
    from liquid_control.training.ranks import leading
    from liquid_control.training.run import Training

    reporter = reporter or Reporter()
    kind = Training
    if settings.encoder is not None:
        from liquid_control.training.encoder_run import EncoderTraining

        kind = EncoderTraining
    with leading(settings.learner.windows) as ranks:
        kind(settings, folder, flying, progress, graphs, data, reporter, executor, ranks).run()
    return folder.root / settings.name


def check_run(settings: TrainingSettings, bags: int = 0) -> None:
    """Check what follows from the settings of a run before it begins.

    Args:
        settings: of the run.
        bags: number of bags to learn from.

    Raises:
        ConfigError: there is nothing to learn from, a camera differs, or a core is unknown.
        ModelError: the encoder's folder is not one.
    """
    settings.check_data(bags)
    settings.check_cameras()
    check_network(settings)
    data_paths(settings.flights)


def check_network(settings: TrainingSettings) -> None:
    """Check that the network can be built, and that the camera is large enough for its encoder.

    Raises:
        ConfigError: the core or an option is unknown, or the pictures are too small.
        ModelError: the encoder's folder is not one.
    """
    from liquid_control.perception.camera_view import check_size
    from liquid_control.training.encoder_files import load_encoder, resized
    from liquid_control.training.network import PolicyNetwork

    scenario, learning = settings.base_scenario(), settings.encoder
    if learning is None:
        spec = PolicyNetwork.fresh(settings.network, scenario, settings.seed).encoder.spec
        width, height = spec.width, spec.height
    else:
        width, height = learning.width, learning.height
        if settings.network.encoder is not None:
            resized(load_encoder(settings.network.encoder), height, width)
    view = CameraView(width, height, scenario.camera.horizontal_fov_deg)
    check_size(view, scenario.camera.width, scenario.camera.height, ModelError)


def _flying_actors(
    settings: TrainingSettings, actors: Actors | Callable[[], Actors] | None
) -> Actors | None:
    if not settings.flies:
        return None
    if actors is None:
        raise ConfigError(f"{settings.name}: the run flies: expected actors, got none")
    return actors if isinstance(actors, Actors) else actors()


def _begun(
    folder: RunFolder, settings: TrainingSettings, data: BagData | None, command: str
) -> RunProgress:
    folder.keep_settings(settings)
    if data is not None:
        data.save(folder.root)
    began = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    progress = RunProgress(command, began, git_revision())
    progress.save(folder.root)
    return progress


def _resumed(folder: RunFolder, settings: TrainingSettings) -> RunProgress:
    progress = load_progress(folder.root)
    folder.check_settings(settings)
    return progress


def _same_bags(folder: RunFolder, data: BagData | None) -> BagData | None:
    """Return the bags that a run was begun with; given bags must be the same."""
    begun = load_data(folder.root)
    if data is None:
        return begun
    if begun is None:
        raise ConfigError(f"--resume: the run in {folder.root} was begun without --data")
    data.check_same(begun)
    return data
