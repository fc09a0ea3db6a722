"""Flights of other runs: those of an encoder, which all cores learn from, and those of cores."""

from collections.abc import Sequence
from pathlib import Path

from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.training.data_pilots import round_plans
from liquid_control.training.run_folder import RunFolder, load_progress, read_settings
from liquid_control.training.training_settings import FlightSettings


def data_paths(flights: FlightSettings) -> Sequence[Path]:
    """Return the files of the data flights that a run takes from others, run by run.

    Args:
        flights: `data_runs` names the other runs; `tasks` selects their flights by task.

    Raises:
        ConfigError: there is no such run, it has flown no round, or none of its flights is of
            these tasks.
    """
    return [path for run in flights.data_runs for path in _paths(Path(run), flights.tasks)]


def _paths(root: Path, tasks: Sequence[str]) -> list[Path]:
    folder = RunFolder(root)
    try:
        settings, progress = read_settings(root), load_progress(root)
    except LiquidControlError as error:
        raise ConfigError(f"flights.data_runs: {error}") from error
    rounds = [r for r in range(settings.flights.rounds + 1) if f"fly {r}" in progress.done]
    if not rounds:
        raise ConfigError(
            f"flights.data_runs: the flights of {root} are not finished; continue it with "
            f"--resume --out {root}"
        )
    paths = [
        folder.flight(plan.name)
        for round_ in rounds
        for plan in round_plans(settings, round_)
        if not tasks or settings.task_of(plan.index) in tasks
    ]
    if not paths:
        raise ConfigError(
            f"flights.data_runs: {root} has no flight of the tasks {', '.join(tasks)}; it has "
            f"{', '.join(settings.flights.tasks or settings.tasks) or 'no tasks'}"
        )
    return paths
