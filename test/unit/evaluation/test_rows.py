from math import inf

import pytest

from liquid_control.evaluation import (
    CampaignEntry,
    FlightRow,
    plan_flights,
    summarise,
    wilson_interval,
)
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit


def row(model="m", entry="calm", seed=1, reason="completed", clearance=1.0, rms=0.1):
    (job,) = plan_flights([CampaignEntry(name=entry, seeds=str(seed))], [model])
    success = reason == "completed"
    return FlightRow.of(job, FlightResult(success, reason, 60.0, rms, clearance, 30.0))


def test_a_row_has_what_was_asked_for_and_what_came_of_it():
    entry = CampaignEntry(name="fog", perturbation="fog", severity=0.1, seeds="4")
    (job,) = plan_flights([entry], ["m"])
    got = FlightRow.of(job, FlightResult(False, "left_trail", 12.0, 0.5, 0.9, 7.0))
    assert (got.model, got.entry, got.scenario, got.perturbation) == ("m", "fog", "trail", "fog")
    assert (got.severity, got.seed, got.success, got.reason) == (0.1, 4, False, "left_trail")
    assert (got.distance_m, got.cross_track_rms_m) == (12.0, 0.5)


def test_summary_counts_rates_and_medians():
    rows = [row(seed=1, rms=0.1), row(seed=2, rms=0.3), row(seed=3, reason="timeout", rms=0.2)]
    (summary,) = summarise(rows)
    assert (summary.n, summary.successes) == (3, 2)
    assert summary.success_rate == pytest.approx(2 / 3)
    assert (summary.ci95_low, summary.ci95_high) == wilson_interval(2, 3)
    assert summary.cross_track_rms_m == 0.2
    assert summary.reasons == {"completed": 2, "timeout": 1}


def test_one_summary_a_model_and_entry_in_order():
    rows = [row("b", "calm"), row("b", "wind"), row("a", "calm"), row("b", "calm", seed=2)]
    assert [(s.model, s.entry, s.n) for s in summarise(rows)] == [
        ("b", "calm", 2),
        ("b", "wind", 1),
        ("a", "calm", 1),
    ]


def test_clearance_without_trees_stays_infinite():
    (summary,) = summarise([row(clearance=inf), row(seed=2, clearance=inf)])
    assert summary.min_clearance_m == inf
    (summary,) = summarise([row(clearance=inf), row(seed=2, clearance=0.5)])
    assert summary.min_clearance_m == 0.5
