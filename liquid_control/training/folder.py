"""The folder of a training run: what lies where, and the settings that it was begun with."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liquid_control.errors import ConfigError, OutputError
from liquid_control.training.atomic import write_text
from liquid_control.training.progress import PROGRESS_FILE
from liquid_control.training.settings import TrainingSettings

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
