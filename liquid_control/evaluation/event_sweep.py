"""Closed-loop success of the event-driven form against its operations per second.

The same forests are flown with every pair of thresholds. Thresholds of 0 are the dense form, bit
for bit. Flights are ordered by forest, so a sweep that ends early has the same forests for every
pair. Every flight is one row of a journal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from liquid_control.config import Scenario
from liquid_control.errors import ConfigError
from liquid_control.evaluation.paired import difference_interval, mcnemar
from liquid_control.evaluation.results import wilson_interval
from liquid_control.evaluation.runner import fly_study
from liquid_control.interfaces import Flyer
from liquid_control.journal import JOURNAL_FILE, Journal
from liquid_control.liquid.event_step import Operations
from liquid_control.policy import EventPilot, EventPolicy, Thresholds, load_model

DENSE = Thresholds()
PAIRS = ("0.05:0.01", "0.1:0.02", "0.2:0.05", "0.3:0.07", "0.4:0.1")
"""Thresholds of a sweep where none are given."""


@dataclass(frozen=True, slots=True)
class EventJob:
    """One flight.

    Attributes:
        thresholds: of encoder and core.
        scenario: of the flight.
        seed: of the flight.
        model: folder of the model.
    """

    thresholds: Thresholds
    scenario: Scenario
    seed: int
    model: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """Result of one flight; the operations are those of all its frames.

    Attributes:
        encoder_threshold: of the perception network.
        core_threshold: of the controller.
        seed: of the flight.
        success: whether the flight succeeded.
        reason: why it ended.
        distance_m: along the trail.
        cross_track_rms_m: distance to the centre of the trail.
        duration_s: of the flight.
        frames: answered frames.
        encoder: operations of the perception network, in the order of `Operations`.
        core: operations of the controller.
    """

    encoder_threshold: float
    core_threshold: float
    seed: int
    success: bool
    reason: str
    distance_m: float
    cross_track_rms_m: float
    duration_s: float
    frames: int
    encoder: tuple[int, ...]
    core: tuple[int, ...]

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds of the flight."""
        return Thresholds(self.encoder_threshold, self.core_threshold)


@dataclass(frozen=True, slots=True)
class EventPoint:
    """Flights with one pair of thresholds, beside those of the dense form in the same forests.

    Attributes:
        thresholds: of encoder and core.
        successes: flights that succeeded.
        flights: number of flights.
        low, high: Wilson's 95 % interval of the success rate.
        difference: success rate minus that of the dense form in the same forests.
        difference_low, difference_high: its paired 95 % interval (Newcombe, method 10).
        p_value: of McNemar's exact test.
        seconds: of all flights together.
        frames: of all flights together.
        encoder: operations of the perception network in all flights.
        core: operations of the controller in all flights.
    """

    thresholds: Thresholds
    successes: int
    flights: int
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    p_value: float
    seconds: float
    frames: int
    encoder: Operations
    core: Operations

    @property
    def operations_per_s(self) -> float:
        """Multiply-accumulates and additions of encoder and core per second of flight."""
        parts = (self.encoder, self.core)
        return sum(part.macs + part.additions for part in parts) / self.seconds


@dataclass(frozen=True)
class EventSweep:
    """Result of a sweep.

    Attributes:
        model: its name.
        plan: what was flown.
        rows: of all flights.
        points: one a pair of thresholds, the dense form first.
        dense: operations of one frame in the dense form, by `encoder` and `core`.
        state_bytes: memory between two frames in exported C, by `encoder` and `core`.
    """

    model: str
    plan: Mapping[str, Any]
    rows: tuple[EventRow, ...]
    points: tuple[EventPoint, ...]
    dense: Mapping[str, Operations]
    state_bytes: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "model": self.model,
            "plan": dict(self.plan),
            "points": [asdict(point) for point in self.points],
            "dense": {name: asdict(counts) for name, counts in self.dense.items()},
            "state_bytes": dict(self.state_bytes),
            "rows": [asdict(row) for row in self.rows],
        }


def parse_thresholds(texts: Sequence[str]) -> tuple[Thresholds, ...]:
    """Return pairs of thresholds, the dense form first.

    Args:
        texts: such as `0.1:0.02`, encoder and core.

    Raises:
        ConfigError: a text is no pair of numbers >= 0.
    """
    pairs = {DENSE: None}
    for text in texts:
        try:
            encoder, core = (float(part) for part in text.split(":"))
        except ValueError as error:
            raise ConfigError(
                f"--threshold: expected ENCODER:CORE, such as 0.1:0.02, got {text!r}"
            ) from error
        pairs[Thresholds(encoder, core)] = None
    return tuple(pairs)


def fly_job(flyer: Flyer, job: EventJob) -> EventRow:
    """Fly one job and count its operations."""
    pilot = EventPilot(load_model(job.model), job.thresholds)
    result = flyer(job.scenario, job.seed, pilot).result
    return EventRow(
        encoder_threshold=job.thresholds.encoder,
        core_threshold=job.thresholds.core,
        seed=job.seed,
        success=result.success,
        reason=result.reason,
        distance_m=result.distance_m,
        cross_track_rms_m=result.cross_track_rms_m,
        duration_s=result.duration_s,
        frames=pilot.frames,
        encoder=pilot.encoder.counts,
        core=pilot.core.counts,
    )


def event_sweep(
    flyer: Flyer,
    model: str,
    scenario: Scenario,
    seeds: Sequence[int],
    thresholds: Sequence[Thresholds],
    folder: Path,
    *,
    workers: int = 2,
    resume: bool = False,
    command: str = "liquid_control.evaluation.event_sweep.event_sweep",
) -> EventSweep:
    """Fly a sweep of thresholds; every flight is kept in `rows.jsonl` of a folder.

    Args:
        flyer: flies a scenario, such as `liquid_control_sim.fly`; picklable.
        model: folder of a wired CfC.
        scenario: of all flights.
        seeds: of the forests.
        thresholds: pairs, from `parse_thresholds`; the first is the dense form.
        folder: of the results.
        workers: flights at a time.
        resume: continue the sweep in `folder`.
        command: recorded as provenance.

    Raises:
        ModelError: the model has another core, or cannot fly the scenario.
        ConfigError: a threshold is outside of its range, or the folder is of another sweep.
        OutputError: a row cannot be written.
    """
    loaded = load_model(model)
    loaded.check_scenario(scenario)
    policies = [EventPolicy(loaded, pair) for pair in thresholds]
    plan = {
        "model": loaded.name,
        "weights": loaded.settings.sha256,
        "scenario": scenario.model_dump(),
        "seeds": list(seeds),
        "thresholds": [asdict(pair) for pair in thresholds],
    }
    path = folder / JOURNAL_FILE
    opened = Journal.resume(path, plan) if resume else Journal.begin(path, plan, {}, command)
    jobs = [EventJob(pair, scenario, seed, model) for seed in seeds for pair in thresholds]
    with opened as journal:
        rows = fly_study(flyer, jobs, fly_job, journal, event_row, _key, workers)
    encoder, core = policies[0].encoder, policies[0].core
    return EventSweep(
        loaded.name,
        plan,
        rows,
        summary(rows, thresholds),
        {"encoder": encoder.dense, "core": core.dense},
        {"encoder": encoder.state_bytes, "core": core.state_bytes},
    )


def summary(rows: Sequence[EventRow], thresholds: Sequence[Thresholds]) -> tuple[EventPoint, ...]:
    """Return the results of every pair of thresholds, compared with the first over its forests."""
    dense = {row.seed: row.success for row in rows if row.thresholds == thresholds[0]}
    points = []
    for pair in thresholds:
        own = [row for row in rows if row.thresholds == pair and row.seed in dense]
        if not own:
            continue
        outcomes = [(dense[row.seed], row.success) for row in own]
        both, lost = outcomes.count((True, True)), outcomes.count((True, False))
        won, neither = outcomes.count((False, True)), outcomes.count((False, False))
        low, high = difference_interval(both, lost, won, neither)
        points.append(
            EventPoint(
                pair,
                both + won,
                len(own),
                *wilson_interval(both + won, len(own)),
                (won - lost) / len(own),
                low,
                high,
                mcnemar(lost, won),
                sum(row.duration_s for row in own),
                sum(row.frames for row in own),
                sum((Operations(*row.encoder) for row in own), Operations()),
                sum((Operations(*row.core) for row in own), Operations()),
            )
        )
    return tuple(points)


def _key(flown: EventJob | EventRow) -> tuple[Thresholds, int]:
    return flown.thresholds, flown.seed


def event_row(content: Mapping[str, Any]) -> EventRow:
    """Return a row from its plain data in a journal."""
    counts = {name: tuple(content[name]) for name in ("encoder", "core")}
    return EventRow(**{**content, **counts})
