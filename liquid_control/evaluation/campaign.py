"""A campaign is data: which scenarios, disturbed how, over which seeds, flown by which arms."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

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
from liquid_control.config.suggestions import suggestion
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
    of: str | None = Field(
        None,
        description="the undisturbed entry that this one stands beside: scenario, seeds and keys "
        "of `set` that are left out here are taken from it",
    )
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
    seeds: str = Field("", description="one flight each, for instance 10000:10100")

    @model_validator(mode="after")
    def _check_seeds(self) -> "CampaignEntry":
        if not self.seeds and self.of is None:
            raise ValueError("seeds: expected seeds such as 10000:10100, or `of` with an entry")
        return self

    def beside(self, base: "CampaignEntry") -> "CampaignEntry":
        """Return the entry with what it takes from the undisturbed entry that `of` names."""
        update: dict[str, Any] = {"set": base.set | self.set, "seeds": self.seeds or base.seeds}
        if "scenario" not in self.model_fields_set:
            update["scenario"] = base.scenario
        return self.model_copy(update=update)


class Ladder(Settings):
    """Short form of many rows: each disturbance at each severity."""

    scenario: str = Field("trail", description="a scenario's name or a path to its YAML")
    of: str | None = Field(
        None,
        description="the undisturbed entry that the rows stand beside; they have its scenario, "
        "keys and seeds, and its name before theirs",
    )
    disturbances: list[str] | None = Field(
        None, min_length=1, description="names of config/disturbances.yaml; all if left out"
    )
    severities: list[int] = Field(
        list(range(1, HIGHEST_SEVERITY + 1)), min_length=1, description="severities, 0 to 5"
    )
    set: dict[str, Any] = Field({}, description="dotted keys of the scenario and their values")
    seeds: str = Field("", description="one flight each, for instance 10000:10100")

    def entries(self) -> list[CampaignEntry]:
        """Return the rows, disturbance by disturbance, named `fog 3`, or `trail 1, fog 3`."""
        own = self.model_dump(include={"of", "set", "seeds"})
        own |= {} if self.of else {"scenario": self.scenario}
        return [
            CampaignEntry(
                name=f"{self.of}, {name} {severity}" if self.of else f"{name} {severity}",
                disturb={name: severity},
                **own,
            )
            for name in self.disturbances or disturbance_names()
            for severity in self.severities
        ]


class Arm(Settings):
    """Who flies a campaign: the pilots `expert` or `hover`, a model, or the models of a core."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_+.]+$", description="in tables; expert and hover are pilots"
    )
    core: str | None = Field(None, description="kind of the models' core; any if left out")
    size: Literal["small", "base"] = Field("small", description="size of the core in training")
    training_seeds: list[int] = Field(
        [], description="one model each; their flights count as one core's"
    )
    model: str | dict[str, str] | None = Field(
        None,
        description="model folder, or one for each task or scenario; {name} and {training_seed} "
        "are replaced. The campaign's `model` if left out",
    )
    entries: list[str] = Field(["*"], min_length=1, description="patterns of the entries it flies")


class Claim(Settings):
    """A figure that the campaign is to show."""

    claim: str = Field(min_length=1, description="in words")
    entries: list[str] = Field(min_length=1, description="patterns of entries; each must meet it")
    at_least: float = Field(ge=0.0, le=1.0, description="success rate, or fraction of `relative`")
    relative: str | None = Field(
        None,
        description="`expert`, `best` of the entries, or the entry whose success rate counts as 1",
    )


class Campaign(Settings):
    """A named list of entries, as `config/campaigns/*.yaml` holds it."""

    name: str = Field(min_length=1, description="name of the campaign")
    entries: list[CampaignEntry] = Field(min_length=1, description="its rows, in order")
    ladders: list[Ladder] = Field([], description="further rows, after the entries")
    arms: list[Arm] = Field([], description="who flies it if no --model is given")
    model: str | None = Field(
        None, description="model folder of an arm; {name} and {training_seed} are replaced"
    )
    train: str | None = Field(
        None,
        description="command that trains an arm's model; {name}, {core}, {size} and "
        "{training_seed} are replaced",
    )
    reference: str | None = Field(None, description="arm that the others are compared with")
    claims: list[Claim] = Field([], description="figures that the campaign is to show")

    def unrolled(self) -> "Campaign":
        """Return the campaign with the rows of its ladders among its entries.

        Raises:
            ConfigError: `of` names no entry, or one with `of`; or the seeds are not among its.
        """
        more = [entry for ladder in self.ladders for entry in ladder.entries()]
        bases = {entry.name: entry for entry in self.entries if entry.of is None}
        entries = [_beside(entry, bases) for entry in (*self.entries, *more)]
        return self.model_copy(update={"entries": entries, "ladders": []})

    def with_seeds(self, seeds: str) -> "Campaign":
        """Return the campaign with other seeds in every entry.

        Raises:
            ConfigError: the seeds do not parse.
        """
        parse_seeds(seeds)
        changed = [entry.model_copy(update={"seeds": seeds}) for entry in self.entries]
        return self.model_copy(update={"entries": changed})


def _beside(entry: CampaignEntry, bases: Mapping[str, CampaignEntry]) -> CampaignEntry:
    if entry.of is None:
        return entry
    if entry.of not in bases:
        hint = suggestion(entry.of, bases)
        raise ConfigError(f"entry {entry.name!r}: of: no undisturbed entry {entry.of!r}; {hint}")
    base, merged = bases[entry.of], entry.beside(bases[entry.of])
    alone = sorted(set(parse_seeds(merged.seeds)) - set(parse_seeds(base.seeds)))
    if alone:
        raise ConfigError(
            f"entry {entry.name!r}: expected seeds of {entry.of!r}, {base.seeds}, got {alone[0]}"
        )
    return merged


@dataclass(frozen=True, slots=True)
class FlightJob:
    """One flight of a campaign.

    Attributes:
        model: label of the pilot in the rows.
        entry: name of the campaign's entry.
        scenario_name: name or path that the scenario was loaded from.
        perturbation: what is disturbed; several names are joined by commas.
        severity: how strongly; a number where one disturbance is named, else text.
        seed: of the flight.
        overrides: dotted keys that were replaced in the scenario.
        scenario: settings, overrides applied.
        pilot: key of the pilots that the runner receives; the label if empty.
    """

    model: str
    entry: str
    scenario_name: str
    perturbation: str
    severity: float | str
    seed: int
    overrides: dict[str, Any]
    scenario: Scenario
    pilot: str = ""

    @property
    def pilot_key(self) -> str:
        """Key of the pilots that the runner receives."""
        return self.pilot or self.model


def load_campaign(path: Path) -> Campaign:
    """Load and check a campaign's YAML file, its scenarios, overrides and seeds included.

    Raises:
        ConfigError: the file, a key, a scenario, an override, a seed range, an arm or a claim
            does not fit.
    """
    content = load_extended(path, project_file("config/campaigns"))
    try:
        campaign = validate(Campaign, content, str(path)).unrolled()
    except ConfigError as error:
        known = str(error).startswith(str(path))
        raise error if known else ConfigError(f"{path}: {error}") from error
    names = [entry.name for entry in campaign.entries]
    _check_different(path, "entries", names)
    for entry in campaign.entries:
        _check_entry(path, entry)
    arms = [arm.name for arm in campaign.arms]
    _check_different(path, "arms", arms)
    if campaign.reference is not None and campaign.reference not in arms:
        hint = suggestion(campaign.reference, arms)
        raise ConfigError(f"{path}: reference: no arm {campaign.reference!r}; {hint}")
    for what, patterns in (
        *((f"arm {arm.name!r}", arm.entries) for arm in campaign.arms),
        *((f"claim {claim.claim!r}", claim.entries) for claim in campaign.claims),
    ):
        for pattern in patterns:
            if not matching(names, [pattern]):
                raise ConfigError(f"{path}: {what}: no entry matches {pattern!r}")
    for claim in campaign.claims:
        if claim.relative not in (None, "expert", "best", *names):
            hint = suggestion(str(claim.relative), ["expert", "best", *names])
            raise ConfigError(f"{path}: claim {claim.claim!r}: relative: {hint}")
    return campaign


def matching(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the names that match one of the shell patterns, in their order."""
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _check_different(path: Path, what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{path}: {what} must have different names, {twice[0]!r} comes twice")


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
