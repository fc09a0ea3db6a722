import pytest

from liquid_control.evaluation.results import FlightRow
from liquid_control.evaluation.runner import FLIGHTS_A_LOG_LINE, flight_progress

pytestmark = pytest.mark.unit


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(capsys, row):
    with flight_progress(FLIGHTS_A_LOG_LINE + 2) as on_row:
        for index in range(FLIGHTS_A_LOG_LINE + 2):
            on_row(row(success=index != 3))
    assert capsys.readouterr().err.splitlines() == [
        "flying: 25 of 27, 24/25 succeed (policy [1], calm)",
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
