import io
from math import inf

import pytest
from rich.console import Console

from liquid_control.evaluation import CampaignEntry, FlightRow, plan_flights, summarise
from liquid_control.evaluation.result_tables import flights_table, metres, percent, summary_table
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit


def printed(table):
    console = Console(file=io.StringIO(), width=120)
    console.print(table)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


@pytest.fixture
def rows():
    jobs = plan_flights([CampaignEntry(name="wind", seeds="0:50")], ["m"])
    ends = ["completed"] * 48 + ["left_trail", "collision"]
    return [
        FlightRow.of(job, FlightResult(end == "completed", end, 60.0, 0.123, inf, 30.0))
        for job, end in zip(jobs, ends, strict=True)
    ]


def test_summary(rows):
    lines = printed(summary_table(summarise(rows), "trail"))
    assert lines[0] == "trail"
    assert "m wind 48 of 50 86.5 % to 98.9 % 0.12 m - 1 collision, 1 left trail" in lines


def test_a_title_that_every_row_repeats_is_left_out(rows):
    assert "wind" not in printed(summary_table(summarise(rows), "wind"))
    assert "wind" not in printed(flights_table(rows[:1], [None], "wind"))


def test_flights(rows):
    lines = printed(flights_table(rows[47:49], [(1.44, 1.96), None], "flights"))
    assert "wind completed 47 60.0 m 0.12 m - 1.4, 2.0 ms" in lines
    assert "wind left trail 48 60.0 m 0.12 m - -" in lines


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(1.0, "100 %"), (0.0, "0 %"), (0.9996, "99.9 %"), (0.5, "50.0 %"), (1e-5, "0.1 %")],
)
def test_percentages_of_0_and_100_are_exact(fraction, text):
    assert percent(fraction) == text


def test_an_infinite_length_is_a_dash():
    assert (metres(inf), metres(1.006)) == ("-", "1.01 m")
