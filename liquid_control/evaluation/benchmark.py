"""A benchmark from its `results.json`: outcomes by arm and entry, and all that is made of them."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.errors import ConfigError
from liquid_control.evaluation.arms import PILOTS
from liquid_control.evaluation.benchmark_statistics import Outcomes, design_effect, joined
from liquid_control.evaluation.paired import read_results

DELTAS = "delta_"
"""Prefix of the published image-space changes among the disturbances."""


@dataclass(frozen=True, slots=True)
class BenchmarkEntry:
    """An entry of the campaign.

    Attributes:
        name: of the entry.
        of: the undisturbed entry that it stands beside; None for an undisturbed one.
        disturbance: its single disturbance; None without one or with several.
        severity: of that disturbance.
    """

    name: str
    of: str | None
    disturbance: str | None
    severity: int


@dataclass(frozen=True, slots=True)
class BenchmarkArm:
    """An arm of the campaign.

    Attributes:
        name: of the arm.
        core: kind of the core of its models; None for a pilot.
        parameters: number of weights of the core; None for a pilot.
        labels: of its models that have flown, one for each training seed.
        missing: labels of those that do not exist.
    """

    name: str
    core: str | None
    parameters: int | None
    labels: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def is_pilot(self) -> bool:
        """Whether it is the expert or `hover` instead of a model."""
        return self.name in PILOTS


@dataclass(frozen=True, eq=False)
class BenchmarkResults:
    """Outcomes of a campaign.

    Attributes:
        document: content of `results.json`.
        entries: by name, in the order of the campaign.
        arms: by name, in the order of the campaign; those that have flown.
        cells: outcomes by arm and entry, over the forests that all models of the arm have flown.
    """

    document: Mapping[str, Any]
    entries: Mapping[str, BenchmarkEntry]
    arms: Mapping[str, BenchmarkArm]
    cells: Mapping[tuple[str, str], Outcomes]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "BenchmarkResults":
        """Return the outcomes of a `results.json`.

        Raises:
            ConfigError: it is not the one of a benchmark, or a flight is there twice.
        """
        config = document.get("config") or {}
        if not isinstance(config.get("arms"), list) or not isinstance(config.get("entries"), list):
            raise ConfigError(
                "results.json: expected config.arms and config.entries of a campaign"
            )
        entries = {entry["name"]: _entry(entry, config["entries"]) for entry in config["entries"]}
        flown: dict[str, dict[str, dict[int, bool]]] = {}
        for row in document["rows"]:
            seeds = flown.setdefault(row["model"], {}).setdefault(row["entry"], {})
            if row["seed"] in seeds:
                where = f"{row['model']} through {row['entry']!r}, seed {row['seed']}"
                raise ConfigError(f"results.json: {where} is there twice")
            seeds[row["seed"]] = bool(row["success"])
        arms = _arms(config["arms"], flown)
        cells = {
            (arm.name, entry): cell
            for arm in arms.values()
            for entry in entries
            if (cell := _cell([flown[label].get(entry, {}) for label in arm.labels])) is not None
        }
        return cls(document, entries, arms, cells)

    @property
    def config(self) -> Mapping[str, Any]:
        """What was flown."""
        found: Mapping[str, Any] = self.document["config"]
        return found

    @property
    def reference(self) -> str | None:
        """The arm that others are compared with: the campaign's, or the first model."""
        named = self.config.get("reference")
        if named in self.arms:
            return str(named)
        return next((name for name, arm in self.arms.items() if not arm.is_pilot), None)

    @property
    def tasks(self) -> list[str]:
        """Names of the undisturbed entries."""
        return [entry.name for entry in self.entries.values() if entry.of is None]

    def beside(self, task: str) -> list[BenchmarkEntry]:
        """Return the entries with one disturbance of the world beside an undisturbed entry.

        The published image-space changes are not among them: they change the finished picture.
        """
        disturbed = self.disturbances(task).items()
        return [entry for name, own in disturbed if not name.startswith(DELTAS) for entry in own]

    def disturbances(self, task: str) -> dict[str, list[BenchmarkEntry]]:
        """Return the disturbances of a task and their entries, by severity."""
        found: dict[str, list[BenchmarkEntry]] = {}
        for entry in self.entries.values():
            if entry.of == task and entry.disturbance is not None:
                found.setdefault(entry.disturbance, []).append(entry)
        return {name: sorted(own, key=lambda entry: entry.severity) for name, own in found.items()}

    def group(self, arm: str, entries: Sequence[str]) -> Outcomes | None:
        """Return the outcomes of an arm over several entries; None if it lacks one of them."""
        cells = [self.cells.get((arm, entry)) for entry in entries]
        found = [cell for cell in cells if cell is not None]
        if len(found) < len(cells) or not found:
            return None
        shared = set.intersection(*(set(cell.seeds) for cell in found))
        return joined(found) if shared else None

    def effect(self, arm: str, outcomes: Outcomes) -> float:
        """Return the design effect of outcomes: of several entries their own, else pooled."""
        return design_effect([outcomes]) if len(outcomes.values) > 1 else self._effects[arm]

    def interval(self, arm: str, outcomes: Outcomes) -> tuple[float, float]:
        """Return Wilson's 95 % interval of an arm's rate."""
        return outcomes.interval(self.effect(arm, outcomes))

    @cached_property
    def _effects(self) -> dict[str, float]:
        return {
            name: design_effect([cell for (arm, _), cell in self.cells.items() if arm == name])
            for name in self.arms
        }

    def parameters_text(self, arm: str) -> str:
        """Return the number of weights of an arm's core, or a dash."""
        parameters = self.arms[arm].parameters
        return "-" if parameters is None else f"{parameters:,}"


def _entry(entry: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> BenchmarkEntry:
    """Return an entry; one with a disturbance and no `of` stands beside its plain scenario."""
    disturb = entry.get("disturb") or {}
    of = entry.get("of")
    if of is None and disturb:
        alike = (
            other["name"]
            for other in others
            if not other.get("disturb")
            and other.get("of") is None
            and all(other.get(key) == entry.get(key) for key in ("scenario", "set", "seeds"))
        )
        of = next(alike, None)
    single = len(disturb) == 1
    name, severity = next(iter(disturb.items())) if single else (None, 0)
    return BenchmarkEntry(entry["name"], of, name, int(severity))


def _arms(
    records: Sequence[Mapping[str, Any]], flown: Mapping[str, Any]
) -> dict[str, BenchmarkArm]:
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        grouped.setdefault(record["arm"], []).append(record)
    arms = {}
    for name, own in grouped.items():
        labels = tuple(record["label"] for record in own if record["label"] in flown)
        missing = tuple(record["label"] for record in own if record["missing"])
        sizes = [record["parameters"] for record in own if record["parameters"] is not None]
        if labels:
            size = sizes[0] if sizes else None
            arms[name] = BenchmarkArm(name, own[0]["core"], size, labels, missing)
    return arms


def _cell(models: Sequence[Mapping[int, bool]]) -> Outcomes | None:
    seeds = sorted(set.intersection(*(set(flown) for flown in models)))
    if not seeds:
        return None
    values = np.array([[[flown[seed] for seed in seeds] for flown in models]], np.bool_)
    return Outcomes(tuple(seeds), values)


def load_document(path: Path) -> dict[str, Any]:
    """Load a `results.json`, or that of a folder.

    Raises:
        ConfigError: it cannot be read, or is not a `results.json`.
    """
    return read_results(path / "results.json" if path.is_dir() else path)


def strip_pictures(document: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    """Return caption and PNG of the strips of worst flights."""
    strips = (document.get("config") or {}).get("worst_flights") or []
    return [(strip["caption"], base64.b64decode(strip["png"])) for strip in strips]
