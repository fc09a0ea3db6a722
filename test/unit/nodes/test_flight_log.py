import pytest

from liquid_control.bags.flight_result import recorded_result, result_values
from liquid_control.nodes import flight_log
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit

COMPLETED = FlightResult(True, "completed", 125.0, 0.21, 1.5, 62.25)
LEFT = FlightResult(False, "left_trail", 34.25, 1.2, float("inf"), 20.5)


def test_a_flight_is_logged_in_sentences_with_times_in_seconds():
    assert flight_log.begin_sentence("trail", 3, 125.0) == "flying: scenario trail, seed 3, 125 m"
    line = flight_log.progress_sentence(12.34, 25.06, 125.0, 2.04, 0.98)
    assert line == "flying for 12.3 s: 25.1 of 125 m, 2.0 m/s, 1.0 x real time"
    assert "-0.0" not in flight_log.progress_sentence(0.1, -0.2, 125.0, 0.0, 1.0)
    assert flight_log.waiting_sentence(["a is inactive", "b is not there"]) == (
        "waiting: a is inactive; b is not there"
    )


def test_the_end_of_a_flight_names_its_reason():
    assert flight_log.end_sentence(COMPLETED) == (
        "the flight has ended: completed after 62.25 s and 125.0 m"
    )
    assert LEFT.sentence() == "failed: left trail after 20.50 s and 34.2 m"


def test_a_replay_is_logged_in_sentences():
    assert flight_log.position_sentence(12.04, 60.0) == "replaying: at 12.0 s of 60.0 s"
    assert flight_log.position_sentence(12.04, None) == "replaying: at 12.0 s"
    assert flight_log.replayed_sentence(120, 2) == (
        "the bag has ended: 120 frames, 2 without an answer"
    )


@pytest.mark.parametrize("result", [COMPLETED, LEFT], ids=["completed", "left_trail"])
def test_a_result_is_the_same_after_it_was_recorded(result):
    values = result_values(result)
    assert all(isinstance(value, str) for value in values.values())
    assert recorded_result(values) == result


def test_a_record_of_another_form_is_no_result():
    assert recorded_result({}) is None
    assert recorded_result(result_values(LEFT) | {"distance_m": "far"}) is None
