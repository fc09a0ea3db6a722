"""Training in the toy world: settings, and a program that kills and resumes a run.

python toy_run.py FOLDER TEXT... begins a run and kills its process at the first progress line
that begins with TEXT. It then resumes the run up to the next TEXT, and at last to its end. It
prints the exit status of each process.
"""

import os
import signal
import sys
import traceback
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import NoReturn

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
    """Kills its own process with SIGKILL at the first line that begins with a text."""

    def __init__(self, deadly_text: str | None) -> None:
        super().__init__(Console(file=StringIO()))
        self.deadly_text = deadly_text

    def log(self, text: str) -> None:
        self._check(text)

    @contextmanager
    def phase(self, title: str, total: int, done: int = 0):
        reporter = self

        class CheckedBar(Bar):
            def move_to(self, completed: float, note: str = "") -> None:
                super().move_to(completed, note)
                reporter._check(f"{title} {completed:.0f}")

        yield CheckedBar(total, done)

    def _check(self, text: str) -> None:
        if self.deadly_text is not None and text.startswith(self.deadly_text):
            os.kill(os.getpid(), signal.SIGKILL)


def begin(
    folder: Path,
    settings: TrainingSettings,
    resume: bool,
    deadly_text: str | None = None,
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
    reporter = DyingReporter(deadly_text)
    return Training(settings, run, actors, progress, model_graphs, data, reporter)


def main() -> None:
    folder, *texts = sys.argv[1:]
    import liquid_control.training.run  # noqa: F401  import torch once, before the forks

    for number, text in enumerate([*texts, None]):
        child = os.fork()
        if child == 0:
            run_in_child(Path(folder), number > 0, text)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def run_in_child(folder: Path, resume: bool, text: str | None) -> NoReturn:
    try:
        begin(folder, toy_settings(), resume, text).run()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main()
