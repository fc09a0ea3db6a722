"""The folder of a training run: its layout, its settings and its progress."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from liquid_control.config import validate
from liquid_control.errors import ConfigError, OutputError
from liquid_control.files import atomic_write
from liquid_control.training.training_settings import TrainingSettings
from liquid_control.training.validation import ConditionScore, Score

PROGRESS_FILE = "progress.json"


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """Facts about the dataset of a round.

    Attributes:
        sha256: of all flights.
        flights: number of flights.
        frames: number of frames.
    """

    sha256: str
    flights: int
    frames: int


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Finished steps and their results.

    Attributes:
        command: command line that began the run.
        began: UTC time of the begin, ISO 8601.
        revision: of the source at the begin; None outside a clone.
        done: duration of each finished step in s, by its name, in order.
        scores: closed-loop results of each round's candidate.
        datasets: facts about the dataset of each round.
    """

    command: str
    began: str
    revision: str | None = None
    done: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[int, Score] = field(default_factory=dict)
    datasets: Mapping[int, DatasetFacts] = field(default_factory=dict)

    @property
    def elapsed_s(self) -> float:
        """Time of all finished steps, s; a repeated step counts once."""
        return sum(self.done.values())

    @property
    def best_round(self) -> int:
        """The round with the best candidate; among equals, or without flights, the latest."""
        if not self.scores:
            return max(self.datasets)
        return max(self.scores, key=lambda round_: (*self.scores[round_].rank, round_))

    def finished(self, step: str, seconds: float) -> "RunProgress":
        """Return the progress with a further finished step."""
        return replace(self, done={**self.done, step: round(seconds, 2)})

    def scored(self, round_: int, score: Score) -> "RunProgress":
        """Return the progress with a round's score."""
        return replace(self, scores={**self.scores, round_: score})

    def learned(self, round_: int, facts: DatasetFacts) -> "RunProgress":
        """Return the progress with the facts about a round's dataset."""
        return replace(self, datasets={**self.datasets, round_: facts})

    def save(self, folder: Path) -> None:
        """Write `progress.json`, atomically."""
        atomic_write(folder / PROGRESS_FILE, json.dumps(asdict(self), indent=1), parents=True)


def load_progress(folder: Path) -> RunProgress:
    """Read `progress.json`.

    Raises:
        OutputError: the file is missing or damaged.
    """
    path = folder / PROGRESS_FILE
    try:
        content = json.loads(path.read_text())
        return RunProgress(
            command=content["command"],
            began=content["began"],
            revision=content["revision"],
            done={str(step): float(seconds) for step, seconds in content["done"].items()},
            scores={int(key): _score(value) for key, value in content["scores"].items()},
            datasets={
                int(key): DatasetFacts(**value) for key, value in content["datasets"].items()
            },
        )
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be read ({error.strerror}); nothing to resume"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(f"{path}: is not what training wrote ({error!r})") from error


def _score(content: Mapping[str, Any]) -> Score:
    return Score(tuple(ConditionScore(**row) for row in content["rows"]))


SETTINGS_FILE = "settings.json"

FREE_KEYS = frozenset({"jobs", "restart_every", "time_budget_s", "learner.save_every_s"})
"""Keys that a resumed run may change; they affect its speed and duration only."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths in the folder of one run."""

    root: Path

    @property
    def begun(self) -> bool:
        """Whether the folder holds a run."""
        return (self.root / PROGRESS_FILE).exists()

    def flight(self, name: str) -> Path:
        """Return the file of one data flight."""
        return self.root / "dataset" / f"{name}.npz"

    def bag(self, key: str) -> Path:
        """Return the summary file of a bag."""
        return self.root / "dataset" / "bags" / f"{key}.json"

    def candidate(self, round_: int) -> Path:
        """Return the model folder of a round."""
        return self.root / "candidates" / f"round_{round_:02d}"

    def validation(self, name: str) -> Path:
        """Return the folder of a validation's results."""
        return self.root / "validation" / name

    def check_unused(self) -> None:
        """Check that the folder holds no run.

        Raises:
            OutputError: it holds one.
        """
        if self.begun:
            raise OutputError(
                f"{self.root} already holds a training run; pass --resume to continue it, "
                "or another --out"
            )

    def keep_settings(self, settings: TrainingSettings) -> None:
        """Write the settings of the run."""
        atomic_write(self.root / SETTINGS_FILE, settings.model_dump_json(indent=1), parents=True)

    def check_settings(self, settings: TrainingSettings) -> None:
        """Check that the run was begun with the same settings.

        Raises:
            ConfigError: a setting that affects the result has changed.
            OutputError: the stored settings cannot be read.
        """
        path = self.root / SETTINGS_FILE
        try:
            before = _flat(json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            raise OutputError(f"{path}: is not what training wrote ({error})") from error
        now = _flat(json.loads(settings.model_dump_json()))
        for key in sorted((before.keys() | now.keys()) - FREE_KEYS):
            if before.get(key) != now.get(key):
                raise ConfigError(
                    f"--resume: the run in {self.root} was begun with {key}="
                    f"{before.get(key)}, the file now says {now.get(key)}; "
                    "put it back or begin a new run"
                )


def read_settings(root: Path) -> TrainingSettings:
    """Read the settings that a run was begun with.

    Raises:
        OutputError: they are missing or damaged.
    """
    path = root / SETTINGS_FILE
    try:
        return validate(TrainingSettings, json.loads(path.read_text()), str(path))
    except (OSError, ValueError, ConfigError) as error:
        raise OutputError(f"{path}: is not what training wrote ({error})") from error


def newest_run(runs: Path, name: str) -> RunFolder:
    """Return the newest run of a model.

    Args:
        runs: folder of runs, whose names begin with their UTC time.
        name: of the model.

    Raises:
        OutputError: no run of that model exists.
    """
    for root in sorted(runs.glob("*-train"), reverse=True):
        try:
            content = json.loads((root / SETTINGS_FILE).read_text())
        except (OSError, ValueError):
            continue
        if content.get("name") == name and RunFolder(root).begun:
            return RunFolder(root)
    raise OutputError(f"--resume: expected a run of {name} in {runs}/*-train, found none")


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
