import pytest
from toy_stories import toy_story

from liquid_control.evaluation import CampaignEntry, FlightRow, plan_flights
from liquid_control.evaluation.flight_report import key_instants, worth_showing
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit


def test_failed_flights_are_shown_first():
    entries = [CampaignEntry(name="a", seeds="1:5"), CampaignEntry(name="b", seeds="7")]
    jobs = plan_flights(entries, ["m"])
    succeeded = [True, True, False, True, True]
    rows = [
        FlightRow.of(job, FlightResult(good, "completed" if good else "timeout", 1, 1, 1, 1))
        for job, good in zip(jobs, succeeded, strict=True)
    ]
    shown = worth_showing(jobs, rows, 2)
    assert [(job.entry, job.seed) for job in shown] == [("a", 3), ("a", 1), ("b", 7)]


def test_key_instants_have_start_end_and_what_happened_between():
    instants = key_instants(toy_story(success=False), count=6)
    ticks = [tick for tick, _ in instants]
    reasons = dict(instants)
    assert ticks == sorted(set(ticks))
    assert len(ticks) == 6
    assert (reasons[0], reasons[79]) == ("start", "collision")
    closest = next(tick for tick, why in instants if why == "closest tree")
    assert closest in (39, 40)


def test_a_flight_of_three_ticks():
    assert [tick for tick, _ in key_instants(toy_story(ticks=3))] == [0, 1, 2]
