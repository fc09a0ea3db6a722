"""How far a training run has come, as a file: what `--resume` reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from liquid_control.errors import OutputError
from liquid_control.training.atomic import write_text
from liquid_control.training.score import Row, Score

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
class Progress:
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

    def finished(self, step: str, seconds: float) -> "Progress":
        """Return the progress with one step more."""
        return replace(self, done={**self.done, step: round(seconds, 2)})

    def scored(self, round_: int, score: Score) -> "Progress":
        """Return the progress with a round's score."""
        return replace(self, scores={**self.scores, round_: score})

    def learned(self, round_: int, facts: DatasetFacts) -> "Progress":
        """Return the progress with what a round's learner learned from."""
        return replace(self, datasets={**self.datasets, round_: facts})

    def save(self, folder: Path) -> None:
        """Write the file, whole."""
        write_text(folder / PROGRESS_FILE, json.dumps(asdict(self), indent=1))


def load_progress(folder: Path) -> Progress:
    """Read what `save` wrote.

    Raises:
        OutputError: there is no such file, or it is damaged.
    """
    path = folder / PROGRESS_FILE
    try:
        content = json.loads(path.read_text())
        return Progress(
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
    return Score(tuple(Row(**row) for row in content["rows"]))
