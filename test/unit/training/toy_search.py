"""Architecture searches in the toy world: settings, a computed result in place of a training.

python toy_search.py FOLDER COUNT... begins a search and kills its process with SIGKILL at the
COUNT-th result of the process. It then resumes the search up to the next COUNT, and at last to
its end. It prints the exit status of each process.
"""

import io
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import yaml
from rich.console import Console
from toy_flight import ToyExpert, fly
from toy_run import TOY

from liquid_control.config import validate
from liquid_control.export import model_graphs
from liquid_control.progress import Reporter
from liquid_control.training import Actors
from liquid_control.training.search import run_search
from liquid_control.training.search_settings import SearchSettings
from liquid_control.training.search_trial import TrialResult

KIND, NEURONS = "network.core.kind", "network.core.options.neurons"
SPARSITY, HIDDEN = "network.core.options.sparsity", "network.core.options.hidden"
SPACE = {
    "encoder": {
        "choices": {
            "narrow": {"network.features": 4},
            "wide": {"network.features": 8, "network.hidden": 12},
        }
    },
    KIND: {"choices": ["cfc_wired", "ltc", "gru"]},
    NEURONS: {
        "low": 9,
        "high": 30,
        "whole": True,
        "logarithmic": True,
        "when": {KIND: ["cfc_wired", "ltc"]},
    },
    SPARSITY: {"low": 0.1, "high": 0.9, "when": {KIND: ["cfc_wired"]}},
    HIDDEN: {"low": 4, "high": 20, "whole": True, "when": {KIND: ["gru"]}},
}
SEARCH = {"name": "toy", "seed": 5, "trials": 11, "population": 4, "space": SPACE}


def toy_search(folder: Path, **changes) -> SearchSettings:
    """Return the settings of a search whose training file is written into a folder."""
    path = folder / "toy.yaml"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(TOY))
    return validate(SearchSettings, {**SEARCH, "training": str(path), **changes}, "toy search")


def run(settings: SearchSettings, out: Path, **options) -> Path:
    """Run a search without output on the console."""
    actors, reporter = Actors(fly, ToyExpert), Reporter(Console(file=io.StringIO()))
    options = {"actors": actors, "reporter": reporter, **options}
    return run_search(settings, out, model_graphs, **options)


def computed(trials, done) -> None:
    """Give every trial a result that follows from its settings, the last trial first."""
    for index in reversed(range(len(trials))):
        done(index, result_of(trials[index].settings))


def result_of(settings) -> TrialResult:
    """Return a result: networks of 20 neurons succeed, small ones are fast, `ltc` is slow."""
    core, features = settings.network.core, settings.network.features
    size = core.options.get("neurons", 2 * core.options.get("hidden", 0))
    success = max(0.0, 1.0 - abs(size - 20) / 20.0 - core.options.get("sparsity", 0.5) / 5.0)
    latency_ms = 0.02 * size * (3.0 if core.kind == "ltc" else 1.0) + 0.1 * features
    return TrialResult(success, latency_ms, 100 * features + 30 * size, 30 * size, 2, 1.0)


def deadly_fly(scenario, seed, pilot, progress=None):
    """Fly; the first flight of all kills the process of its trial."""
    mark = Path(os.environ["TOY_SEARCH_MARK"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    return fly(scenario, seed, pilot)


def main() -> None:
    folder, *counts = sys.argv[1:]
    for number, count in enumerate([*counts, None]):
        child = os.fork()
        if child == 0:
            run_in_child(Path(folder), number > 0, None if count is None else int(count))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def run_in_child(folder: Path, resume: bool, deadly: int | None) -> NoReturn:
    results = 0

    def dying(trials, done) -> None:
        nonlocal results
        for index in reversed(range(len(trials))):
            results += 1
            if results == deadly:
                result_of(trials[index].settings).save(trials[index].folder)
                os.kill(os.getpid(), signal.SIGKILL)
            done(index, result_of(trials[index].settings))

    try:
        run(toy_search(folder), folder / "out", resume=resume, evaluate=dying)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    main()
