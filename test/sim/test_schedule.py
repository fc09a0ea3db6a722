"""Schedule of frames and guard polls in physics ticks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquid_control_sim.schedule import PHYSICS_HZ, Schedule, stamp_of

pytestmark = pytest.mark.sim


def test_stamps_are_exact_at_whole_seconds():
    assert stamp_of(0) == 0
    assert stamp_of(PHYSICS_HZ) == 1_000_000_000
    assert stamp_of(12) == 50_000_000


def test_frames_at_20_hz_are_12_ticks_apart():
    schedule = Schedule(20.0, 0.025)
    assert [schedule.frame_tick(index) for index in range(4)] == [0, 12, 24, 36]


@given(rate=st.floats(2.0, 120.0), index=st.integers(0, 10_000))
def test_a_frame_is_within_half_a_tick_of_its_due_time(rate, index):
    tick = Schedule(rate, 0.025).frame_tick(index)
    assert abs(tick - index * PHYSICS_HZ / rate) <= 0.5


@given(rate=st.floats(2.0, 120.0), frame=st.integers(1, 500))
def test_control_ticks_include_every_frame_and_every_poll(rate, frame):
    schedule = Schedule(rate, 0.025)
    before, due = schedule.frame_tick(frame - 1), schedule.frame_tick(frame)
    visited, tick = [], before
    while tick < due:
        tick = schedule.next_control_tick(tick, frame)
        visited.append(tick)
    polls = [poll for poll in range(before + 1, due + 1) if poll % 6 == 0]
    assert visited[-1] == due
    assert set(polls) <= set(visited)
    assert len(visited) == len(set(visited))
