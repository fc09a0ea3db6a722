"""A campaign is data: which scenarios, disturbed how, over which seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from liquid_control.config import Scenario, Settings, load_scenario, load_yaml, validate
from liquid_control.errors import ConfigError
from liquid_control.evaluation.seeds import parse_seeds


class Entry(Settings):
    """One row of a campaign's table."""

    name: str = Field(min_length=1, description="what the row is called, unique in its campaign")
    scenario: str = Field("trail", description="a scenario's name or a path to its YAML")
    perturbation: str = Field("none", description="what is disturbed, for instance wind or fog")
    severity: float | str = Field(0.0, description="how strongly, in the perturbation's own unit")
    set: dict[str, Any] = Field({}, description="dotted keys of the scenario and their values")
    seeds: str = Field(description="one flight each, for instance 10000:10100")


class Campaign(Settings):
    """A named list of entries, as `config/campaigns/*.yaml` holds it."""

    name: str = Field(min_length=1, description="what the campaign is called")
    entries: list[Entry] = Field(min_length=1, description="its rows, in order")


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
    campaign = validate(Campaign, load_yaml(path), str(path))
    names = [entry.name for entry in campaign.entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{path}: entries must have different names, {twice[0]!r} comes twice")
    for entry in campaign.entries:
        _check_entry(path, entry)
    return campaign


def _check_entry(path: Path, entry: Entry) -> None:
    try:
        plan_flights([entry], ["expert"])
    except ConfigError as error:
        raise ConfigError(f"{path}: entry {entry.name!r}: {error}") from error


def plan_flights(
    entries: Sequence[Entry], models: Sequence[str], overrides: dict[str, Any] | None = None
) -> list[FlightJob]:
    """Return every flight of the entries for every model, in the order of the result's rows.

    Args:
        entries: what to fly.
        models: labels of the pilots, in the order of the table.
        overrides: dotted keys that win over each entry's own.

    Raises:
        ConfigError: a scenario, an override or a seed range does not fit.
    """
    jobs: list[FlightJob] = []
    for model in models:
        for entry in entries:
            replaced = {**entry.set, **(overrides or {})}
            scenario = load_scenario(entry.scenario, replaced)
            jobs.extend(
                FlightJob(
                    model=model,
                    entry=entry.name,
                    scenario_name=entry.scenario,
                    perturbation=entry.perturbation,
                    severity=entry.severity,
                    seed=seed,
                    overrides=replaced,
                    scenario=scenario,
                )
                for seed in parse_seeds(entry.seeds)
            )
    return jobs
