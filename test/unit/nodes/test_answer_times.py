import pytest

from liquid_control.nodes.pace import AnswerTimes

pytestmark = pytest.mark.unit

MS = 1_000_000


def test_latencies_losses_and_delays_are_told_apart():
    times = AnswerTimes()
    times.sent(0, 100 * MS)
    times.answered(0, 102 * MS)
    times.answered(0, 150 * MS)
    times.sent(1, 200 * MS)
    times.sent(2, 300 * MS)
    times.answered(1, 306 * MS)
    times.answered(7, 310 * MS)
    assert times.summary() == {
        "frames": 3,
        "frames_lost": 1,
        "frames_late": 1,
        "latency_ms": {
            "p50": pytest.approx(54.0),
            "p99": pytest.approx(104.96),
            "max": pytest.approx(106.0),
        },
    }


def test_without_answers_there_are_no_latencies():
    times = AnswerTimes()
    times.sent(0, 0)
    assert times.summary()["latency_ms"] == {"p50": None, "p99": None, "max": None}
    assert times.summary()["frames_lost"] == 1
