"""Proposals of an architecture search: Optuna studies in a file that survives a kill."""

import os
from contextlib import suppress
from pathlib import Path

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from liquid_control.files import unwritable
from liquid_control.seeding import stream
from liquid_control.training.search_settings import SearchParameter, SearchSettings
from liquid_control.training.search_trial import TrialResult

NSGA2, RANDOM = "nsga2", "random"
_SLOT = "slot"
"""Attribute of a trial that is proposed completely: its number among those of its search."""


class Proposals:
    """One search: an Optuna study whose trials are proposed a generation at a time.

    Every proposal has a sampler of its own, whose seed follows from its slot. A resumed search
    therefore proposes what an uninterrupted one does.

    Attributes:
        name: of the search, `NSGA2` or `RANDOM`.
    """

    def __init__(self, name: str, settings: SearchSettings, storage: JournalStorage) -> None:
        self.name, self._settings = name, settings
        directions = [
            StudyDirection.MAXIMIZE if name == "success" else StudyDirection.MINIMIZE
            for name in settings.objectives
        ]
        self._study = optuna.create_study(
            storage=storage, study_name=name, directions=directions, load_if_exists=True
        )
        self._space = {key: distribution(found) for key, found in settings.space.items()}
        for trial in self._study.get_trials(deepcopy=False):
            if _SLOT not in trial.user_attrs and not trial.state.is_finished():
                self._study.tell(trial.number, state=TrialState.FAIL)

    def trials(self) -> list[FrozenTrial]:
        """Return all trials that were proposed completely, by slot."""
        found = [t for t in self._study.get_trials(deepcopy=False) if _SLOT in t.user_attrs]
        return sorted(found, key=lambda trial: int(trial.user_attrs[_SLOT]))

    def finished(self) -> list[FrozenTrial]:
        """Return the trials that have a result, or failed."""
        return [trial for trial in self.trials() if trial.state.is_finished()]

    def name_of(self, trial: FrozenTrial) -> str:
        """Return the name of a trial and of its folder."""
        return f"{self.name}-{trial.user_attrs[_SLOT]:04d}"

    def next(self) -> list[FrozenTrial]:
        """Return the trials without a result; propose those that fill the generation first."""
        trials = self.trials()
        complete = sum(trial.state is TrialState.COMPLETE for trial in trials)
        running = sum(not trial.state.is_finished() for trial in trials)
        room = self._settings.population - complete % self._settings.population - running
        for slot in range(len(trials), min(len(trials) + room, self._settings.trials)):
            self._propose(slot)
        return [trial for trial in self.trials() if not trial.state.is_finished()]

    def _propose(self, slot: int) -> None:
        self._study.sampler = self._sampler(slot)
        trial = self._study.ask(self._space)
        trial.set_user_attr(_SLOT, slot)

    def _sampler(self, slot: int) -> BaseSampler:
        seed = int(stream(self._settings.seed, f"search.{slot}").integers(2**32))
        if self.name == RANDOM:
            return RandomSampler(seed=seed)
        return NSGAIISampler(population_size=self._settings.population, seed=seed)

    def close(self, trial: FrozenTrial, result: TrialResult) -> None:
        """Record the result of a trial."""
        if result.failure:
            self._study.tell(trial.number, state=TrialState.FAIL)
            return
        values = [float(getattr(result, name)) for name in self._settings.objectives]
        self._study.tell(trial.number, values)


def distribution(parameter: SearchParameter) -> BaseDistribution:
    """Return a parameter of the space as Optuna's distribution."""
    if parameter.low is None or parameter.high is None:
        return CategoricalDistribution(tuple(parameter.choices))
    if parameter.whole:
        low, high = int(parameter.low), int(parameter.high)
        return IntDistribution(low, high, log=parameter.logarithmic)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.logarithmic)


def open_storage(path: Path) -> JournalStorage:
    """Open the file of the studies after a kill: without a torn last line and without a lock.

    The lock of the folder keeps other processes out.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with suppress(FileNotFoundError):
            whole = path.read_bytes().rfind(b"\n") + 1
            os.truncate(path, whole)
        for lock in path.parent.glob(f"{path.name}.lock*"):
            lock.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    return JournalStorage(JournalFileBackend(str(path)))
