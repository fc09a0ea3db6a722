"""Expert flights of another run, such as that of the encoder, which several cores learn from."""

from collections.abc import Sequence
from pathlib import Path

from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.training.data_pilots import round_plans
from liquid_control.training.run_folder import RunFolder, load_progress, read_settings
from liquid_control.training.training_settings import FlightSettings

FLOWN = "fly 0"


def expert_paths(flights: FlightSettings) -> Sequence[Path]:
    """Return the files of the expert flights that a run takes from another one.

    Args:
        flights: `expert_run` names the other run; `tasks` selects its flights by task.

    Raises:
        ConfigError: there is no such run, its flights are not finished, or none is of these tasks.
    """
    if flights.expert_run is None:
        return ()
    folder = RunFolder(Path(flights.expert_run))
    try:
        settings, progress = read_settings(folder.root), load_progress(folder.root)
    except LiquidControlError as error:
        raise ConfigError(f"flights.expert_run: {error}") from error
    if FLOWN not in progress.done:
        raise ConfigError(
            f"flights.expert_run: the flights of {folder.root} are not finished; continue it with "
            f"--resume --out {folder.root}"
        )
    paths = [
        folder.flight(plan.name)
        for plan in round_plans(settings, 0)
        if not flights.tasks or settings.task_of(plan.index) in flights.tasks
    ]
    if not paths:
        raise ConfigError(
            f"flights.expert_run: {folder.root} has no flight of the tasks "
            f"{', '.join(flights.tasks)}; it has {', '.join(settings.tasks) or 'no tasks'}"
        )
    return paths
