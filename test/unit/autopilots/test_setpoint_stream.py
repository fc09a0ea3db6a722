"""Set-points follow the age of the command, with a clock that the test controls."""

import itertools
import math
import random

import pytest

from liquid_control.autopilots import LinkEvent, SetpointRules, SetpointStream, StreamPhase
from liquid_control.autopilots.setpoint_stream import StreamState
from liquid_control.errors import ConfigError
from liquid_control.types import HOVER, Command

pytestmark = pytest.mark.unit

MS = 1_000_000
FLY = Command(1.0, 0.0, 0.0, 0.1)


class Stream:
    """A stream with its clock; `sent` has (time in ms, set-point)."""

    def __init__(self, **rules) -> None:
        self.stream = SetpointStream(SetpointRules(**rules))
        self.state = StreamState()
        self.now_ms = 1000.0
        self.sent: list[tuple[float, Command]] = []
        self.events: list[LinkEvent] = []

    @property
    def now_ns(self) -> int:
        return round(self.now_ms * MS)

    def command(self, command: Command, stamp_ms: float | None = None) -> None:
        """Give a command; its stamp is in the same clock, now if not given."""
        stamp_ns = self.now_ns if stamp_ms is None else round(stamp_ms * MS)
        age_ns = self.now_ns - stamp_ns
        self.state, event = self.stream.admit(command, stamp_ns, age_ns, self.now_ns, self.state)
        self.events += [event] if event else []
        self.poll()

    def poll(self) -> None:
        self.state, setpoint, event = self.stream.poll(self.now_ns, self.state)
        self.events += [event] if event else []
        if setpoint is not None:
            self.sent.append((self.now_ms, setpoint))

    def wait(self, until_ms: float) -> None:
        """Advance time, with a poll at every deadline."""
        while True:
            deadline_ns = self.stream.deadline_ns(self.state)
            if deadline_ns is None or deadline_ns > until_ms * MS:
                break
            self.now_ms = max(self.now_ms, deadline_ns / MS)
            self.poll()
        self.now_ms = until_ms

    @property
    def last_motion_ms(self) -> float:
        return max(time_ms for time_ms, setpoint in self.sent if setpoint != HOVER)


def test_nothing_is_sent_before_the_first_command():
    one = Stream()
    one.wait(5000.0)
    assert one.sent == []
    assert one.state.phase is StreamPhase.WAITING


def test_a_command_is_sent_at_once_and_repeated_until_it_is_too_old():
    one = Stream(period_s=0.05)
    one.command(FLY, stamp_ms=980.0)
    one.wait(1300.0)
    motion = [time_ms for time_ms, setpoint in one.sent if setpoint == FLY]
    assert motion == [1000.0, 1050.0, 1100.0]
    first_hover = next(time_ms for time_ms, setpoint in one.sent if setpoint == HOVER)
    assert first_hover == 1120.0  # 150 ms after the stamp, minus 10 ms for scheduling
    assert one.state.phase is StreamPhase.HOVERING
    assert one.events == [LinkEvent.STALE]


def test_hover_goes_on_after_the_command_is_lost():
    one = Stream()
    one.command(FLY)
    one.wait(61_000.0)
    hovers = [time_ms for time_ms, setpoint in one.sent if setpoint == HOVER]
    assert max(b - a for a, b in itertools.pairwise(hovers)) <= 50.0
    assert hovers[-1] > 60_900.0


def test_stop_sends_zero_velocity_once_and_then_nothing():
    one = Stream(on_stale="stop")
    one.command(FLY)
    one.wait(60_000.0)
    assert [setpoint for _, setpoint in one.sent[-2:]] == [FLY, HOVER]
    assert one.sent[-1][0] <= 1150.0
    assert one.state.phase is StreamPhase.STOPPED
    one.command(FLY)
    assert one.state.phase is StreamPhase.FOLLOWING
    assert one.sent[-1] == (60_000.0, FLY)


@pytest.mark.parametrize("on_stale", ["hover", "stop"])
@pytest.mark.parametrize("repeats", [False, True])
def test_no_setpoint_outlives_its_command_by_more_than_150_ms(on_stale, repeats):
    """100 deaths of the source at random ages; a publisher may go on with the same message."""
    random_ = random.Random(f"{on_stale} {repeats}")
    for _ in range(100):
        one = Stream(on_stale=on_stale)
        newest_ms = 0.0
        for _ in range(random_.randint(1, 20)):
            stamp_ms = one.now_ms - random_.uniform(0.0, 60.0)
            newest_ms = max(newest_ms, stamp_ms)
            one.command(FLY, stamp_ms)
            one.wait(one.now_ms + random_.uniform(20.0, 70.0))
        death_ms, end_ms = newest_ms, one.now_ms + 2000.0
        while one.now_ms < end_ms:
            if repeats:
                one.command(FLY, death_ms)
            one.wait(one.now_ms + 25.0)
        assert one.last_motion_ms - death_ms <= 150.0
        assert one.sent[-1][1] == HOVER
        assert min(t for t, setpoint in one.sent if setpoint == HOVER and t > death_ms) <= (
            death_ms + 150.0
        )


def test_a_frozen_clock_of_stamps_does_not_keep_a_command_alive():
    """A publisher repeats one stamp, and the clock of the stamps stands still: its age is 0."""
    one = Stream()
    for _ in range(100):
        one.state, _ = one.stream.admit(FLY, 5 * MS, 0, one.now_ns, one.state)
        one.poll()
        one.wait(one.now_ms + 10.0)
    assert one.last_motion_ms <= 1150.0
    assert one.state.phase is StreamPhase.HOVERING


@pytest.mark.parametrize(
    ("stamp_ms", "event"),
    [(849.0, LinkEvent.LATE), (1151.0, LinkEvent.STAMP_AHEAD), (-1e12, LinkEvent.LATE)],
)
def test_commands_with_a_stamp_far_from_now_are_not_used(stamp_ms, event):
    one = Stream()
    one.command(FLY, stamp_ms)
    assert (one.sent, one.events, one.state.phase) == ([], [event], StreamPhase.WAITING)


def test_a_command_older_than_the_one_before_is_not_used():
    one = Stream()
    one.command(FLY, 1000.0)
    one.command(Command(2.0), 990.0)
    assert one.sent == [(1000.0, FLY)]
    assert one.events == [LinkEvent.STAMP_BACKWARDS]


def test_a_frame_older_than_a_hover_of_the_guard_is_followed():
    """The guard's hover has the time of its poll, a command that of its frame."""
    one = Stream()
    one.command(HOVER, 1000.0)
    one.command(FLY, 960.0)
    assert [setpoint for _, setpoint in one.sent] == [HOVER, FLY]


def test_after_hovering_stamps_may_restart_as_after_a_step_of_the_clock():
    one = Stream()
    one.command(FLY)
    one.wait(3000.0)
    one.state, event = one.stream.admit(FLY, 17 * MS, 0, one.now_ns, one.state)
    one.poll()
    assert event is None
    assert one.sent[-1] == (3000.0, FLY)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("axis", range(4))
def test_a_command_that_is_not_finite_becomes_zero_velocity_at_once(bad, axis):
    one = Stream()
    one.command(FLY, 990.0)
    values = [1.0, 0.0, 0.0, 0.0]
    values[axis] = bad
    one.command(Command(*values), 1000.0)
    assert one.sent == [(1000.0, FLY), (1000.0, HOVER)]
    assert one.events == [LinkEvent.NOT_FINITE]


def test_hover_of_a_guard_is_sent_on_but_is_no_policy():
    one = Stream(hover_limit_s=2.0)
    one.command(FLY)
    assert one.stream.has_policy(one.now_ns, one.state)
    while one.now_ms < 2950.0:
        one.wait(one.now_ms + 25.0)
        one.command(HOVER)
    assert not one.stream.has_policy(one.now_ns, one.state)
    assert one.state.phase is StreamPhase.FOLLOWING
    while one.now_ms < 6000.0:
        one.wait(one.now_ms + 25.0)
        one.command(HOVER)
    assert one.state.phase is StreamPhase.STOPPED
    assert one.sent[-1][0] <= 3000.0
    assert one.sent[-1][1] == HOVER
    one.command(FLY)
    assert one.sent[-1] == (one.now_ms, FLY)


def test_a_guard_that_waits_for_the_first_command_stands_by_without_limit():
    one = Stream(hover_limit_s=2.0)
    while one.now_ms < 10_000.0:
        one.command(HOVER)
        one.wait(one.now_ms + 25.0)
    assert one.state.phase is StreamPhase.FOLLOWING
    assert one.stream.has_policy(one.now_ns, one.state)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"timeout_s": 0.2}, r"timeout_s: expected more than 0.02 and at most 0.15 s, got 0.2"),
        ({"timeout_s": math.nan}, "timeout_s: expected"),
        ({"timeout_s": 0.01}, "timeout_s: expected"),
        ({"period_s": 0.0}, "period_s: expected 0 to 0.2 s, got 0"),
        ({"hover_limit_s": 0.5}, r"hover_limit_s: expected 0 \(no limit\) or at least 1 s"),
        ({"hover_limit_s": -1.0}, "hover_limit_s: expected"),
    ],
)
def test_rules_out_of_range_are_refused(rules, message):
    with pytest.raises(ConfigError, match=message):
        SetpointRules(**rules)
