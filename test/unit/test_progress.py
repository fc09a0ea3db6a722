import io

import pytest
from rich.console import Console

from liquid_control.graph.flight_graph import flight_progress_text
from liquid_control.progress import Reporter, StatusLine, progress_bar

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


def log() -> Console:
    return Console(file=io.StringIO(), width=120)


def terminal() -> Console:
    return Console(file=io.StringIO(), width=120, force_terminal=True)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_on_a_terminal_a_status_line_is_rewritten_and_removed():
    console = terminal()
    with StatusLine("calm", flight_progress_text, console) as line:
        line(EVENT)
        line({**EVENT, "distance_m": 13.0})
    text = shown(console)
    assert TEXT.replace("12.3", "13.0") in text
    assert text.count("\n") <= 1
    assert text.endswith(("\x1b[2K", "\x1b[?25h"))


def test_in_a_log_status_lines_are_limited_in_rate():
    console = log()
    with StatusLine("calm", flight_progress_text, console) as line:
        for _ in range(10):
            line(EVENT)
    assert shown(console).splitlines() == ["calm: starting the graph", TEXT]


def test_other_events_do_not_change_the_status_line():
    console = log()
    with StatusLine("calm", flight_progress_text, console) as line:
        line({"event": "done", "result": {}})
    assert shown(console) == "calm: starting the graph\n"


def test_in_a_log_a_bar_prints_a_line_a_step_and_one_at_the_end():
    console = log()
    with progress_bar("round 1: learning", 25, done=5, log_step=10, console=console) as bar:
        for _ in range(20):
            bar.advance("loss 0.5")
    assert shown(console).splitlines() == [
        "round 1: learning: 10 of 25, loss 0.5",
        "round 1: learning: 20 of 25, loss 0.5",
        "round 1: learning: 25 of 25, loss 0.5",
    ]


def test_amounts_are_written_in_their_unit():
    console = log()
    with progress_bar("reading", 4 << 20, unit="bytes", log_step=2 << 20, console=console) as bar:
        bar.advance(steps=2 << 20)
    with progress_bar("replaying", 8.0, unit="percent", log_step=4.0, console=console) as bar:
        bar.move_to(6.0)
    assert shown(console).splitlines() == ["reading: 2 of 4 MiB", "replaying: 75 %"]


def test_without_log_steps_a_log_stays_empty():
    console = log()
    with progress_bar("replaying", 8.0, console=console) as bar:
        bar.move_to(8.0)
    assert bar.completed == 8.0
    assert shown(console) == ""


def test_on_a_terminal_a_bar_shows_amount_and_note():
    console = terminal()
    with Reporter(console).phase("round 1: flying", 4, done=1) as bar:
        bar.advance("seed [7]")
    text = shown(console)
    assert "round 1: flying" in text
    assert "2/4" in text
    assert "seed [7]" in text
