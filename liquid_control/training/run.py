"""A training run as resumable steps, from the first expert flight or bag to the model folder.

The steps are `read` if there are bags, then `fly 0`, `learn 0`, `validate 0`, `fly 1` and so on,
then `publish`. Each finished step is recorded, and an interrupted step can be repeated: flights
and results that have a file are kept, and the learner continues from its checkpoint.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ConfigError
from liquid_control.executors import Executor
from liquid_control.perception import INPUTS, input_columns
from liquid_control.progress import Reporter
from liquid_control.training.bags.sources import BagData
from liquid_control.training.bags.summary import bag_jobs, bag_pieces, bag_summaries, summary_lines
from liquid_control.training.curves import write_curves
from liquid_control.training.data_pilots import Actors, DataJob, round_plans
from liquid_control.training.data_runs import data_paths
from liquid_control.training.dataset import Dataset, load_dataset, picture_distribution
from liquid_control.training.devices import picture_device
from liquid_control.training.encoder_files import load_encoder
from liquid_control.training.frozen_features import FeatureCache
from liquid_control.training.learner import Learner
from liquid_control.training.network import PolicyNetwork
from liquid_control.training.publish import GraphMaker, publish, save_candidate
from liquid_control.training.ranks import Ranks
from liquid_control.training.run_folder import DatasetFacts, RunFolder, RunProgress
from liquid_control.training.training_settings import TrainingSettings
from liquid_control.training.validation import Score, read_score, validation_jobs
from liquid_control.training.workers import Job, run_jobs


@dataclass
class Training:
    """One run in its folder.

    Attributes:
        settings: of the run.
        folder: of the run.
        actors: simulator and expert; None if the run does not fly.
        progress: the finished steps.
        graphs: makes the ONNX graphs of a model.
        data: bags to learn from; None without bags.
        reporter: shows the progress.
        executor: where flights are flown, `settings.jobs` at a time.
        ranks: processes that learn together; this is rank 0.
    """

    settings: TrainingSettings
    folder: RunFolder
    actors: Actors | None
    progress: RunProgress
    graphs: GraphMaker
    data: BagData | None = None
    reporter: Reporter = field(default_factory=Reporter)
    executor: Executor = field(default_factory=Executor)
    ranks: Ranks = field(default_factory=Ranks)

    def run(self) -> None:
        """Run all steps that are not finished."""
        if self.data is not None:
            self._step("read", partial(self._read, self.data))
        for round_ in range(self.settings.flights.rounds + 1):
            if not self._affordable(round_):
                break
            self._step(f"fly {round_}", partial(self._fly, round_))
            self._step(f"learn {round_}", partial(self._learn, round_))
            self._step(f"validate {round_}", partial(self._validate, round_))
        self._step("publish", self._publish)

    def _step(self, name: str, work: Callable[[], None]) -> None:
        if name in self.progress.done:
            return
        began = time.monotonic()
        work()
        self.progress = self.progress.finished(name, time.monotonic() - began)
        self.progress.save(self.folder.root)

    def _affordable(self, round_: int) -> bool:
        """Whether a round like the last one and the final flights fit into the time budget."""
        done = self.progress.done
        if f"fly {round_}" in done or round_ == 0:
            return True
        if "publish" in done:
            return False
        last = {kind: done[f"{kind} {round_ - 1}"] for kind in ("fly", "learn", "validate")}
        validation = self.settings.validation
        ratio = validation.final_flights / max(1, validation.flights)
        needed = sum(last.values()) + ratio * last["validate"]
        if self.progress.elapsed_s + needed <= self.settings.time_budget_s:
            return True
        self.reporter.log(
            f"round {round_} would exceed the time budget of "
            f"{self.settings.time_budget_s:.0f} s: publishing the best candidate so far"
        )
        return False

    def _read(self, data: BagData) -> None:
        jobs = bag_jobs(self.settings, self.folder, data)
        self._run_jobs("reading bags", jobs, Executor())
        for line in summary_lines(bag_summaries(self.folder, data)):
            self.reporter.log(line)

    def _fly(self, round_: int) -> None:
        learner = self.folder.candidate(round_ - 1) if round_ else None
        jobs = [
            DataJob(
                plan,
                self._flying_actors,
                self.settings.flights,
                learner,
                self.folder.flight(plan.name),
            )
            for plan in round_plans(self.settings, round_)
        ]
        if jobs:
            self._run_jobs(f"round {round_}: flights for data", jobs)

    @property
    def _flying_actors(self) -> Actors:
        if self.actors is None:
            raise RuntimeError("expected actors: this run has flights to fly")
        return self.actors

    def _dataset(self, round_: int) -> list[tuple[Path, int]]:
        """Return the files that a round learns from, each with the index of its flight."""
        pieces = bag_pieces(self.folder, self.data)
        plans = [plan for r in range(round_ + 1) for plan in round_plans(self.settings, r)]
        flown = [*data_paths(self.settings.flights)]
        flown += [self.folder.flight(plan.name) for plan in plans]
        bags = len(self.data.sources) if self.data else 0
        return pieces + [(path, bags + number) for number, path in enumerate(flown)]

    def _learn(self, round_: int) -> None:
        settings = self.settings.learner
        nominal_s = 1.0 / self.settings.base_scenario().camera.rate_hz
        paths, origins = zip(*self._dataset(round_), strict=True)
        learner = self._learner(round_)
        dataset = load_dataset(paths, nominal_s, origins, self._encode())
        self._check_inputs(dataset)
        steps = settings.dagger_steps if round_ else settings.cloning_steps
        self.ranks.lead(learner, dataset, steps)
        with self.reporter.phase(f"round {round_}: learning", steps, learner.step) as bar:
            learner.learn(
                dataset, steps, self.folder.root, lambda loss: bar.advance(f"loss {loss:.4f}")
            )
        write_curves(self.folder.root, learner.curve)
        save_candidate(self.folder.candidate(round_), learner.average, self.settings, self.graphs)
        self.progress = self.progress.learned(
            round_, DatasetFacts(dataset.sha256, dataset.flights, dataset.frames)
        )
        self.reporter.log(
            f"round {round_}: {dataset.frames} frames of {dataset.flights} flights, "
            f"loss {learner.curve[-1].loss:.4f}, validation loss "
            f"{learner.curve[-1].validation:.4f}"
        )

    def _check_inputs(self, dataset: Dataset) -> None:
        """Check that every frame has the optional inputs of the network."""
        network = self.settings.network
        mounted = ("mount",) if network.mount and not network.encoder else ()
        for name in (*network.inputs, *mounted):
            missing = int(np.isnan(dataset.inputs[:, input_columns((name,))]).any(axis=1).sum())
            if missing:
                raise ConfigError(
                    f"network.inputs: {missing} of {dataset.frames} frames have no {name}, which "
                    f"comes from {INPUTS[name].source}; leave it out, or use other flights"
                )

    def _encode(self) -> Callable[[Path], NDArray[np.float32]] | None:
        network = self.settings.network
        if not (network.encoder and network.frozen):
            return None
        device = picture_device(self.settings.learner.device)
        return FeatureCache(load_encoder(network.encoder), device).features

    def _learner(self, round_: int) -> Learner:
        settings = self.settings
        network = PolicyNetwork.fresh(settings.network, settings.base_scenario(), settings.seed)
        learner = Learner(network, settings.learner, settings.seed, ranks=self.ranks)
        learner.restore(self.folder.root)
        learner.begin(round_)
        return learner

    def _validate(self, round_: int) -> None:
        if not self.settings.validation.flights:
            return
        name = f"round_{round_:02d}"
        score = self._score(f"round {round_}: validation", name, round_, final=False)
        self.progress = self.progress.scored(round_, score)

    def _score(self, title: str, name: str, round_: int, final: bool) -> Score:
        jobs = validation_jobs(
            self.settings,
            self._flying_actors,
            self.folder.candidate(round_),
            self.folder.validation(name),
            final,
        )
        self._run_jobs(title, jobs)
        score = read_score(jobs)
        self.reporter.log(f"{title}: {describe(score)}")
        return score

    def _run_jobs(self, title: str, jobs: Sequence[Job], executor: Executor | None = None) -> None:
        with self.reporter.phase(title, len(jobs)) as bar:
            run_jobs(
                jobs,
                replace(executor or self.executor, workers=self.settings.jobs),
                self.settings.restart_every,
                lambda job: bar.advance(job.path.stem),
            )

    def _publish(self) -> None:
        best, score = self.progress.best_round, None
        if self.settings.validation.final_flights:
            score = self._score(f"final flights of round {best}", "final", best, final=True)
        summaries = bag_summaries(self.folder, self.data)
        path = publish(self.folder, self.settings, self.progress, score, summaries)
        facts = self.progress.datasets[best]
        source = f"all {facts.frames} pictures of its {facts.flights} flights"
        paths = [flight for flight, _ in self._dataset(best)]
        picture_distribution(paths, source).save(path)


def describe(score: Score) -> str:
    """Return a score as one line."""
    rows = ", ".join(f"{row.condition} {row.successes}/{row.flights}" for row in score.rows)
    return f"{rows}; cross-track RMS {score.cross_track_rms_m:.2f} m"
