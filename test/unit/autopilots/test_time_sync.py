"""Offset of two clocks, with delays that the test chooses."""

import random

import pytest

from liquid_control.autopilots.time_sync import MAX_ROUND_TRIP_NS, TimeSync

pytestmark = pytest.mark.unit

MS = 1_000_000
OFFSET_NS = -7_123_456_789


def exchange(sync: TimeSync, now_ns: int, there_ns: int, back_ns: int, offset_ns: int) -> bool:
    """Exchange one request with delays; return whether a jump of the clock was found."""
    ts1_ns = sync.request(now_ns)
    assert ts1_ns == now_ns
    remote_ns = now_ns + there_ns + offset_ns
    return sync.response(remote_ns, ts1_ns, now_ns + there_ns + back_ns)


def test_equal_delays_give_the_exact_offset():
    sync = TimeSync()
    assert not exchange(sync, 50_000 * MS, 4 * MS, 4 * MS, OFFSET_NS)
    assert sync.offset_ns == OFFSET_NS
    assert sync.round_trip_ns == 8 * MS
    assert sync.local_ns(60_000 * MS + OFFSET_NS, 60_003 * MS) == 60_000 * MS


def test_the_error_is_at_most_half_of_the_shortest_round_trip():
    random_ = random.Random(1)
    sync = TimeSync()
    shortest_ns = 10**18
    for index in range(20):
        there_ns, back_ns = (round(random_.expovariate(1 / 8.0) * MS) for _ in range(2))
        exchange(sync, (50_000 + 1000 * index) * MS, there_ns, back_ns, OFFSET_NS)
        shortest_ns = min(shortest_ns, there_ns + back_ns)
    assert sync.round_trip_ns == shortest_ns
    assert abs(sync.offset_ns - OFFSET_NS) <= shortest_ns / 2 + 1


def test_requests_are_frequent_at_first():
    sync = TimeSync()
    times_ms = []
    for now_ms in range(10_000, 15_000, 10):
        ts1_ns = sync.request(now_ms * MS)
        if ts1_ns is not None:
            times_ms.append(now_ms)
            sync.response(ts1_ns + OFFSET_NS, ts1_ns, ts1_ns)
    assert times_ms == [*range(10_000, 11_001, 200), 12_000, 13_000, 14_000]


def test_responses_to_others_and_late_ones_are_ignored():
    sync = TimeSync()
    ts1_ns = sync.request(10_000 * MS)
    assert not sync.response(5 * MS, ts1_ns + 1, 10_001 * MS)
    assert not sync.response(5 * MS, ts1_ns, ts1_ns + MAX_ROUND_TRIP_NS + 1)
    assert sync.offset_ns is None
    second_ns = sync.request(11_000 * MS)
    sync.response(5 * MS, second_ns, second_ns)
    assert not sync.response(9_000 * MS, second_ns, second_ns)
    assert sync.offset_ns == 5 * MS - second_ns


def test_a_restart_of_the_autopilot_is_found_and_its_new_clock_used():
    sync = TimeSync()
    for index in range(10):
        exchange(sync, (50_000 + 1000 * index) * MS, MS, MS, OFFSET_NS)
    assert exchange(sync, 70_000 * MS, 3 * MS, 3 * MS, OFFSET_NS - 60_000 * MS)
    assert sync.offset_ns == OFFSET_NS - 60_000 * MS


def test_stamps_of_another_clock_become_the_time_of_arrival():
    sync = TimeSync()
    assert sync.local_ns(123, 9_000 * MS) == 9_000 * MS
    exchange(sync, 50_000 * MS, 0, 0, OFFSET_NS)
    unix_ns = 1_700_000_000 * 1000 * MS
    assert sync.local_ns(unix_ns, 60_000 * MS) == 60_000 * MS
    assert sync.local_ns(60_010 * MS + OFFSET_NS, 60_000 * MS) == 60_000 * MS  # never ahead
