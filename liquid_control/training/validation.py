"""Closed-loop validation flights, which rank the candidate models.

Offline loss does not rank them: of the published flight policies, those with the lowest loss flew
worst (Chahine et al. 2023).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from liquid_control.config import Scenario
from liquid_control.errors import OutputError
from liquid_control.files import atomic_write
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.training.data_pilots import Actors, validation_seed
from liquid_control.training.training_settings import TrainingSettings
from liquid_control.types import FlightResult


@dataclass(frozen=True, slots=True)
class ConditionScore:
    """Results of one condition.

    Attributes:
        condition: its name.
        flights: number of flights.
        successes: number of flights that succeeded.
        cross_track_rms_m: mean of the flights' cross-track RMS.
        reasons: number of failed flights by reason.
    """

    condition: str
    flights: int
    successes: int
    cross_track_rms_m: float
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class Score:
    """Results of a candidate, a row per condition."""

    rows: tuple[ConditionScore, ...]

    @property
    def success_rate(self) -> float:
        """Fraction of all flights that succeeded."""
        return sum(row.successes for row in self.rows) / sum(row.flights for row in self.rows)

    @property
    def cross_track_rms_m(self) -> float:
        """Mean of the cross-track RMS over all flights, failed ones included."""
        total = sum(row.cross_track_rms_m * row.flights for row in self.rows)
        return total / sum(row.flights for row in self.rows)

    @property
    def rank(self) -> tuple[float, float]:
        """Sort key, larger is better: success rate, then distance from the trail's centre."""
        return self.success_rate, -self.cross_track_rms_m


def score_flights(results: Mapping[str, Sequence[FlightResult]]) -> Score:
    """Return the score of flights by condition."""
    return Score(tuple(_row(name, flights) for name, flights in results.items()))


def _row(condition: str, flights: Sequence[FlightResult]) -> ConditionScore:
    reasons: dict[str, int] = {}
    for flight in flights:
        if not flight.success:
            reasons[flight.reason] = reasons.get(flight.reason, 0) + 1
    return ConditionScore(
        condition=condition,
        flights=len(flights),
        successes=sum(flight.success for flight in flights),
        cross_track_rms_m=fmean(flight.cross_track_rms_m for flight in flights),
        reasons=reasons,
    )


@dataclass(frozen=True, slots=True)
class ValidationJob:
    """One flight of a candidate, as a job that writes its result."""

    scenario: Scenario
    seed: int
    condition: str
    actors: Actors
    model: Path
    path: Path

    def run(self) -> None:
        """Fly and write the result."""
        pilot = PolicyPilot(Policy(load_model(self.model)))
        record = self.actors.flyer(self.scenario, self.seed, pilot)
        row = {"condition": self.condition, "seed": self.seed, **asdict(record.result)}
        atomic_write(self.path, json.dumps(row), parents=True)


def validation_jobs(
    settings: TrainingSettings, actors: Actors, model: Path, folder: Path, final: bool
) -> list[ValidationJob]:
    """Return the validation flights of a model; they are the same for every candidate."""
    count = settings.validation.final_flights if final else settings.validation.flights
    jobs = []
    for order, name in enumerate(settings.validation.conditions):
        scenario = settings.condition(name)
        for index in range(count):
            seed = validation_seed(settings, order * 1000 + index, final)
            path = folder / f"{name}_{index:03d}.json"
            jobs.append(ValidationJob(scenario, seed, name, actors, model, path))
    return jobs


def read_score(jobs: Sequence[ValidationJob]) -> Score:
    """Return the score of finished validation jobs.

    Raises:
        OutputError: a result is damaged.
    """
    results: dict[str, list[FlightResult]] = {}
    for job in jobs:
        results.setdefault(job.condition, []).append(_read_result(job.path))
    return score_flights(results)


def _read_result(path: Path) -> FlightResult:
    try:
        row = json.loads(path.read_text())
        names = FlightResult.__dataclass_fields__
        return FlightResult(**{name: row[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path}: is not a result that training wrote ({error})") from error
