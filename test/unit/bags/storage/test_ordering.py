from functools import partial

import pytest

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.ordering import MessageRun, by_time, in_window, watched, windowed
from liquid_control.bags.storage.part import RawMessage

pytestmark = pytest.mark.unit
S = 10**9


def raw(log_ns, data=b""):
    return RawMessage("/a", "b", log_ns, data)


def stretch(times, opened=None, size=0):
    def start():
        if opened is not None:
            opened.append(times[0])
        return iter([raw(time) for time in times])

    return MessageRun(times[0], size, start)


def test_overlapping_stretches_are_merged():
    stretches = [stretch([10, 40, 50]), stretch([20, 30, 60]), stretch([0, 5, 10])]
    assert [m.log_ns for m in by_time(stretches)] == [0, 5, 10, 10, 20, 30, 40, 50, 60]


def test_a_stretch_is_opened_when_its_time_comes():
    opened = []
    messages = by_time(stretch([t, t + 5], opened) for t in (20, 0, 10))
    assert next(messages).log_ns == 0
    assert opened == [0]
    assert [next(messages).log_ns for _ in range(2)] == [5, 10]
    assert opened == [0, 10]
    assert [m.log_ns for m in messages] == [15, 20, 25]


def test_an_empty_stretch_is_passed_over():
    empty = MessageRun(0, 5, partial(iter, []))
    assert [m.log_ns for m in by_time([empty, stretch([3])])] == [3]


def test_memory_bounds_what_is_open_at_once():
    opened = []
    stretches = [stretch([t, 100 + t], opened, size=60) for t in range(3)]
    losses = Losses()
    messages = watched(by_time(stretches, held_bytes=130), losses)
    assert [next(messages).log_ns for _ in range(3)] == [0, 1, 100]
    assert opened == [0, 1]
    assert [m.log_ns for m in messages] == [2, 101, 102]
    assert losses.counts == {Loss.OUT_OF_ORDER: 1}


def test_a_window_sorts_what_is_close():
    items = [(time, 1, time) for time in (3, 1, 2, 15, 9, 14, 30)]
    assert list(windowed(items, window_ns=10)) == [1, 2, 3, 9, 14, 15, 30]


def test_what_comes_later_than_the_window_is_delivered_where_it_comes():
    items = [(time, 1, time) for time in (0, 20, 40, 5, 41)]
    assert list(windowed(items, window_ns=10)) == [0, 20, 5, 40, 41]


def test_the_window_is_bounded_in_bytes():
    items = [(time, 50, time) for time in (4, 3, 2, 1, 0)]
    assert list(windowed(items, window_ns=10, window_bytes=100)) == [2, 1, 0, 3, 4]


def test_equal_times_keep_the_order_of_the_file():
    messages = [raw(S, bytes([i])) for i in range(5)]
    assert list(in_window(messages)) == messages


def test_a_time_far_ahead_does_not_hold_back_the_rest():
    times = [1 * S, 2**62, 2 * S, 3 * S]
    losses = Losses()
    found = [m.log_ns for m in watched(in_window(raw(time) for time in times), losses)]
    assert found == [1 * S, 2 * S, 3 * S, 2**62]
    assert losses.counts == {}


def test_late_messages_are_counted_with_how_late():
    losses = Losses()
    assert len(list(watched(map(raw, (5 * S, 3 * S, 5 * S, 4 * S)), losses))) == 4
    assert losses.counts == {Loss.OUT_OF_ORDER: 2}
    assert losses.reasons[Loss.OUT_OF_ORDER] == f"/a at {3 * S}: 2 s"
