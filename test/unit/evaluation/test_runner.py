from functools import partial

import pytest
from toy_evaluation import ToyPilot, toy_fly

from liquid_control.errors import ConfigError, LiquidControlError, ModelError
from liquid_control.evaluation import (
    CampaignEntry,
    FlightRow,
    RecordingOptions,
    evaluate,
    plan_flights,
    run_flights,
    scenario_campaign,
    summarise,
)
from liquid_control.evaluation.runner import FLIGHTS_PER_LOG_LINE, flight_progress

pytestmark = pytest.mark.unit


def pilots(*names):
    return {name: partial(ToyPilot, name) for name in names}


def test_rows_have_the_order_of_the_jobs_and_equal_flights_in_this_process():
    entries = [CampaignEntry(name="a", seeds="0:5"), CampaignEntry(name="b", seeds="9,7,8")]
    jobs = plan_flights(entries, ["hover"])
    received = []
    rows = run_flights(jobs, toy_fly, pilots("hover"), 2, received.append, 2)
    alone = [FlightRow.of(job, toy_fly(job.scenario, job.seed, ToyPilot()).result) for job in jobs]
    assert rows == alone
    assert {row.success for row in rows} == {True, False}
    assert sorted(received, key=rows.index) == rows


def test_a_worker_that_dies_is_one_clear_error():
    jobs = plan_flights([CampaignEntry(name="a", seeds="4")], ["dies"])
    with pytest.raises(LiquidControlError, match=r"ended with status 7 .* dies .* 'a', seed 4"):
        run_flights(jobs, toy_fly, pilots("dies"))


def test_an_error_of_a_flight_names_its_entry_and_keeps_its_type():
    jobs = plan_flights([CampaignEntry(name="a", seeds="0:2")], ["refuses"])
    message = r"^refuses through 'a', seed \d: expected 96x54 pixels, got 128x72$"
    with pytest.raises(ModelError, match=message):
        run_flights(jobs, toy_fly, pilots("refuses"))


def test_a_bug_in_a_worker_is_reported_with_its_traceback(capfd):
    jobs = plan_flights([CampaignEntry(name="a", seeds="1")], ["buggy"])
    with pytest.raises(LiquidControlError, match="ended with status 1"):
        run_flights(jobs, toy_fly, pilots("buggy"))
    assert "ZeroDivisionError: a bug" in capfd.readouterr().err


def test_no_workers():
    with pytest.raises(ConfigError, match="at least 1 worker, got 0"):
        run_flights([], toy_fly, {}, 0)


def test_no_jobs():
    assert run_flights([], toy_fly, {}) == []


def test_evaluate_returns_rows_and_summary_of_a_scenario(tmp_path):
    recording = RecordingOptions(tmp_path)
    result = evaluate(
        toy_fly,
        pilots("hover"),
        "trail",
        seeds="3,1",
        overrides={"light.gain": 0.5},
        recording=recording,
    )
    assert [(row.model, row.entry, row.seed) for row in result.rows] == [
        ("hover", "trail", 3),
        ("hover", "trail", 1),
    ]
    assert result.rows[0].perturbation == "light.gain"
    assert [job.scenario.light.gain for job in result.jobs] == [0.5, 0.5]
    assert result.summary == summarise(result.rows)
    assert result.campaign.name == "trail"
    assert sorted(path.name for path in (tmp_path / "bags").iterdir()) == [
        "trail-hover-1.mcap",
        "trail-hover-3.mcap",
    ]


def test_evaluate_flies_a_campaign_with_its_own_seeds_or_others():
    campaign = scenario_campaign("trail", {}).with_seeds("5")
    assert [row.seed for row in evaluate(toy_fly, pilots("hover"), campaign).rows] == [5]
    other = evaluate(toy_fly, pilots("hover"), campaign, seeds="6", disturb={"fog": 2})
    assert [(row.seed, row.perturbation, row.severity) for row in other.rows] == [(6, "fog", 2.0)]


def test_in_a_log_progress_is_a_line_per_step_and_one_at_the_end(capsys, row):
    with flight_progress(FLIGHTS_PER_LOG_LINE + 2) as on_row:
        for index in range(FLIGHTS_PER_LOG_LINE + 2):
            on_row(row(success=index != 3))
    assert capsys.readouterr().err.splitlines() == [
        "flying: 25 of 27, 24/25 succeed (policy [1], calm), 0 min left",
        "flying: 27 of 27, 26/27 succeed (policy [1], calm)",
    ]


@pytest.fixture
def row():
    def make(success: bool) -> FlightRow:
        return FlightRow(
            model="policy [1]",
            entry="calm",
            scenario="trail",
            perturbation="none",
            severity=0.0,
            seed=1,
            success=success,
            reason="completed" if success else "timeout",
            distance_m=1.0,
            cross_track_rms_m=0.1,
            min_clearance_m=1.0,
            duration_s=1.0,
        )

    return make
