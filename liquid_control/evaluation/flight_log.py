"""Rows of a campaign as they are flown, from which an interrupted campaign goes on."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Any

from liquid_control.errors import ConfigError, OutputError
from liquid_control.evaluation.bag_recorder import RecordingOptions
from liquid_control.evaluation.campaign import FlightJob
from liquid_control.evaluation.results import FlightRow
from liquid_control.journal import Journal, Plan, restored

_MODEL, _ENTRY = "model ", "entry "
"""How the names of a plan begin that a resumed campaign may have gained."""
_PILOT = "pilot"
"""Key of a journal's line with the model of a pilot whose flights follow."""


def campaign_plan(
    jobs: Sequence[FlightJob],
    models: Mapping[str, Mapping[str, str]],
    recording: RecordingOptions | None = None,
) -> dict[str, Any]:
    """Return what the rows of a campaign depend on.

    Args:
        jobs: the flights, in the order of the rows.
        models: by label, name and checksums of a model, from `provenance.model_fingerprint`.
        recording: which flights become bags; None for no bags.
    """
    entries: dict[str, list[FlightJob]] = {}
    for job in jobs:
        entries.setdefault(f"{_ENTRY}{job.entry!r}", []).append(job)
    bags = "none"
    if recording is not None:
        bags = f"{'failures' if recording.failures_only else 'all'}, {recording.image}"
    return {
        **{f"{_MODEL}{label}": dict(marks) for label, marks in models.items()},
        **{name: _entry_plan(flights) for name, flights in entries.items()},
        "--record": bags,
    }


def _entry_plan(flights: Sequence[FlightJob]) -> dict[str, Any]:
    """Return the plan of an entry; its flights are the same for every model."""
    own = [job for job in flights if job.model == flights[0].model]
    return {
        "scenario": own[0].scenario_name,
        "perturbation": own[0].perturbation,
        "severity": own[0].severity,
        "seeds": _ranges([job.seed for job in own]),
        "set": json.dumps(own[0].overrides, sort_keys=True, default=str),
        **_vehicle_file(own[0].scenario.vehicle),
        "settings (sha256)": _hash(
            [(job.overrides, job.scenario.model_dump(mode="json")) for job in own]
        ),
    }


def _vehicle_file(vehicle: str) -> dict[str, str]:
    """Return the checksum of a vehicle that is given as a file."""
    path = Path(vehicle)
    if not path.is_file():
        return {}
    return {f"vehicle {path.name} (sha256)": sha256(path.read_bytes()).hexdigest()}


def _ranges(seeds: Sequence[int]) -> str:
    """Return seeds as `--seeds` takes them: `0:100` or `1,5,20:25`."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][1] + 1:
            parts[-1][1] = seed
        else:
            parts.append([seed, seed])
    return ",".join(str(a) if a == b else f"{a}:{b + 1}" for a, b in parts)


def _hash(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


class FlightLog:
    """Rows of a campaign so far, in a journal; a context that closes it.

    Args:
        journal: of the campaign.
        jobs: all flights of the campaign.
        resumed: whether an earlier process began the journal.
        marks: name and checksums of models that are not part of the plan, by key of the pilot;
            each is written before the first flight of its pilot.

    Attributes:
        journal: of the campaign.
        resumed: whether an earlier process began it.
        rows: rows by index of the flight.

    Raises:
        ConfigError: the model of a pilot has changed since its flights.
        OutputError: a row of the journal is not one of these flights.
    """

    def __init__(
        self,
        journal: Journal,
        jobs: Sequence[FlightJob],
        *,
        resumed: bool = False,
        marks: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.journal, self.resumed, self._jobs = journal, resumed, jobs
        self.rows: dict[int, FlightRow] = {}
        self._marks = {key: dict(mark) for key, mark in (marks or {}).items()}
        self._marked: set[str] = set()
        self._places = {(job.model, job.entry, job.seed): i for i, job in enumerate(jobs)}
        for line, content in enumerate(journal.rows, 2):
            if _PILOT in content:
                self._check_mark(content)
            else:
                self._restore(line, content)

    @classmethod
    def open(
        cls,
        path: Path,
        jobs: Sequence[FlightJob],
        plan: Plan,
        *,
        config: Mapping[str, Any],
        command: str,
        resume: bool,
        marks: Mapping[str, Mapping[str, str]] | None = None,
    ) -> "FlightLog":
        """Begin a journal, or go on with the one at `path`, whose plan may have fewer arms.

        Args:
            path: of the journal.
            jobs: all flights of the campaign.
            plan: from `campaign_plan`.
            config: what a reader of the rows wants to know.
            command: the command line.
            resume: whether to go on with a journal where there is one.
            marks: name and checksums of models that are not part of the plan.

        Raises:
            ConfigError: the journal is of another plan, or a model has changed since its flights;
                the message names the difference.
            OutputError: the file exists and `resume` is false, or it is damaged or cannot be
                written.
        """
        if resume and path.exists():
            journal = Journal.extend(path, plan, config, (_MODEL, _ENTRY))
            return cls(journal, jobs, resumed=True, marks=marks)
        return cls(Journal.begin(path, plan, config, command), jobs, marks=marks)

    @property
    def flights(self) -> int:
        """Number of flights of the campaign."""
        return len(self._jobs)

    @property
    def complete(self) -> bool:
        """Whether every flight has a row."""
        return len(self.rows) == len(self._jobs)

    def add(self, index: int, row: FlightRow) -> None:
        """Write the row of a flight.

        Raises:
            OutputError: the disk is full, or the file disappeared.
        """
        key = self._jobs[index].pilot_key
        if key in self._marks and key not in self._marked:
            self.journal.append({_PILOT: key, "model": self._marks[key]})
            self._marked.add(key)
        self.journal.append(asdict(row))
        self.rows[index] = row

    def in_order(self) -> list[FlightRow]:
        """Return the rows so far in the order of the flights."""
        return [self.rows[index] for index in sorted(self.rows)]

    def _check_mark(self, content: Mapping[str, Any]) -> None:
        key, mark = content[_PILOT], content.get("model")
        self._marked.add(key)
        if key in self._marks and self._marks[key] != mark:
            raise ConfigError(
                f"{self.journal.path}: pilot {key!r}: its model has changed since its flights "
                "were flown; give another --out"
            )

    def _restore(self, line: int, content: dict[str, Any]) -> None:
        try:
            row = _row(content)
            index = self._places[row.model, row.entry, row.seed]
        except (KeyError, TypeError, ValueError) as error:
            raise OutputError(
                f"{self.journal.path}: line {line}: expected a flight of this campaign, got "
                f"{json.dumps(content)[:60]}: damaged"
            ) from error
        self.rows[index] = row

    def __enter__(self) -> "FlightLog":
        self.journal.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.journal.__exit__(kind, error, trace)


def _row(content: Mapping[str, Any]) -> FlightRow:
    """Return a row that was written as JSON, where numbers that are not finite are null."""
    row = restored(FlightRow, content)
    return replace(row, min_clearance_m=inf) if content["min_clearance_m"] is None else row
