import io

import pytest

from liquid_control.cli.live_line import LiveLine

pytestmark = pytest.mark.unit

EVENT = {
    "event": "progress",
    "distance_m": 12.34,
    "length_m": 60.0,
    "speed_mps": 1.96,
    "wind_mps": 5.04,
    "rtf": 2.61,
    "time_s": 6.0,
}
TEXT = "calm:  12.3 of 60 m, 2.0 m/s, wind 5.0 m/s, 2.6 x real time"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_one_line_is_rewritten_and_then_gone():
    stream = Terminal()
    with LiveLine("calm", stream) as line:
        line(EVENT)
        line({**EVENT, "distance_m": 13.0})
    shown = stream.getvalue().split("\r\x1b[2K")
    assert shown[1:4] == ["calm: starting the graph", TEXT, TEXT.replace("12.3", "13.0")]
    assert shown[-1] == ""
    assert "\n" not in stream.getvalue()


def test_elsewhere_plain_lines_come_now_and_then():
    stream = io.StringIO()
    with LiveLine("calm", stream) as line:
        for _ in range(10):
            line(EVENT)
    assert stream.getvalue().splitlines() == ["calm: starting the graph", TEXT]


def test_other_events_are_not_for_the_line():
    stream = io.StringIO()
    with LiveLine("calm", stream) as line:
        line({"event": "done", "result": {}})
    assert stream.getvalue() == "calm: starting the graph\n"
