"""Trains in the toy world: the settings, and a program that tests start and kill.

python toy_run.py FOLDER [--resume] [--die-after TEXT]
"""

import os
import signal
import sys
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console
from toy_flight import ToyExpert, fly

from liquid_control.config import validate
from liquid_control.export import model_graphs
from liquid_control.progress import Bar, Reporter
from liquid_control.training.bags.sources import BagData
from liquid_control.training.data_pilots import Actors
from liquid_control.training.run_folder import RunFolder, RunProgress, load_progress
from liquid_control.training.training_settings import TrainingSettings

TOY = {
    "name": "toy",
    "seed": 3,
    "overrides": {"trail.length_m": 12.0, "camera.width": 32, "camera.height": 18},
    "randomise": {"camera.rate_hz": {"low": 10.0, "high": 20.0}},
    "flights": {"cloning": 4, "dagger": 2, "rounds": 1, "expert_share": [0.5]},
    "learner": {
        "cloning_steps": 40,
        "dagger_steps": 20,
        "windows": 6,
        "window_steps": 12,
        "burn_in_steps": 3,
        "held_out": 4,
        "save_every_s": 0.05,
    },
    "jobs": 1,
    "validation": {
        "flights": 1,
        "final_flights": 1,
        "conditions": {"calm": {}, "slow": {"camera.rate_hz": 10.0}},
    },
}


def toy_settings(**changes) -> TrainingSettings:
    return validate(TrainingSettings, {**TOY, **changes}, "toy")


class DyingReporter(Reporter):
    """Kills its own process, as a power cut would, at a line that begins with a text."""

    def __init__(self, dying_word: str | None) -> None:
        super().__init__(Console(file=StringIO()))
        self.dying_word = dying_word

    def say(self, text: str) -> None:
        self._listen(text)

    @contextmanager
    def phase(self, title: str, total: int, done: int = 0):
        reporter = self

        class ListeningBar(Bar):
            def move_to(self, completed: float, note: str = "") -> None:
                super().move_to(completed, note)
                reporter._listen(f"{title} {completed:.0f}")

        yield ListeningBar(total, done)

    def _listen(self, text: str) -> None:
        if self.dying_word is not None and text.startswith(self.dying_word):
            os.kill(os.getpid(), signal.SIGKILL)


def begin(
    folder: Path,
    settings: TrainingSettings,
    resume: bool,
    dying_word: str | None = None,
    data: BagData | None = None,
):
    from liquid_control.training.run import Training

    run = RunFolder(folder)
    if resume:
        progress = load_progress(folder)
        run.check_settings(settings)
    else:
        run.keep_settings(settings)
        progress = RunProgress("toy_run.py", "2026-01-01T00:00:00Z")
        progress.save(folder)
    actors = Actors(fly, ToyExpert) if settings.flies else None
    reporter = DyingReporter(dying_word)
    return Training(settings, run, actors, progress, model_graphs, data, reporter)


def main() -> None:
    words = sys.argv[1:]
    dying = words[words.index("--die-after") + 1] if "--die-after" in words else None
    begin(Path(words[0]), toy_settings(), "--resume" in words, dying).run()


if __name__ == "__main__":
    main()
