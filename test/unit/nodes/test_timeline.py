"""Ticks of a replay and their stamps, with hand-made events."""

import numpy as np
import pytest

from liquid_control.bags import ClockEvent, CommandEvent, CommandSource, FrameEvent, OdometryEvent
from liquid_control.nodes.replay.timeline import FILLED_NS, ReplayTimeline, TickMaker
from liquid_control.types import Command, ImuWindow, Observation, VehicleState

pytestmark = pytest.mark.unit

MS = 1_000_000
GAP_NS = 2_000 * MS


def frame(stamp_ms: int, log_ms: int | None = None, imu_ms: tuple[int, ...] = ()) -> FrameEvent:
    """Return a frame event; by default its log time is its stamp, as in lockstep."""
    count = len(imu_ms)
    window = ImuWindow(np.array(imu_ms, np.int64) * MS, np.zeros((count, 3)), np.zeros((count, 3)))
    picture = np.zeros((2, 2, 3), np.uint8)
    log_ns = (stamp_ms if log_ms is None else log_ms) * MS
    return FrameEvent(Observation(stamp_ms * MS, picture, window), log_ns)


def clock(stamp_ms: int) -> ClockEvent:
    return ClockEvent(stamp_ms * MS)


def command(stamp_ms: int) -> CommandEvent:
    return CommandEvent(CommandSource.GUARD, Command(1.0), stamp_ms * MS, stamp_ms * MS)


def odometry(stamp_ms: int) -> OdometryEvent:
    zeros = np.zeros(3)
    state = VehicleState(zeros, np.array([0.0, 0.0, 0.0, 1.0]), zeros, zeros)
    return OdometryEvent(stamp_ms * MS, state)


def stamps_of(ticks) -> list[tuple[float, bool]]:
    """Return (stamp in ms, whether it is a frame) of ticks."""
    return [(tick.stamp_ns / MS, tick.frame is not None) for tick in ticks]


def ticks_of(*events, tick_ms: int = 25, last_ms: int | None = None):
    last_ns = None if last_ms is None else last_ms * MS
    return list(TickMaker(tick_ms * MS, last_ns).ticks(events))


def test_recorded_clocks_are_ticks_between_frames_and_a_frame_goes_before_its_own():
    events = (
        frame(0),
        clock(0),
        clock(25),
        clock(50),
        frame(50),
        clock(75),
        frame(100),
        clock(100),
    )
    assert stamps_of(ticks_of(*events)) == [
        (0, True),
        (25, False),
        (50, True),
        (75, False),
        (100, True),
    ]


def test_the_clocks_after_the_last_frame_are_ticks_too():
    assert stamps_of(ticks_of(frame(0), clock(0), clock(25), clock(50))) == [
        (0, True),
        (25, False),
        (50, False),
    ]


def test_the_clocks_before_the_first_frame_are_ticks():
    assert stamps_of(ticks_of(clock(0), clock(25), frame(50))) == [
        (0, False),
        (25, False),
        (50, True),
    ]


def test_a_flight_in_real_time_gets_ticks_at_the_guards_period():
    events = (frame(0, 7), clock(3), frame(60, 68), frame(100, 107))
    assert stamps_of(ticks_of(*events)) == [
        (0, True),
        (25, False),
        (50, False),
        (60, True),
        (85, False),
        (100, True),
    ]


def test_a_long_gap_gets_ticks_for_ten_seconds():
    found = ticks_of(frame(0, 7), frame(3_600_000, 3_600_007))
    assert len(found) == FILLED_NS // (25 * MS) - 1 + 2
    assert stamps_of(found)[-2:] == [(9_975, False), (3_600_000, True)]


def test_other_events_are_part_of_the_first_tick_that_is_not_earlier():
    events = (
        frame(0),
        command(0),
        odometry(20),
        clock(25),
        odometry(40),
        command(999),
        frame(50),
        command(50),
    )
    first, second, third = ticks_of(*events)
    assert first.side_events == ()
    assert [event.stamp_ns for event in second.side_events] == [0, 20 * MS]
    assert [event.stamp_ns for event in third.side_events] == [40 * MS, 999 * MS]


def test_clocks_that_go_back_begin_anew():
    events = (frame(900), clock(900), clock(950), clock(0), clock(25), frame(30))
    assert stamps_of(ticks_of(*events)) == [(900, True), (30, True)]


def test_the_replay_ends_with_the_last_requested_picture():
    assert stamps_of(ticks_of(frame(0, 7), frame(20, 27), frame(40, 47), last_ms=27)) == [
        (0, True),
        (20, True),
    ]


def timeline_of(*events, **settings):
    """Return a timeline whose reader begins at the first picture with at least a log time."""

    def read(log_ns):
        if log_ns is None:
            return iter(events)
        frames = [
            i for i, e in enumerate(events) if isinstance(e, FrameEvent) and e.log_ns >= log_ns
        ]
        return iter(events[frames[0] :] if frames else ())

    return ReplayTimeline(read, gap_ns=GAP_NS, tick_ns=25 * MS, **settings)


def play(timeline, count: int = 1000):
    return [tick for _ in range(count) if (tick := timeline.advance()) is not None]


FLIGHT = (
    frame(100),
    clock(125),
    frame(140, imu_ms=(120, 140)),
    clock(150),
    frame(180),
    odometry(180),
)


def test_the_first_pass_has_the_bags_own_stamps():
    timeline = timeline_of(*FLIGHT)
    assert stamps_of(play(timeline)) == [
        (100, True),
        (125, False),
        (140, True),
        (150, False),
        (180, True),
    ]
    assert (timeline.jumps, timeline.log_ns) == (0, 180 * MS)
    assert timeline.advance() is None


def test_a_loop_continues_in_time_after_a_gap_with_a_tick_for_the_guard():
    found = play(timeline_of(*FLIGHT, loop=True), 11)
    assert stamps_of(found)[5:] == [
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


def test_a_loop_without_frames_ends():
    assert timeline_of(clock(1), loop=True).advance() is None


def test_a_seek_back_shifts_stamps_and_a_seek_far_ahead_keeps_them():
    far = (*FLIGHT, frame(60_000), clock(60_025), odometry(60_025))
    timeline = timeline_of(*far)
    play(timeline, 3)
    timeline.seek(100 * MS)
    assert timeline.log_ns == 100 * MS
    assert stamps_of(play(timeline, 2)) == [(1_140, False), (2_140, True)]
    timeline.seek(60_000 * MS)
    assert stamps_of(play(timeline, 3)) == [(3_140, False), (62_040, True), (62_065, False)]
    fresh = timeline_of(*far)
    play(fresh, 1)
    fresh.seek(60_000 * MS)
    assert stamps_of(play(fresh, 3)) == [(1_100, False), (60_000, True), (60_025, False)]


def test_two_seeks_in_a_row_are_one_jump_and_a_seek_before_the_start_is_not_a_jump():
    timeline = timeline_of(*FLIGHT)
    timeline.seek(140 * MS)
    assert stamps_of(play(timeline, 1)) == [(140, True)]
    timeline.seek(100 * MS)
    timeline.seek(180 * MS)
    assert stamps_of(play(timeline)) == [(1_140, False), (2_140, True)]
    assert timeline.jumps == 1


def test_the_gap_is_counted_from_the_first_imu_sample():
    timeline = timeline_of(frame(900, imu_ms=(300, 900)), loop=True)
    assert stamps_of(play(timeline, 3)) == [(900, True), (1_900, False), (3_500, True)]


def test_a_clock_that_goes_back_in_the_bag_is_a_jump():
    found = play(
        timeline_of(frame(9_000), odometry(9_000), frame(1_000), odometry(1_000), frame(1_050))
    )
    assert stamps_of(found) == [(9_000, True), (10_000, False), (11_000, True), (11_050, True)]
    assert [event.stamp_ns for event in found[3].side_events] == [11_000 * MS]


def test_time_never_goes_back_after_any_seek():
    generator = np.random.default_rng(0)
    stamps = np.sort(generator.choice(20_000, 200, replace=False))
    timeline = timeline_of(*(frame(int(stamp)) for stamp in stamps), loop=True)
    before_ns = -1
    for _ in range(500):
        if generator.random() < 0.1:
            timeline.seek(int(generator.integers(0, stamps[-1])) * MS)
        tick = timeline.advance()
        assert tick.stamp_ns > before_ns
        before_ns = tick.stamp_ns
    assert timeline.jumps > 20
