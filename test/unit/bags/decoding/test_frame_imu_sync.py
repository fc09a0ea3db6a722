"""Matching of recorded frames with IMU windows, without a bag."""

import numpy as np
import pytest
from recordings import MS, SECOND

from liquid_control.bags import FrameEvent, Losses
from liquid_control.bags.decoding.frame_imu_sync import HELD_BYTES, SILENCE_NS, FrameImuSync

pytestmark = pytest.mark.unit

ZERO = (0.0, 0.0, 0.0)
IMAGE = np.zeros((2, 2, 3), np.uint8)


def test_frame_is_complete_once_the_imu_stream_is_marked_complete():
    losses = Losses()
    sync = FrameImuSync(True, losses)
    events = [*sync.add_sample(8 * MS, ZERO, ZERO, 9 * MS)]
    events += sync.add_frame(10 * MS, IMAGE, 11 * MS)
    assert events == []
    (event,) = sync.reach(10 * MS, 12 * MS)
    assert isinstance(event, FrameEvent)
    assert event.observation.imu.stamps_ns.tolist() == [8 * MS]
    assert not losses.counts


def test_frame_waits_at_most_the_silence_timeout():
    losses = Losses()
    sync = FrameImuSync(True, losses)
    small = np.zeros((2, 2, 3), np.uint8)
    assert list(sync.add_sample(0, (0, 0, 0), (0, 0, 0), 0)) == []
    assert list(sync.add_frame(10, small, 10)) == []
    assert list(sync.advance(10 + SILENCE_NS)) == []
    assert [event.observation.stamp_ns for event in sync.advance(11 + SILENCE_NS)] == [10]
    assert {loss.name: n for loss, n in losses.counts.items()} == {"FRAME_WITHOUT_IMU": 1}


def test_lagging_imu_has_a_memory_limit():
    sync = FrameImuSync(True, losses := Losses())
    big = np.zeros((1024, 1024, 3), np.uint8)
    held = HELD_BYTES // big.nbytes
    released = 0
    for index in range(held + 10):
        released += len(list(sync.add_frame(SECOND + index, big, index)))
        released += len(list(sync.add_sample(index, (0, 0, 0), (0, 0, 0), index)))
    assert released == 10
    assert {loss.name: n for loss, n in losses.counts.items()} == {"FRAME_WITHOUT_IMU": 10}
    assert len(list(sync.finish())) == held
