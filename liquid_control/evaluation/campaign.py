"""A campaign is data: which scenarios, disturbed how, over which seeds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from liquid_control.config import Scenario, Settings, load_scenario, load_yaml, validate
from liquid_control.config.disturbances import (
    HIGHEST_SEVERITY,
    disturbance_names,
    joined_overrides,
)
from liquid_control.config.random_overrides import Spread, check_keys, draw_overrides
from liquid_control.errors import ConfigError

_RANGE = re.compile(r"(\d+)(?::(\d+))?")


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that `text` names, in its order; `a:b` ends before b, as in Python.

    Raises:
        ConfigError: a part is not a non-negative integer or range, or a seed comes twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise ConfigError(
                f"seeds: expected integers >= 0 such as 7, 0:100 or 1,5,20:25, got {text!r}"
            )
        first = int(match[1])
        seeds.extend(range(first, int(match[2]) if match[2] else first + 1))
    if not seeds:
        raise ConfigError(f"seeds: the range {text!r} is empty; a:b ends before b")
    if len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds: {text!r} names a seed twice")
    return tuple(seeds)


UNDISTURBED = "none"


class CampaignEntry(Settings):
    """One row of a campaign's table."""

    name: str = Field(min_length=1, description="what the row is called, unique in its campaign")
    scenario: str = Field("trail", description="a scenario's name or a path to its YAML")
    perturbation: str = Field(
        UNDISTURBED,
        description="what is disturbed, for instance wind or fog; by `disturb` if left out",
    )
    severity: float | str = Field(0.0, description="how strongly, in the perturbation's own unit")
    disturb: dict[str, int] = Field(
        {}, description="names of config/disturbances.yaml and severities, 0 to 5"
    )
    set: dict[str, Any] = Field({}, description="dotted keys of the scenario and their values")
    randomise: dict[str, Spread] = Field(
        {}, description="scenario keys drawn for every flight, a function of its seed"
    )
    seeds: str = Field(description="one flight each, for instance 10000:10100")


class Ladder(Settings):
    """Many rows in short: each disturbance at each severity."""

    scenario: str = Field("trail", description="a scenario's name or a path to its YAML")
    disturbances: list[str] | None = Field(
        None, min_length=1, description="names of config/disturbances.yaml; all if left out"
    )
    severities: list[int] = Field(
        list(range(1, HIGHEST_SEVERITY + 1)), min_length=1, description="which of 0 to 5"
    )
    set: dict[str, Any] = Field({}, description="dotted keys of the scenario and their values")
    seeds: str = Field(description="one flight each, for instance 10000:10100")

    def entries(self) -> list[CampaignEntry]:
        """Return the rows, disturbance by disturbance, named as in `fog 3`."""
        return [
            CampaignEntry(
                name=f"{name} {severity}",
                scenario=self.scenario,
                disturb={name: severity},
                set=self.set,
                seeds=self.seeds,
            )
            for name in self.disturbances or disturbance_names()
            for severity in self.severities
        ]


class Campaign(Settings):
    """A named list of entries, as `config/campaigns/*.yaml` holds it."""

    name: str = Field(min_length=1, description="what the campaign is called")
    entries: list[CampaignEntry] = Field(min_length=1, description="its rows, in order")
    ladders: list[Ladder] = Field([], description="more rows, which follow")

    def unrolled(self) -> "Campaign":
        """Return the campaign with the rows of its ladders among its entries."""
        more = [entry for ladder in self.ladders for entry in ladder.entries()]
        return self.model_copy(update={"entries": [*self.entries, *more], "ladders": []})


@dataclass(frozen=True, slots=True)
class FlightJob:
    """One flight that is to be flown.

    Attributes:
        model: label of the pilot, a key of the pilots that the runner is given.
        entry: name of the campaign's entry.
        scenario_name: what the scenario was loaded from.
        overrides: dotted keys that were replaced in it.
        scenario: what it says, overrides applied.
    """

    model: str
    entry: str
    scenario_name: str
    perturbation: str
    severity: float | str
    seed: int
    overrides: dict[str, Any]
    scenario: Scenario


def load_campaign(path: Path) -> Campaign:
    """Load and check a campaign's YAML file, its scenarios, overrides and seeds included.

    Raises:
        ConfigError: the file, a key, a scenario, an override or a seed range does not fit.
    """
    campaign = validate(Campaign, load_yaml(path), str(path)).unrolled()
    names = [entry.name for entry in campaign.entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{path}: entries must have different names, {twice[0]!r} comes twice")
    for entry in campaign.entries:
        _check_entry(path, entry)
    return campaign


def _check_entry(path: Path, entry: CampaignEntry) -> None:
    try:
        plan_flights([entry], ["expert"])
    except ConfigError as error:
        raise ConfigError(f"{path}: entry {entry.name!r}: {error}") from error


def plan_flights(
    entries: Sequence[CampaignEntry],
    models: Sequence[str],
    overrides: dict[str, Any] | None = None,
    disturb: Mapping[str, int] | None = None,
) -> list[FlightJob]:
    """Return every flight of the entries for every model, in the order of the result's rows.

    Args:
        entries: what to fly.
        models: labels of the pilots, in the order of the table.
        overrides: dotted keys that win over everything else.
        disturb: disturbances and severities that come on top of each entry's own keys.

    Raises:
        ConfigError: a scenario, an override, a disturbance or a seed range does not fit.
    """
    more = joined_overrides(disturb or {}) | (overrides or {})
    planned = [
        _jobs(entry, joined_overrides(entry.disturb) | entry.set | more, disturb or {})
        for entry in entries
    ]
    return [replace(job, model=model) for model in models for jobs in planned for job in jobs]


def _jobs(
    entry: CampaignEntry, replaced: dict[str, Any], disturb: Mapping[str, int]
) -> list[FlightJob]:
    """Return an entry's flights, their model still open; what is set wins over what is drawn."""
    check_keys(entry.randomise, entry.scenario)
    scenario = load_scenario(entry.scenario, replaced)
    perturbation, severity = _told(entry, disturb)
    jobs = []
    for seed in parse_seeds(entry.seeds):
        drawn = draw_overrides(entry.randomise, seed) | replaced
        job = FlightJob(
            model="",
            entry=entry.name,
            scenario_name=entry.scenario,
            perturbation=perturbation,
            severity=severity,
            seed=seed,
            overrides=drawn,
            scenario=load_scenario(entry.scenario, drawn) if entry.randomise else scenario,
        )
        jobs.append(job)
    return jobs


def _told(entry: CampaignEntry, disturb: Mapping[str, int]) -> tuple[str, float | str]:
    """Return what is disturbed, and how strongly: numbers where it is one thing, else words."""
    stated = {entry.perturbation: entry.severity}
    own = entry.disturb if entry.perturbation == UNDISTURBED else stated
    told: dict[str, float | str] = {**own, **disturb}
    if not told:
        return entry.perturbation, entry.severity
    names, severities = list(told), list(told.values())
    if len(told) == 1:
        (severity,) = severities
        return names[0], float(severity) if isinstance(severity, int) else severity
    return ", ".join(names), ", ".join(_word(severity) for severity in severities)


def _word(severity: float | str) -> str:
    return severity if isinstance(severity, str) else f"{severity:g}"
