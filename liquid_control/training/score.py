"""What a validation came to, and which of two candidates is better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from liquid_control.types import FlightResult


@dataclass(frozen=True, slots=True)
class Row:
    """Results of one condition.

    Attributes:
        condition: its name; `all` for all together.
        flights: how many.
        successes: how many of them succeeded.
        cross_track_rms_m: mean over the flights of their cross-track RMS.
        reasons: how the others ended, with counts.
    """

    condition: str
    flights: int
    successes: int
    cross_track_rms_m: float
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class Score:
    """How a candidate flew: a row a condition."""

    rows: tuple[Row, ...]

    @property
    def success_rate(self) -> float:
        """Share of all flights that succeeded."""
        return sum(row.successes for row in self.rows) / sum(row.flights for row in self.rows)

    @property
    def cross_track_rms_m(self) -> float:
        """Mean of the cross-track RMS over all flights, the failed ones included."""
        total = sum(row.cross_track_rms_m * row.flights for row in self.rows)
        return total / sum(row.flights for row in self.rows)

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: success first, then staying near the trail's centre."""
        return self.success_rate, -self.cross_track_rms_m


def score_flights(results: Mapping[str, Sequence[FlightResult]]) -> Score:
    """Return the score of flights, given by condition."""
    return Score(tuple(_row(name, flights) for name, flights in results.items()))


def _row(condition: str, flights: Sequence[FlightResult]) -> Row:
    reasons: dict[str, int] = {}
    for flight in flights:
        if not flight.success:
            reasons[flight.reason] = reasons.get(flight.reason, 0) + 1
    return Row(
        condition=condition,
        flights=len(flights),
        successes=sum(flight.success for flight in flights),
        cross_track_rms_m=fmean(flight.cross_track_rms_m for flight in flights),
        reasons=reasons,
    )
