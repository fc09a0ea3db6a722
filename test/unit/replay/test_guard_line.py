import numpy as np
import pytest

from liquid_control.command import Envelope, Guard, GuardEvent, GuardState
from liquid_control.replay.player import ReplayGuard
from liquid_control.types import HOVER, Command

pytestmark = pytest.mark.unit

MS = 1_000_000
AHEAD = Command(1.0, 0.0, 0.0, 0.0)


def node(events, envelope=None):
    """Answer frames and clocks as guard_node does in lockstep."""
    guard, state, sent, out = Guard(envelope or Envelope()), GuardState(), -1, []
    for kind, stamp in events:
        before = state
        if kind == "frame":
            state = guard.admit(AHEAD, stamp, state)
            send = state.output_stamp_ns != before.output_stamp_ns
        else:
            send = stamp > sent
            state = guard.poll(stamp, state) if send else state
        if send:
            sent = stamp
            out.append((stamp, state.output.values))
    return out, state


def flight(lost):
    """Return a flight at 20 Hz with guard ticks of 25 ms, as the simulator tells it."""
    events = []
    for tick in range(200):
        stamp = tick * 25 * MS
        framed = tick % 2 == 0 and tick not in lost
        events += [("frame", stamp), ("clock", stamp)] if framed else [("clock", stamp)]
    return events


def played(events, guard=None):
    line = ReplayGuard(guard or Guard())
    for kind, stamp in events:
        if kind == "frame":
            line.admit(AHEAD, stamp, stamp)
        else:
            line.clock(stamp)
    return line, line.outputs()


def test_lockstep_gives_what_the_node_gives():
    events = flight(lost={0, 40, 42, 44, 46, 48, 50, 100, 198})
    expected, state = node(events)
    line, out = played(events)
    assert list(zip(out.stamp_ns.tolist(), map(tuple, out.values.tolist()), strict=True)) == [
        (stamp, values) for stamp, values in expected
    ]
    assert line.state.events == state.events
    assert state.events[GuardEvent.STALE] == 1
    assert HOVER.values in map(tuple, out.values.tolist())


def test_a_clock_filed_before_the_frame_of_its_stamp_changes_nothing():
    events = flight(lost={40, 42, 44, 46, 48, 50})
    swapped = sorted(events, key=lambda event: (event[1], event[0]))
    assert swapped != events
    np.testing.assert_array_equal(played(swapped)[1].values, played(events)[1].values)
    np.testing.assert_array_equal(played(swapped)[1].stamp_ns, played(events)[1].stamp_ns)


def test_in_real_time_hover_comes_into_force_between_frames_that_are_far_apart():
    line = ReplayGuard(Guard())
    for stamp in (0, 50, 100, 600):
        line.admit(AHEAD, stamp * MS, stamp * MS + 7)
    out = line.outputs()
    assert line.lockstep is False
    stale_ns = 100 * MS + 150 * MS
    assert list(out.stamp_ns // MS) == [0, 50, 100, stale_ns // MS, 600]
    assert tuple(out.values[3]) == HOVER.values
    assert out.values[4, 0] == 1.0
    assert line.state.events == {GuardEvent.STALE: 1}


def test_in_real_time_stamps_that_go_back_are_obeyed_again():
    line = ReplayGuard(Guard(), lockstep=False)
    for stamp in (5_000, 5_050, 0, 50):
        line.admit(AHEAD, stamp * MS, 0)
    assert line.state.events[GuardEvent.STAMP_BACKWARDS] == 0
    assert line.outputs().stamp_ns[-1] == 50 * MS


def test_the_envelope_holds():
    line = ReplayGuard(Guard(Envelope(max_forward_mps=0.25)), lockstep=True)
    line.admit(AHEAD, 0, 0)
    assert line.outputs().values[0, 0] == 0.25
    assert line.state.events == {GuardEvent.CLAMPED: 1}


def test_what_was_told_of_the_mode_goes_before_what_the_first_frame_looks_like():
    line = ReplayGuard(Guard(), lockstep=True)
    line.admit(AHEAD, 0, 99)
    line.clock(25 * MS)
    assert list(line.outputs().stamp_ns) == [0, 25 * MS]
