"""`results.json`, schema 1: rows, their summary, and the data needed to reproduce them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from math import inf, isfinite, nan, sqrt
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

from liquid_control.errors import ConfigError
from liquid_control.evaluation.campaign import FlightJob
from liquid_control.files import atomic_write
from liquid_control.journal import plain
from liquid_control.provenance import git_revision, machine, package_versions
from liquid_control.types import FlightResult

SCHEMA = 1


def results_document(
    command: Sequence[str],
    config: Mapping[str, Any],
    rows: Sequence[Any],
    summary: Sequence[Any],
    *,
    complete: bool = True,
) -> dict[str, Any]:
    """Return the content of `results.json`.

    Args:
        command: words of the command line.
        config: scenarios, campaigns and options of the run.
        rows: one dataclass or mapping a flight (or measurement).
        summary: one dataclass or mapping an entry.
        complete: whether the rows are all that the command was to make.
    """
    return {
        "schema": SCHEMA,
        "complete": complete,
        "command": " ".join(command),
        "created_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "git_revision": git_revision(),
        "versions": package_versions(),
        "machine": machine(),
        "config": plain(config),
        "rows": [plain(row) for row in rows],
        "summary": [plain(row) for row in summary],
    }


def write_results(path: Path, document: Mapping[str, Any]) -> Path:
    """Write the document, atomically.

    Raises:
        OutputError: the folder cannot be written to.
    """
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    return atomic_write(path, text, parents=True)


def wilson_interval(
    successes: float, trials: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (E. B. Wilson, JASA 22, 1927).

    With z the normal quantile and p = successes/trials, its bounds are
    (p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n). Unlike Wald's it stays within [0, 1] and
    has width at 0 and at 1.

    Args:
        successes: how many of the trials succeeded; effective numbers need not be whole.
        trials: how many there were, above 0.
        confidence: two-sided coverage, between 0 and 1.

    Raises:
        ConfigError: the counts do not fit each other or the confidence is not in (0, 1).
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ConfigError(f"expected 0 <= successes <= trials >= 1, got {successes} of {trials}")
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence: expected between 0 and 1, got {confidence}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    half = z * sqrt(rate * (1.0 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1.0 + z * z / trials
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == trials else (centre + half) / scale
    return low, high


@dataclass(frozen=True, slots=True)
class FlightRow:
    """Result of one flight; field names are those of `results.json`, schema 1.

    Attributes:
        min_clearance_m: infinite in a world without trees, written as null.
        reason: `completed` or the reason of the failure, as in `FlightResult`.
        bag: path relative to the results' folder; None if the flight was not recorded.
    """

    model: str
    entry: str
    scenario: str
    perturbation: str
    severity: float | str
    seed: int
    success: bool
    reason: str
    distance_m: float
    cross_track_rms_m: float
    min_clearance_m: float
    duration_s: float
    bag: str | None = None

    @classmethod
    def of(cls, job: FlightJob, result: FlightResult, bag: str | None = None) -> "FlightRow":
        """Return the row of a job and its result."""
        return cls(
            model=job.model,
            entry=job.entry,
            scenario=job.scenario_name,
            perturbation=job.perturbation,
            severity=job.severity,
            seed=job.seed,
            success=result.success,
            reason=result.reason,
            distance_m=result.distance_m,
            cross_track_rms_m=result.cross_track_rms_m,
            min_clearance_m=result.min_clearance_m,
            duration_s=result.duration_s,
            bag=bag,
        )


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Statistics over the flights of one model and entry.

    Attributes:
        success_rate: fraction of the n flights that succeeded, with Wilson's 95 % interval.
        cross_track_rms_m: median over the flights; likewise the clearance and duration.
        reasons: number of flights by reason.
    """

    model: str
    entry: str
    scenario: str
    perturbation: str
    severity: float | str
    n: int
    successes: int
    success_rate: float
    ci95_low: float
    ci95_high: float
    distance_m: float
    cross_track_rms_m: float
    min_clearance_m: float
    duration_s: float
    reasons: dict[str, int]


def summarise(rows: Sequence[FlightRow]) -> list[SummaryRow]:
    """Return one summary per model and entry, in order of first appearance."""
    groups: dict[tuple[str, str], list[FlightRow]] = {}
    for row in rows:
        groups.setdefault((row.model, row.entry), []).append(row)
    return [_summary(group) for group in groups.values()]


def _summary(group: Sequence[FlightRow]) -> SummaryRow:
    first, count = group[0], len(group)
    successes = sum(row.success for row in group)
    low, high = wilson_interval(successes, count)
    reasons: dict[str, int] = {}
    for row in group:
        reasons[row.reason] = reasons.get(row.reason, 0) + 1
    return SummaryRow(
        model=first.model,
        entry=first.entry,
        scenario=first.scenario,
        perturbation=first.perturbation,
        severity=first.severity,
        n=count,
        successes=successes,
        success_rate=successes / count,
        ci95_low=low,
        ci95_high=high,
        distance_m=_median(group, lambda row: row.distance_m),
        cross_track_rms_m=_median(group, lambda row: row.cross_track_rms_m),
        min_clearance_m=_median(group, lambda row: row.min_clearance_m, without=inf),
        duration_s=_median(group, lambda row: row.duration_s),
        reasons=dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _median(
    rows: Iterable[FlightRow], value: Callable[[FlightRow], float], without: float = nan
) -> float:
    finite = [value(row) for row in rows if isfinite(value(row))]
    return median(finite) if finite else without
