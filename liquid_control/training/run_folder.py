"""The folder of a training run: what lies where, and the settings that it was begun with."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from liquid_control.errors import ConfigError, OutputError
from liquid_control.files import write_text, write_whole
from liquid_control.training.curves import CurvePoint
from liquid_control.training.training_settings import TrainingSettings
from liquid_control.training.validation import ConditionScore, Score

PROGRESS_FILE = "progress.json"


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """What a dataset was, without it.

    Attributes:
        sha256: of all its flights.
        flights: how many.
        frames: how many.
    """

    sha256: str
    flights: int
    frames: int


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Steps that are over, and what they gave.

    Attributes:
        command: the command line that began the run.
        began: UTC time at which it did, ISO 8601.
        revision: of the source then, None outside a clone.
        done: seconds that each finished step took, by its name, in order.
        scores: how the candidate of each round flew.
        datasets: what the learner of each round learned from.
    """

    command: str
    began: str
    revision: str | None = None
    done: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[int, Score] = field(default_factory=dict)
    datasets: Mapping[int, DatasetFacts] = field(default_factory=dict)

    @property
    def elapsed_s(self) -> float:
        """Time of all finished steps; steps that were killed and begun again count once."""
        return sum(self.done.values())

    @property
    def best_round(self) -> int:
        """The round whose candidate flew best; of equals, or where none flew, the later one."""
        if not self.scores:
            return max(self.datasets)
        return max(self.scores, key=lambda round_: (*self.scores[round_].rank, round_))

    def finished(self, step: str, seconds: float) -> "RunProgress":
        """Return the progress with one step more."""
        return replace(self, done={**self.done, step: round(seconds, 2)})

    def scored(self, round_: int, score: Score) -> "RunProgress":
        """Return the progress with a round's score."""
        return replace(self, scores={**self.scores, round_: score})

    def learned(self, round_: int, facts: DatasetFacts) -> "RunProgress":
        """Return the progress with what a round's learner learned from."""
        return replace(self, datasets={**self.datasets, round_: facts})

    def save(self, folder: Path) -> None:
        """Write the file, whole."""
        write_text(folder / PROGRESS_FILE, json.dumps(asdict(self), indent=1))


def load_progress(folder: Path) -> RunProgress:
    """Read what `save` wrote.

    Raises:
        OutputError: there is no such file, or it is damaged.
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
"""Keys that a resumed run may change: how fast it goes and when it must be over."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where everything of one run lies."""

    root: Path

    @property
    def begun(self) -> bool:
        """Whether a run was begun here."""
        return (self.root / PROGRESS_FILE).exists()

    def flight(self, name: str) -> Path:
        """Return the file of one data flight."""
        return self.root / "dataset" / f"{name}.npz"

    def bag(self, key: str) -> Path:
        """Return the summary of a bag that was read."""
        return self.root / "dataset" / "bags" / f"{key}.json"

    def candidate(self, round_: int) -> Path:
        """Return the model folder of a round."""
        return self.root / "candidates" / f"round_{round_:02d}"

    def validation(self, name: str) -> Path:
        """Return the folder of a validation's results."""
        return self.root / "validation" / name

    def check_unused(self) -> None:
        """Refuse to begin where a run was begun before.

        Raises:
            OutputError: there is one.
        """
        if self.begun:
            raise OutputError(
                f"{self.root} already holds a training run; pass --resume to go on with it, "
                "or another --out"
            )

    def keep_settings(self, settings: TrainingSettings) -> None:
        """Write the settings that the run begins with."""
        write_text(self.root / SETTINGS_FILE, settings.model_dump_json(indent=1))

    def check_settings(self, settings: TrainingSettings) -> None:
        """Refuse to go on with other settings than the run was begun with.

        Raises:
            ConfigError: a setting that decides the result has changed.
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


def newest_run(runs: Path, name: str) -> RunFolder:
    """Return the run of that model that was begun last.

    Args:
        runs: folder of runs, whose names begin with their UTC time.
        name: of the model.

    Raises:
        OutputError: there is none.
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


CHECKPOINT_FILE = "learner.pt"


def save_checkpoint(folder: Path, state: dict[str, Any], curve: list[CurvePoint]) -> None:
    """Write the learner's state, whole."""
    content = {**state, "curve": [astuple(point) for point in curve]}
    write_whole(folder / CHECKPOINT_FILE, lambda partial: torch.save(content, partial))


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], list[CurvePoint]] | None:
    """Read what `save_checkpoint` wrote; None where there is nothing yet.

    Raises:
        OutputError: the file is damaged.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return content, [CurvePoint(*point) for point in content.pop("curve")]
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.PickleError) as error:
        raise OutputError(f"{path}: is not a checkpoint that training wrote ({error})") from error
