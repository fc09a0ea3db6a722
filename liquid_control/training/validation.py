"""Closed-loop flights of a candidate model: the only thing that ranks one.

Offline loss does not: of the published flight policies, the ones with the lowest loss flew worst
(Chahine et al. 2023).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from liquid_control.config import Scenario
from liquid_control.errors import OutputError
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.training.atomic import write_text
from liquid_control.training.collector import Crew
from liquid_control.training.plan import validation_seed
from liquid_control.training.score import Score, score_flights
from liquid_control.training.settings import TrainingSettings
from liquid_control.types import FlightResult


@dataclass(frozen=True, slots=True)
class ValidationJob:
    """One flight of a candidate, whose result goes into a file."""

    scenario: Scenario
    seed: int
    condition: str
    crew: Crew
    model: Path
    path: Path

    def run(self) -> None:
        """Fly and write the result."""
        pilot = PolicyPilot(Policy(load_model(self.model)))
        record = self.crew.flyer(self.scenario, self.seed, pilot)
        row = {"condition": self.condition, "seed": self.seed, **asdict(record.result)}
        write_text(self.path, json.dumps(row))


def validation_jobs(
    settings: TrainingSettings, crew: Crew, model: Path, folder: Path, final: bool
) -> list[ValidationJob]:
    """Return the flights that judge a model; every candidate flies the same."""
    count = settings.validation.final_flights if final else settings.validation.flights
    jobs = []
    for order, name in enumerate(settings.validation.conditions):
        scenario = settings.condition(name)
        for index in range(count):
            seed = validation_seed(settings, order * 1000 + index, final)
            path = folder / f"{name}_{index:03d}.json"
            jobs.append(ValidationJob(scenario, seed, name, crew, model, path))
    return jobs


def read_score(jobs: Sequence[ValidationJob]) -> Score:
    """Read what the flights of a validation left.

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
