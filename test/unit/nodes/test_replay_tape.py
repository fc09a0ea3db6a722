"""Which instants a replay publishes, and what time it is in them, with events made by hand."""

import numpy as np
import pytest

from liquid_control.bags.events import (
    ClockEvent,
    CommandEvent,
    CommandSource,
    FrameEvent,
    OdometryEvent,
)
from liquid_control.nodes.replay.timeline import FILLED_NS, ReplayTimeline, TickMaker
from liquid_control.types import Command, ImuWindow, Observation, VehicleState

pytestmark = pytest.mark.unit

MS = 1_000_000
GAP_NS = 2_000 * MS


def seen(stamp_ms: int, log_ms: int | None = None, imu_ms: tuple[int, ...] = ()) -> FrameEvent:
    """Return a frame; filed under its own stamp, as in lockstep, unless told otherwise."""
    count = len(imu_ms)
    window = ImuWindow(np.array(imu_ms, np.int64) * MS, np.zeros((count, 3)), np.zeros((count, 3)))
    picture = np.zeros((2, 2, 3), np.uint8)
    log_ns = (stamp_ms if log_ms is None else log_ms) * MS
    return FrameEvent(Observation(stamp_ms * MS, picture, window), log_ns)


def clock(stamp_ms: int) -> ClockEvent:
    return ClockEvent(stamp_ms * MS)


def commanded(stamp_ms: int) -> CommandEvent:
    return CommandEvent(CommandSource.GUARD, Command(1.0), stamp_ms * MS, stamp_ms * MS)


def moved(stamp_ms: int) -> OdometryEvent:
    zeros = np.zeros(3)
    state = VehicleState(zeros, np.array([0.0, 0.0, 0.0, 1.0]), zeros, zeros)
    return OdometryEvent(stamp_ms * MS, state)


def told(ticks) -> list[tuple[float, bool]]:
    """Return (stamp in ms, whether it is a frame) of ticks."""
    return [(tick.stamp_ns / MS, tick.frame is not None) for tick in ticks]


def ticks_of(*events, tick_ms: int = 25, last_ms: int | None = None):
    last_ns = None if last_ms is None else last_ms * MS
    return list(TickMaker(tick_ms * MS, last_ns).ticks(events))


def test_recorded_clocks_are_ticks_between_frames_and_a_frame_goes_before_its_own():
    events = (seen(0), clock(0), clock(25), clock(50), seen(50), clock(75), seen(100), clock(100))
    assert told(ticks_of(*events)) == [
        (0, True),
        (25, False),
        (50, True),
        (75, False),
        (100, True),
    ]


def test_the_clocks_after_the_last_frame_are_ticks_too():
    assert told(ticks_of(seen(0), clock(0), clock(25), clock(50))) == [
        (0, True),
        (25, False),
        (50, False),
    ]


def test_the_clocks_before_the_first_frame_are_ticks():
    assert told(ticks_of(clock(0), clock(25), seen(50))) == [(0, False), (25, False), (50, True)]


def test_a_flight_that_was_not_in_lockstep_gets_ticks_on_the_guards_timer():
    events = (seen(0, 7), clock(3), seen(60, 68), seen(100, 107))
    assert told(ticks_of(*events)) == [
        (0, True),
        (25, False),
        (50, False),
        (60, True),
        (85, False),
        (100, True),
    ]


def test_a_long_gap_gets_ticks_for_ten_seconds():
    found = ticks_of(seen(0, 7), seen(3_600_000, 3_600_007))
    assert len(found) == FILLED_NS // (25 * MS) - 1 + 2
    assert told(found)[-2:] == [(9_975, False), (3_600_000, True)]


def test_what_else_was_recorded_goes_with_the_first_tick_that_is_not_earlier():
    events = (
        seen(0),
        commanded(0),
        moved(20),
        clock(25),
        moved(40),
        commanded(999),
        seen(50),
        commanded(50),
    )
    first, second, third = ticks_of(*events)
    assert first.told == ()
    assert [event.stamp_ns for event in second.told] == [0, 20 * MS]
    assert [event.stamp_ns for event in third.told] == [40 * MS, 999 * MS]


def test_clocks_that_go_back_begin_anew():
    events = (seen(900), clock(900), clock(950), clock(0), clock(25), seen(30))
    assert told(ticks_of(*events)) == [(900, True), (30, True)]


def test_the_replay_ends_with_the_last_picture_wanted():
    assert told(ticks_of(seen(0, 7), seen(20, 27), seen(40, 47), last_ms=27)) == [
        (0, True),
        (20, True),
    ]


def tape_of(*events, **settings):
    """Return a tape whose reader begins at the first picture filed at or after a time."""

    def read(log_ns):
        if log_ns is None:
            return iter(events)
        frames = [
            i for i, e in enumerate(events) if isinstance(e, FrameEvent) and e.log_ns >= log_ns
        ]
        return iter(events[frames[0] :] if frames else ())

    return ReplayTimeline(read, gap_ns=GAP_NS, tick_ns=25 * MS, **settings)


def play(tape, count: int = 1000):
    return [tick for _ in range(count) if (tick := tape.advance()) is not None]


FLIGHT = (seen(100), clock(125), seen(140, imu_ms=(120, 140)), clock(150), seen(180), moved(180))


def test_the_first_pass_has_the_bags_own_stamps():
    tape = tape_of(*FLIGHT)
    assert told(play(tape)) == [(100, True), (125, False), (140, True), (150, False), (180, True)]
    assert (tape.jumps, tape.log_ns) == (0, 180 * MS)
    assert tape.advance() is None


def test_a_loop_goes_on_in_time_after_a_gap_in_which_the_guard_is_polled():
    found = play(tape_of(*FLIGHT, loop=True), 11)
    assert told(found)[5:] == [
        (1_180, False),
        (2_180, True),
        (2_205, False),
        (2_220, True),
        (2_230, False),
        (2_260, True),
    ]
    assert [tick.jumped for tick in found] == [False] * 5 + [True] * 2 + [False] * 4
    np.testing.assert_array_equal(found[8].frame.imu.stamps_ns, np.array([2_200, 2_220]) * MS)
    assert found[8].frame.stamp_ns == 2_220 * MS
    assert FLIGHT[2].observation.imu.stamps_ns.tolist() == [120 * MS, 140 * MS]


def test_a_loop_over_nothing_ends():
    assert tape_of(clock(1), loop=True).advance() is None


def test_a_seek_back_moves_stamps_on_and_a_seek_far_ahead_leaves_the_bags_own():
    far = (*FLIGHT, seen(60_000), clock(60_025), moved(60_025))
    tape = tape_of(*far)
    play(tape, 3)
    tape.seek(100 * MS)
    assert tape.log_ns == 100 * MS
    assert told(play(tape, 2)) == [(1_140, False), (2_140, True)]
    tape.seek(60_000 * MS)
    assert told(play(tape, 3)) == [(3_140, False), (62_040, True), (62_065, False)]
    fresh = tape_of(*far)
    play(fresh, 1)
    fresh.seek(60_000 * MS)
    assert told(play(fresh, 3)) == [(1_100, False), (60_000, True), (60_025, False)]


def test_two_seeks_in_a_row_are_one_jump_and_one_before_the_start_is_none():
    tape = tape_of(*FLIGHT)
    tape.seek(140 * MS)
    assert told(play(tape, 1)) == [(140, True)]
    tape.seek(100 * MS)
    tape.seek(180 * MS)
    assert told(play(tape)) == [(1_140, False), (2_140, True)]
    assert tape.jumps == 1


def test_the_gap_is_counted_from_the_first_imu_sample():
    tape = tape_of(seen(900, imu_ms=(300, 900)), loop=True)
    assert told(play(tape, 3)) == [(900, True), (1_900, False), (3_500, True)]


def test_a_clock_that_goes_back_in_the_bag_is_a_jump():
    found = play(tape_of(seen(9_000), moved(9_000), seen(1_000), moved(1_000), seen(1_050)))
    assert told(found) == [(9_000, True), (10_000, False), (11_000, True), (11_050, True)]
    assert [event.stamp_ns for event in found[3].told] == [11_000 * MS]


def test_time_never_goes_back_whatever_is_sought():
    generator = np.random.default_rng(0)
    stamps = np.sort(generator.choice(20_000, 200, replace=False))
    tape = tape_of(*(seen(int(stamp)) for stamp in stamps), loop=True)
    before_ns = -1
    for _ in range(500):
        if generator.random() < 0.1:
            tape.seek(int(generator.integers(0, stamps[-1])) * MS)
        tick = tape.advance()
        assert tick.stamp_ns > before_ns
        before_ns = tick.stamp_ns
    assert tape.jumps > 20
