"""Rows of `results.json`: one a flight, and one summary an entry and model."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan
from statistics import median

from liquid_control.evaluation.campaign import FlightJob
from liquid_control.evaluation.statistics import wilson_interval
from liquid_control.types import FlightResult


@dataclass(frozen=True, slots=True)
class FlightRow:
    """What one flight came to; field names are those of `results.json`, schema 1.

    Attributes:
        min_clearance_m: infinite in a world without trees, written as null.
        reason: `completed`, or why not, as in `FlightResult`.
        bag: of the flight, from the results' folder; None where it was not recorded.
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
        """Put together what was asked for and what came of it."""
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
    """All flights of one model through one entry.

    Attributes:
        success_rate: share of the n flights that succeeded, with Wilson's 95 % interval.
        cross_track_rms_m: median over the flights; likewise the clearance and duration.
        reasons: how often each reason ended a flight.
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
    """Return one summary a model and entry, in the order in which they first come."""
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
