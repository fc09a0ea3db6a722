"""Architecture search: NSGA-II, and a random search of equal budget beside it; resumable.

Optuna proposes networks a generation at a time. All of them are trained, in any order, before the
next generation is proposed. Both searches draw with the same seeds, so their first generations are
equal. Equal parameters are trained once.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from liquid_control.errors import OutputError
from liquid_control.files import atomic_write
from liquid_control.journal import check_same_plan, plain
from liquid_control.process_pool import WorkerError, run_tasks
from liquid_control.progress import Reporter
from liquid_control.training.data_pilots import Actors
from liquid_control.training.encoder_files import load_encoder
from liquid_control.training.publish import GraphMaker
from liquid_control.training.search_report import Finding, write_report
from liquid_control.training.search_settings import Point, SearchSettings, load_search
from liquid_control.training.search_studies import NSGA2, RANDOM, Proposals, open_storage
from liquid_control.training.search_trial import SearchTrial, TrialResult, describe, read_result

__all__ = ["PLAN_FILE", "ArchitectureSearch", "load_search", "run_search"]

STUDIES_FILE = "studies.log"
"""Both studies in Optuna's journal format; `optuna-dashboard` opens it."""
PLAN_FILE = "plan.json"
_REPORT_EVERY_S = 60.0

OnResult = Callable[[int, TrialResult], None]
Evaluate = Callable[[Sequence[SearchTrial], OnResult], None]
"""Runs trials, and calls back with the index and the result of each as it ends."""


def run_search(
    settings: SearchSettings,
    out: Path | str,
    graphs: GraphMaker,
    actors: Actors | Callable[[], Actors],
    jobs: int = 1,
    resume: bool = False,
    command: str = "liquid_control.training.search",
    *,
    reporter: Reporter | None = None,
    evaluate: Evaluate | None = None,
) -> Path:
    """Search for networks, and write `search.json`, `search.md` and `front.png`.

    Trials run in worker processes, which import the modules of `actors`: call this function below
    `if __name__ == "__main__":`.

    Args:
        settings: from `load_search`.
        out: folder of the search.
        graphs: makes the ONNX graphs of a model: `liquid_control.export.model_graphs`.
        actors: simulator and expert, or a function that makes them when all settings are checked.
        jobs: trials at a time.
        resume: continue the search in `out`; `trials` may be larger than before.
        command: recorded as provenance.
        reporter: shows the progress; on stderr by default.
        evaluate: runs the trials; in `jobs` processes by default.

    Returns:
        The report, `out`/search.md.

    Raises:
        ConfigError: trials could not be trained, or a resumed search began with other settings.
        OutputError: `out` holds a search already, or none to resume, or cannot be written.
    """
    folder, reporter = Path(out), reporter or Reporter()
    _check_plan(folder, plan_of(settings), resume)
    flying = actors if isinstance(actors, Actors) else actors()
    run = ArchitectureSearch(settings, folder, flying, graphs, command, reporter)
    return run.run(evaluate or (lambda trials, done: _in_processes(trials, jobs, done)))


def plan_of(settings: SearchSettings) -> dict[str, Any]:
    """Check a search and return what a resumed one must have in common with it.

    Raises:
        ConfigError: trials could not be trained.
    """
    runs = settings.check()
    encoders = sorted({run.network.encoder for run in runs if run.network.encoder})
    return {
        "search": settings.model_dump(mode="json", exclude={"trials"}),
        "training": runs[0].model_dump(mode="json"),
        "encoders": {path: load_encoder(path).sha256 for path in encoders},
    }


def _check_plan(folder: Path, content: dict[str, Any], resume: bool) -> None:
    """Write the plan of a new search, or check that it is that of the resumed one."""
    path = folder / PLAN_FILE
    if not resume:
        if path.exists():
            raise OutputError(
                f"{folder} already holds a search; pass --resume to continue it, or another --out"
            )
        atomic_write(path, json.dumps(content, indent=1), parents=True)
        return
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be read ({error}); nothing to resume") from error
    check_same_plan(folder, before, plain(content))


def _in_processes(trials: Sequence[SearchTrial], jobs: int, done: OnResult) -> None:
    """Run trials in worker processes; one whose process is killed is continued once.

    Raises:
        OutputError: the process of a trial was killed twice.
    """
    waiting = dict(enumerate(trials))
    killed: set[int] = set()
    while waiting:
        order = list(waiting)

        def finish(index: int, result: TrialResult, order: Sequence[int] = order) -> None:
            del waiting[order[index]]
            done(order[index], result)

        try:
            run_tasks(list(waiting.values()), _runner, jobs, finish, nested=True)
        except WorkerError as error:
            trial = order[error.index]
            if trial in killed:
                raise OutputError(
                    f"the process of {trials[trial].folder.name} was killed twice (status "
                    f"{error.status}), for memory perhaps; --resume goes on, with fewer --jobs"
                ) from error
            killed.add(trial)


def _runner() -> Callable[[SearchTrial], TrialResult]:
    return SearchTrial.run


@dataclass
class ArchitectureSearch:
    """Both searches in their folder.

    Attributes:
        settings: of the search.
        folder: of the search.
        actors: simulator and expert.
        graphs: makes the ONNX graphs of a model.
        command: recorded as provenance.
        reporter: shows the progress.
    """

    settings: SearchSettings
    folder: Path
    actors: Actors
    graphs: GraphMaker
    command: str
    reporter: Reporter
    _known: dict[str, tuple[str, TrialResult]] = field(default_factory=dict)
    _reported_s: float = field(default_factory=time.monotonic)

    def run(self, evaluate: Evaluate) -> Path:
        """Propose, train and report until both searches have their trials."""
        storage = open_storage(self.folder / STUDIES_FILE)
        studies = [Proposals(name, self.settings, storage) for name in (NSGA2, RANDOM)]
        for proposals in studies:
            for trial in proposals.finished():
                self._remember(proposals, trial)
        total = len(studies) * self.settings.trials
        done = sum(len(proposals.finished()) for proposals in studies)
        begun_s, before = time.monotonic(), done
        with self.reporter.phase("trials", total, done) as bar:

            def advance(name: str, point: Point, result: TrialResult) -> None:
                nonlocal done
                done += 1
                left_s = (time.monotonic() - begun_s) / (done - before) * (total - done)
                line = f"{name}: {describe(point, result)}; about {duration(left_s)} left"
                self.reporter.log(line)
                bar.advance(name)
                if time.monotonic() - self._reported_s >= _REPORT_EVERY_S:
                    self.report(studies)

            while open_trials := [
                (proposals, trial) for proposals in studies for trial in proposals.next()
            ]:
                self._run_batch(open_trials, evaluate, advance)
        return self.report(studies)

    def _run_batch(
        self,
        open_trials: Sequence[tuple[Proposals, FrozenTrial]],
        evaluate: Evaluate,
        advance: Callable[[str, Point, TrialResult], None],
    ) -> None:
        """Give every trial its result: the file's, that of equal parameters, or a training's."""
        groups: dict[str, list[tuple[Proposals, FrozenTrial]]] = {}
        for proposals, trial in open_trials:
            groups.setdefault(self._key(trial), []).append((proposals, trial))

        def close(key: str, result: TrialResult) -> None:
            trained = ""
            for proposals, trial in groups[key]:
                name = proposals.name_of(trial)
                own = result if not trained else replace(result, same_as=trained)
                trained = trained or result.same_as or name
                own.save(self.trial_folder(name))
                proposals.close(trial, own)
                self._remember(proposals, trial)
                advance(name, self.settings.used(trial.params), own)

        waiting: dict[str, SearchTrial] = {}
        for key, members in groups.items():
            known = self._found(key, [p.name_of(trial) for p, trial in members])
            if known is not None:
                close(key, known)
            else:
                waiting[key] = self._training(*members[0])
        keys = list(waiting)
        evaluate(list(waiting.values()), lambda index, result: close(keys[index], result))

    def _found(self, key: str, names: Sequence[str]) -> TrialResult | None:
        """Return a result that exists: a trial's own, or that of an earlier equal trial."""
        if key in self._known:
            name, result = self._known[key]
            return replace(result, same_as=name)
        return read_result(self.trial_folder(names[0]))

    def _training(self, proposals: Proposals, trial: FrozenTrial) -> SearchTrial:
        name = proposals.name_of(trial)
        settings = self.settings.trial(trial.params, f"{self.settings.name}_{name}")
        folder = self.trial_folder(name)
        return SearchTrial(settings, folder, self.actors, self.graphs, self.command)

    def _remember(self, proposals: Proposals, trial: FrozenTrial) -> None:
        name = proposals.name_of(trial)
        result = read_result(self.trial_folder(name))
        if result is None:
            raise OutputError(f"{self.trial_folder(name)}: expected the result of an ended trial")
        self._known.setdefault(self._key(trial), (result.same_as or name, result))

    def _key(self, trial: FrozenTrial) -> str:
        return json.dumps(self.settings.used(trial.params), sort_keys=True)

    def trial_folder(self, name: str) -> Path:
        """Return the folder of a trial."""
        return self.folder / "trials" / name

    def report(self, studies: Sequence[Proposals]) -> Path:
        """Write the report of all trials so far; return its path."""
        findings = {
            proposals.name: [
                Finding(
                    proposals.name_of(trial),
                    self.settings.used(trial.params),
                    read_result(self.trial_folder(proposals.name_of(trial))),
                )
                for trial in proposals.trials()
            ]
            for proposals in studies
        }
        path = write_report(self.folder, self.settings, findings, self.command)
        self._reported_s = time.monotonic()
        return path


def duration(seconds: float) -> str:
    """Return a duration in hours and minutes."""
    minutes = round(seconds / 60.0)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
