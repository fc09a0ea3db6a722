"""A campaign is data: which scenarios, disturbed how, over which seeds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from liquid_control.config import (
    Scenario,
    Settings,
    load_extended,
    load_scenario,
    project_file,
    validate,
)
from liquid_control.config.disturbances import (
    HIGHEST_SEVERITY,
    disturbance_names,
    joined_overrides,
)
from liquid_control.config.overrides import Spread, check_keys, draw_overrides
from liquid_control.errors import ConfigError
from liquid_control.seeding import MAX_SEED

MAX_SEEDS = 100_000
"""Largest number of seeds of one entry."""

_RANGE = re.compile(r"(\d{1,30})(?::(\d{1,30}))?", re.ASCII)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that `text` names, in its order; `a:b` ends before b, as in Python.

    Raises:
        ConfigError: a part is not a non-negative integer or range, a seed comes twice or is above
            `MAX_SEED`, or there are more than `MAX_SEEDS`.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise ConfigError(
                f"seeds: expected integers >= 0 such as 7, 0:100 or 1,5,20:25, got {text!r}"
            )
        first = int(match[1])
        end = int(match[2]) if match[2] else first + 1
        if end > first and end - 1 > MAX_SEED:
            raise ConfigError(f"seeds: expected at most {MAX_SEED} (2^63 - 1), got {end - 1}")
        if (number := len(seeds) + end - first) > MAX_SEEDS:
            raise ConfigError(f"seeds: expected at most {MAX_SEEDS:,} seeds, got {number:,}")
        seeds.extend(range(first, end))
    if not seeds:
        raise ConfigError(f"seeds: the range {text!r} is empty; a:b ends before b")
    if len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds: {text!r} names a seed twice")
    return tuple(seeds)


UNDISTURBED = "none"


class CampaignEntry(Settings):
    """One row of a campaign's table."""

    name: str = Field(min_length=1, description="name of the row, unique in its campaign")
    scenario: str = Field("trail", description="a scenario's name or a path to its YAML")
    perturbation: str = Field(
        UNDISTURBED,
        description="what is disturbed, for instance wind or fog; from `disturb` if left out",
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
    """Short form of many rows: each disturbance at each severity."""

    scenario: str = Field("trail", description="a scenario's name or a path to its YAML")
    disturbances: list[str] | None = Field(
        None, min_length=1, description="names of config/disturbances.yaml; all if left out"
    )
    severities: list[int] = Field(
        list(range(1, HIGHEST_SEVERITY + 1)), min_length=1, description="severities, 0 to 5"
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

    name: str = Field(min_length=1, description="name of the campaign")
    entries: list[CampaignEntry] = Field(min_length=1, description="its rows, in order")
    ladders: list[Ladder] = Field([], description="further rows, after the entries")

    def unrolled(self) -> "Campaign":
        """Return the campaign with the rows of its ladders among its entries."""
        more = [entry for ladder in self.ladders for entry in ladder.entries()]
        return self.model_copy(update={"entries": [*self.entries, *more], "ladders": []})

    def with_seeds(self, seeds: str) -> "Campaign":
        """Return the campaign with other seeds in every entry.

        Raises:
            ConfigError: the seeds do not parse.
        """
        parse_seeds(seeds)
        changed = [entry.model_copy(update={"seeds": seeds}) for entry in self.entries]
        return self.model_copy(update={"entries": changed})


@dataclass(frozen=True, slots=True)
class FlightJob:
    """One flight of a campaign.

    Attributes:
        model: label of the pilot, a key of the pilots that the runner receives.
        entry: name of the campaign's entry.
        scenario_name: name or path that the scenario was loaded from.
        perturbation: what is disturbed; several names are joined by commas.
        severity: how strongly; a number where one disturbance is named, else text.
        seed: of the flight.
        overrides: dotted keys that were replaced in the scenario.
        scenario: settings, overrides applied.
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
    content = load_extended(path, project_file("config/campaigns"))
    campaign = validate(Campaign, content, str(path)).unrolled()
    names = [entry.name for entry in campaign.entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{path}: entries must have different names, {twice[0]!r} comes twice")
    for entry in campaign.entries:
        _check_entry(path, entry)
    return campaign


DEFAULT_SEEDS = "10000:10020"
"""Seeds of a single scenario; training never uses them."""


def scenario_campaign(scenario: str, overrides: Mapping[str, Any]) -> Campaign:
    """Return a campaign of one scenario.

    Args:
        scenario: name or path of a YAML file.
        overrides: keys and values that the row names as its perturbation and severity.

    Raises:
        ConfigError: the scenario does not exist, or a key or value is invalid.
    """
    load_scenario(scenario, overrides)
    name = Path(scenario).stem
    values = [str(value) for value in overrides.values()]
    entry = CampaignEntry(
        name=name,
        scenario=scenario,
        perturbation=", ".join(overrides) or UNDISTURBED,
        severity=", ".join(values) if values else 0.0,
        seeds=DEFAULT_SEEDS,
    )
    return Campaign(name=name, entries=[entry])


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
        entries: rows to fly.
        models: labels of the pilots, in the order of the table.
        overrides: dotted keys that win over everything else.
        disturb: disturbances and severities that are added to each entry's own keys.

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
    """Return an entry's flights without a model; keys that are set win over drawn ones."""
    check_keys(entry.randomise, entry.scenario)
    scenario = load_scenario(entry.scenario, replaced)
    perturbation, severity = _perturbation(entry, disturb)
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


def _perturbation(entry: CampaignEntry, disturb: Mapping[str, int]) -> tuple[str, float | str]:
    """Return perturbation and severity: a number for one perturbation, text for several."""
    named = {entry.perturbation: entry.severity}
    own = entry.disturb if entry.perturbation == UNDISTURBED else named
    applied: dict[str, float | str] = {**own, **disturb}
    if not applied:
        return entry.perturbation, entry.severity
    if len(applied) == 1:
        ((name, severity),) = applied.items()
        return name, float(severity) if isinstance(severity, int) else severity
    return ", ".join(applied), ", ".join(_text(severity) for severity in applied.values())


def _text(severity: float | str) -> str:
    return severity if isinstance(severity, str) else f"{severity:g}"
