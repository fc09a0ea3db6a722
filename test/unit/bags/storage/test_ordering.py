"""Order of messages by log time: merged runs, bounded windows and late messages."""

from functools import partial

import pytest

from liquid_control.bags import Loss, Losses
from liquid_control.bags.storage.ordering import (
    MessageRun,
    by_time,
    count_late,
    in_window,
    windowed,
)
from liquid_control.bags.storage.part import RawMessage

pytestmark = pytest.mark.unit
S = 10**9


def raw(log_ns, data=b""):
    return RawMessage("/a", "b", log_ns, data)


def run_of(times, opened=None, size=0):
    def start():
        if opened is not None:
            opened.append(times[0])
        return iter([raw(time) for time in times])

    return MessageRun(times[0], size, start)


def test_overlapping_runs_are_merged():
    runs = [run_of([10, 40, 50]), run_of([20, 30, 60]), run_of([0, 5, 10])]
    assert [m.log_ns for m in by_time(runs)] == [0, 5, 10, 10, 20, 30, 40, 50, 60]


def test_run_is_opened_at_its_start_time():
    opened = []
    messages = by_time(run_of([t, t + 5], opened) for t in (20, 0, 10))
    assert next(messages).log_ns == 0
    assert opened == [0]
    assert [next(messages).log_ns for _ in range(2)] == [5, 10]
    assert opened == [0, 10]
    assert [m.log_ns for m in messages] == [15, 20, 25]


def test_empty_run_is_skipped():
    empty = MessageRun(0, 5, partial(iter, []))
    assert [m.log_ns for m in by_time([empty, run_of([3])])] == [3]


def test_open_runs_have_a_memory_limit():
    opened = []
    runs = [run_of([t, 100 + t], opened, size=60) for t in range(3)]
    losses = Losses()
    messages = count_late(by_time(runs, held_bytes=130), losses)
    assert [next(messages).log_ns for _ in range(3)] == [0, 1, 100]
    assert opened == [0, 1]
    assert [m.log_ns for m in messages] == [2, 101, 102]
    assert losses.counts == {Loss.OUT_OF_ORDER: 1}


def test_window_sorts_close_items():
    items = [(time, 1, time) for time in (3, 1, 2, 15, 9, 14, 30)]
    assert list(windowed(items, window_ns=10)) == [1, 2, 3, 9, 14, 15, 30]


def test_items_later_than_the_window_keep_their_position():
    items = [(time, 1, time) for time in (0, 20, 40, 5, 41)]
    assert list(windowed(items, window_ns=10)) == [0, 20, 5, 40, 41]


def test_window_is_bounded_in_bytes():
    items = [(time, 50, time) for time in (4, 3, 2, 1, 0)]
    assert list(windowed(items, window_ns=10, window_bytes=100)) == [2, 1, 0, 3, 4]


def test_equal_times_keep_the_file_order():
    messages = [raw(S, bytes([i])) for i in range(5)]
    assert list(in_window(messages)) == messages


def test_time_far_ahead_does_not_delay_the_rest():
    times = [1 * S, 2**62, 2 * S, 3 * S]
    losses = Losses()
    found = [m.log_ns for m in count_late(in_window(raw(time) for time in times), losses)]
    assert found == [1 * S, 2 * S, 3 * S, 2**62]
    assert losses.counts == {}


def test_late_messages_are_counted_with_their_delay():
    losses = Losses()
    assert len(list(count_late(map(raw, (5 * S, 3 * S, 5 * S, 4 * S)), losses))) == 4
    assert losses.counts == {Loss.OUT_OF_ORDER: 2}
    assert losses.reasons[Loss.OUT_OF_ORDER] == f"/a at {3 * S}: 2 s"
