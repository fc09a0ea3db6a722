import pytest

from liquid_control.cli.progress import LINE_EVERY, flight_progress
from liquid_control.evaluation.rows import FlightRow

pytestmark = pytest.mark.unit


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end(capsys, row):
    with flight_progress(LINE_EVERY + 2) as tell:
        for index in range(LINE_EVERY + 2):
            tell(row(success=index != 3))
    assert capsys.readouterr().err.splitlines() == [
        "25 of 27 flown, 24/25 succeed (policy [1], calm)",
        "27 of 27 flown, 26/27 succeed (policy [1], calm)",
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
