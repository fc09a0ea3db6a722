"""How much of the expert's commands follows from the scene ahead, which a picture can teach.

    python -m benchmarks.expert_labels RUN

RUN is a folder of `liquid-control train` whose expert flights are flown. Gradient-boosted trees
predict each command from what the simulator knows of the scene in view: the trail at three
distances, the nearest range in each of 9 x 16 cells of the picture, IMU and optional inputs. Every
fourth flight is held out. What they leave is due to reasons that no single picture shows, such
as obstacles behind the vehicle or a plan far ahead. Trees are one learner of many: another
may explain more.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.programs import one_line_errors
from liquid_control.command.motors import MOTORS
from liquid_control.errors import ConfigError
from liquid_control.training.auxiliary import SCALARS, TRAIL
from liquid_control.training.data_pilots import round_plans
from liquid_control.training.dataset import read_flight
from liquid_control.training.run_folder import RunFolder, load_progress, read_settings

HELD_OUT = 4
"""Every fourth flight is held out."""
LEAST_FLIGHTS = 2 * HELD_OUT


@dataclass(frozen=True, slots=True)
class Explained:
    """What follows from the scene of one command.

    Attributes:
        command: name of the motor.
        deviation: standard deviation over held-out frames, m/s or rad/s.
        error: root mean square error of the prediction, m/s or rad/s.
    """

    command: str
    deviation: float
    error: float

    @property
    def fraction(self) -> float:
        """Fraction of the variance that is explained."""
        return 1.0 - (self.error / self.deviation) ** 2


def explained(
    scenes: NDArray[np.float32], labels: NDArray[np.float32], flights: NDArray[np.int64]
) -> list[Explained]:
    """Return what scenes tell of each command.

    Args:
        scenes: float32 [N, S].
        labels: float32 [N, 4], the expert's commands.
        flights: int64 [N], flight of each frame.
    """
    held = flights % HELD_OUT == HELD_OUT - 1
    rows = []
    for column, name in enumerate(MOTORS):
        trees = HistGradientBoostingRegressor(max_iter=150, l2_regularization=1.0, random_state=0)
        trees.fit(scenes[~held], labels[~held, column])
        truth = labels[held, column]
        errors = trees.predict(scenes[held]) - truth
        rows.append(Explained(name, float(truth.std()), float(np.sqrt((errors**2).mean()))))
    return rows


def read_scenes(
    run: Path,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Return scenes [N, S], commands [N, 4] and flight [N] of a run's expert flights on trails.

    Raises:
        ConfigError: the run has flown fewer than eight of them.
        OutputError: a flight is damaged.
    """
    settings, progress = read_settings(run), load_progress(run)
    scenes: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.float32]] = []
    flights: list[NDArray[np.int64]] = []
    plans = round_plans(settings, 0) if "fly 0" in progress.done else []
    for plan in plans:
        flight, _ = read_flight(RunFolder(run).flight(plan.name), pictures=False)
        if np.isnan(flight.auxiliary[0, 0]):
            continue
        seen = [flight.auxiliary[:, : len(TRAIL)], flight.auxiliary[:, len(SCALARS) :]]
        scenes.append(np.concatenate([*seen, flight.imu, np.nan_to_num(flight.inputs)], axis=1))
        flights.append(np.full(len(flight.labels), len(labels)))
        labels.append(flight.labels)
    if len(labels) < LEAST_FLIGHTS:
        raise ConfigError(
            f"{run}: expected at least {LEAST_FLIGHTS} expert flights on trails, got {len(labels)}"
        )
    return np.concatenate(scenes), np.concatenate(labels), np.concatenate(flights)


@one_line_errors()
def main(words: Sequence[str] | None = None) -> None:
    """Print the table of a run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="folder of a training run")
    scenes, labels, flights = read_scenes(parser.parse_args(words).run)
    table = Table(title=f"{len(labels)} frames of {flights.max() + 1} flights")
    for name in ("command", "deviation", "error", "explained"):
        table.add_column(name, justify="left" if name == "command" else "right")
    for row in explained(scenes, labels, flights):
        table.add_row(
            row.command, f"{row.deviation:.3f}", f"{row.error:.3f}", f"{row.fraction:.1%}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
