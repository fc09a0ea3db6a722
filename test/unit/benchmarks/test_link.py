"""The link's benchmark: what a set-point's bytes say, and which frame it answers."""

import math

import pytest

from benchmarks.link import LinkRow, frd, latencies, link_table, setpoint_values, stop_times
from liquid_control.autopilots.mavlink_frames import frd_setpoint
from liquid_control.dependencies import require
from liquid_control.types import Command

pytestmark = pytest.mark.unit

MS = 1_000_000
FLY = (1.5, 0.5, 0.25, 0.125)


@pytest.mark.parametrize("values", [FLY, (1.5, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, -0.75)])
def test_values_are_read_from_the_bytes_of_pymavlink(values):
    mavlink = require("pymavlink.dialects.v20.common", "mavlink", "test")
    encoder = mavlink.MAVLink(None, 1, 191)
    vx, vy, vz, yaw_rate = frd_setpoint(Command(*values))
    message = encoder.set_position_target_local_ned_encode(
        7, 1, 1, 8, 1479, 0.0, 0.0, 0.0, vx, vy, vz, 0.0, 0.0, 0.0, 0.0, yaw_rate
    )
    data = message.pack(encoder)
    assert int.from_bytes(data[7:10], "little") == 84
    assert setpoint_values(data[10:-2]) == frd(values) == (vx, vy, vz, yaw_rate)


def frame(stamp: int, sent_ms: float) -> dict:
    return {"event": "frame", "stamp_ns": stamp, "now_ns": round(sent_ms * MS), "values": []}


def command(stamp: int, values) -> dict:
    return {"event": "command", "stamp_ns": stamp, "now_ns": 0, "values": list(values)}


def test_a_setpoint_belongs_to_the_frame_with_its_values():
    """The first frame's set-point comes after the second frame; the third has none."""
    other = (1.0, 0.0, 0.0, 0.0)
    events = [frame(1, 0.0), frame(2, 33.0), frame(3, 66.0), frame(4, 900.0)]
    events += [command(1, FLY), command(2, other)]
    setpoints = [(round(40.5 * MS), frd(FLY)), (45 * MS, frd(other)), (60 * MS, frd(other))]
    assert latencies(events, setpoints, 1_000 * MS) == ([40.5, 12.0], 1)


def test_times_after_a_kill():
    moving, hover = (1.0, 0.0, 0.0, 0.0), (0.0,) * 4
    setpoints = [(5 * MS, moving), (60 * MS, moving), (110 * MS, moving), (140 * MS, hover)]
    assert stop_times(setpoints, 10 * MS) == (100.0, 130.0)
    assert stop_times(setpoints[3:], 10 * MS) == (0.0, 130.0)
    assert stop_times(setpoints[:3], 10 * MS) == (100.0, math.inf)


def test_the_table_counts_late_stops():
    rows = [LinkRow([2.0, 4.0], 0, 100.0, 140.0), LinkRow([3.0], 1, 160.0, 165.0)]
    table = link_table(rows)
    assert table.row_count == 3
    assert "1 frames without a set-point; motion later than 150 ms: 1 of 2" in table.caption
