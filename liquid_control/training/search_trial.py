"""One trial of an architecture search: a training, then its measured objectives in a file."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from liquid_control.errors import CellError, ModelError, ObservationError, OutputError
from liquid_control.files import atomic_write
from liquid_control.policy import Model, Policy, load_model
from liquid_control.progress import Reporter
from liquid_control.seeding import stream
from liquid_control.training.data_pilots import Actors
from liquid_control.training.publish import GraphMaker
from liquid_control.training.run_folder import RunFolder, load_progress
from liquid_control.training.start import train
from liquid_control.training.training_settings import TrainingSettings
from liquid_control.types import NANOSECONDS, ImuWindow, Observation

RESULT_FILE = "trial.json"
LOG_FILE = "training.log"
_WARM_UP, _STEPS = 30, 300
_IMU_SAMPLES, _IMU_PERIOD_NS = 12, NANOSECONDS // 240


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What was measured of a trained network.

    Attributes:
        success: fraction of the validation flights of the best round that succeeded.
        latency_ms: median CPU time of one policy step, ms.
        weights: number of weights of encoder and core.
        core_weights: number of weights of the core.
        flights: number of validation flights.
        training_s: duration of the training, s.
        failure: why the training failed; empty if it did not, and then the numbers count.
        same_as: the trial with equal parameters that was trained; empty if it was this one.
    """

    success: float = 0.0
    latency_ms: float = 0.0
    weights: int = 0
    core_weights: int = 0
    flights: int = 0
    training_s: float = 0.0
    failure: str = ""
    same_as: str = ""

    def save(self, folder: Path) -> None:
        """Write the file of a trial, atomically."""
        atomic_write(folder / RESULT_FILE, json.dumps(asdict(self), indent=1), parents=True)


def read_result(folder: Path) -> TrialResult | None:
    """Read the file of a trial; return None if the trial has not ended.

    Raises:
        OutputError: the file is damaged.
    """
    path = folder / RESULT_FILE
    try:
        return TrialResult(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise OutputError(f"{path}: is not what a search wrote ({error})") from error


@dataclass(frozen=True, slots=True)
class SearchTrial:
    """A training to run; picklable.

    Attributes:
        settings: of the training.
        folder: of the training.
        actors: simulator and expert.
        graphs: makes the ONNX graphs of a model.
        command: recorded as provenance.
    """

    settings: TrainingSettings
    folder: Path
    actors: Actors
    graphs: GraphMaker
    command: str

    def run(self) -> TrialResult:
        """Train, or continue an interrupted training, and measure.

        Numbers that are no longer finite fail the trial: the search goes on without it. Any other
        error is raised.
        """
        try:
            result = self._measured()
        except (CellError, ModelError, ObservationError) as error:
            result = TrialResult(failure=" ".join(str(error).split()))
        result.save(self.folder)
        shutil.rmtree(self.folder / "dataset", ignore_errors=True)
        return result

    def _measured(self) -> TrialResult:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOG_FILE).open("a", encoding="utf-8") as log:
            path = train(
                self.settings,
                self.folder,
                self.graphs,
                self.actors,
                resume=RunFolder(self.folder).begun,
                command=self.command,
                reporter=Reporter(Console(file=log, width=120)),
            )
        model, progress = load_model(path), load_progress(self.folder)
        score = progress.scores[progress.best_round]
        return TrialResult(
            success=score.success_rate,
            latency_ms=policy_latency_ms(model),
            weights=model.parameters,
            core_weights=model.core_parameters,
            flights=sum(row.flights for row in score.rows),
            training_s=progress.elapsed_s,
        )


def describe(point: Mapping[str, Any], result: TrialResult) -> str:
    """Return parameters and result of a trial as one line."""
    shown = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in point.items())
    if result.failure:
        return f"{shown}: failed ({result.failure})"
    return (
        f"{shown}: success {100 * result.success:.0f} %, {result.latency_ms:.2f} ms, "
        f"{result.weights:,} weights" + (f", as {result.same_as}" if result.same_as else "")
    )


def policy_latency_ms(model: Model, steps: int = _STEPS, seed: int = 0) -> float:
    """Return the median CPU time of one policy step on random pictures, ms.

    A policy computes on one thread. Its CPU time leaves out the time in which other processes use
    the core.

    Args:
        model: the model.
        steps: number of steps that are measured.
        seed: of the readings.
    """
    generator = stream(seed, "search.latency")
    policy = Policy(model)
    state, times = policy.init_state(), []
    for step in range(_WARM_UP + steps):
        observation = _observation(model, step, generator)
        dt_s = float(generator.uniform(0.02, 0.1))
        begun_ns = time.thread_time_ns()
        _, state = policy.step(observation, state, dt_s)
        times.append(time.thread_time_ns() - begun_ns)
    return float(np.median(times[_WARM_UP:])) / 1e6


def _observation(model: Model, step: int, generator: np.random.Generator) -> Observation:
    """Return random readings with every optional input, for a camera of the model's size."""
    camera, end_ns = model.settings.camera, (step + 1) * NANOSECONDS // 20
    shape = (camera.height, camera.width, 3)
    stamps = end_ns - _IMU_PERIOD_NS * np.arange(_IMU_SAMPLES - 1, -1, -1)
    return Observation(
        stamp_ns=end_ns,
        image=generator.integers(0, 256, shape, np.uint8),
        imu=ImuWindow(
            stamps,
            generator.normal(0.0, 0.1, (_IMU_SAMPLES, 3)),
            generator.normal((0.0, 0.0, 9.81), 0.3, (_IMU_SAMPLES, 3)),
        ),
        range_m=1.5,
        orientation=np.array([0.0, 0.0, 0.0, 1.0]),
        cruise_mps=2.0,
        mount=(camera.horizontal_fov_deg, camera.pitch_down_deg),
    )
