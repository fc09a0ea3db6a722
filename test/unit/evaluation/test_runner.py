from functools import partial

import pytest
from toy_stories import ToyPilot, make_toy_fly, toy_fly

from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.evaluation import CampaignEntry, FlightRow, plan_flights, run_flights

pytestmark = pytest.mark.unit


def pilots(*names):
    return {name: partial(ToyPilot, name) for name in names}


def test_rows_come_in_the_order_of_the_jobs_and_equal_flights_in_this_process():
    entries = [CampaignEntry(name="a", seeds="0:5"), CampaignEntry(name="b", seeds="9,7,8")]
    jobs = plan_flights(entries, ["hover"])
    told = []
    rows = run_flights(jobs, make_toy_fly, pilots("hover"), 2, told.append, batch_size=2)
    alone = [FlightRow.of(job, toy_fly(job.scenario, job.seed, ToyPilot()).result) for job in jobs]
    assert rows == alone
    assert {row.success for row in rows} == {True, False}
    assert sorted(told, key=rows.index) == rows


def test_a_worker_that_dies_is_one_clear_error():
    jobs = plan_flights([CampaignEntry(name="a", seeds="4")], ["dies"])
    with pytest.raises(LiquidControlError, match=r"ended with status 7 .* dies .* 'a', seed 4"):
        run_flights(jobs, make_toy_fly, pilots("dies"))


def test_an_error_of_ours_comes_through_word_for_word():
    jobs = plan_flights([CampaignEntry(name="a", seeds="0:2")], ["refuses"])
    with pytest.raises(LiquidControlError, match=r"^expected 96x54 pixels, got 128x72$"):
        run_flights(jobs, make_toy_fly, pilots("refuses"))


def test_a_bug_in_a_worker_is_not_swallowed(capfd):
    jobs = plan_flights([CampaignEntry(name="a", seeds="1")], ["buggy"])
    with pytest.raises(LiquidControlError, match="ended with status 1"):
        run_flights(jobs, make_toy_fly, pilots("buggy"))
    assert "ZeroDivisionError: a bug" in capfd.readouterr().err


def test_no_workers():
    with pytest.raises(ConfigError, match="at least 1 worker, got 0"):
        run_flights([], make_toy_fly, {}, 0)


def test_no_jobs():
    assert run_flights([], make_toy_fly, {}) == []
