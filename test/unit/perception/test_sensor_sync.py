"""Matching of frames with IMU samples."""

import numpy as np
import pytest

from liquid_control.perception.sensor_sync import FRAMES_KEPT, READING_AGE_NS, SensorSync

pytestmark = pytest.mark.unit

MS = 1_000_000
PICTURE = np.zeros((2, 2, 3), np.uint8)
REST = ((0.0, 0.0, 0.0), (0.0, 0.0, 9.81))


def sampled(*stamps_ms: int) -> SensorSync:
    sync = SensorSync()
    for stamp_ms in stamps_ms:
        assert sync.add_sample(stamp_ms * MS, *REST) is None
    return sync


def test_frame_waits_until_the_imu_reaches_its_stamp():
    sync = sampled(0, 4, 8)
    assert sync.add_frame(10 * MS, PICTURE) is None
    assert sync.take() is None
    assert sync.waiting
    sync.add_sample(12 * MS, *REST)
    observation = sync.take()
    assert observation.stamp_ns == 10 * MS
    assert observation.imu.stamps_ns.tolist() == [0, 4 * MS, 8 * MS]
    assert not sync.waiting


def test_windows_have_no_gap_or_overlap_and_include_the_stamp_of_the_frame():
    sync = sampled(*range(0, 101, 5))
    windows = []
    for stamp_ms in (0, 50, 100):
        sync.add_frame(stamp_ms * MS, PICTURE)
        windows.append(sync.take().imu.stamps_ns // MS)
    assert [window.tolist() for window in windows] == [
        [0],
        list(range(5, 51, 5)),
        list(range(55, 101, 5)),
    ]


def test_values_are_unchanged():
    sync = SensorSync()
    sync.add_sample(0, (0.1, 0.2, 0.3), (1.1, 2.2, 3.3))
    sync.add_frame(0, PICTURE)
    imu = sync.take().imu
    assert imu.angular_velocity.tolist() == [[0.1, 0.2, 0.3]]
    assert imu.linear_acceleration.tolist() == [[1.1, 2.2, 3.3]]


def test_forced_frame_has_the_available_samples():
    sync = sampled(0)
    sync.add_frame(50 * MS, PICTURE)
    assert sync.take(force=True).imu.stamps_ns.tolist() == [0]
    sync.add_frame(100 * MS, PICTURE)
    assert len(sync.take(force=True).imu.stamps_ns) == 0


@pytest.mark.parametrize("stamp_ms", [5000, 4999, 4001])
def test_stamps_that_go_back_a_little_are_dropped(stamp_ms):
    sync = sampled(5000)
    sync.add_frame(5000 * MS, PICTURE)
    assert sync.add_sample(stamp_ms * MS, *REST) == "imu_stamp_backwards"
    assert sync.add_frame(stamp_ms * MS, PICTURE) == "frame_stamp_backwards"
    assert (sync.imu_ns, sync.frame_ns) == (5000 * MS, 5000 * MS)
    assert sync.take().imu.stamps_ns.tolist() == [5000 * MS]
    assert sync.take() is None


def test_stamps_that_go_back_far_restart_the_stream():
    sync = sampled(5000)
    sync.add_frame(5000 * MS, PICTURE)
    assert sync.add_sample(10 * MS, *REST) == "imu_stamp_backwards"
    assert sync.add_frame(10 * MS, PICTURE) == "frame_stamp_backwards"
    observation = sync.take()
    assert (observation.stamp_ns, observation.imu.stamps_ns.tolist()) == (10 * MS, [10 * MS])
    assert sync.take() is None


def test_queue_overrun_drops_the_oldest_frame():
    sync = SensorSync()
    events = [sync.add_frame(k * MS, PICTURE) for k in range(FRAMES_KEPT + 1)]
    assert events == [None] * FRAMES_KEPT + ["frame_overrun"]
    assert sync.take(force=True).stamp_ns == 1 * MS


def test_frame_is_complete_once_the_imu_stream_is_marked_complete_up_to_it():
    sync = SensorSync()
    sync.add_sample(10 * MS, *REST)
    sync.add_frame(15 * MS, PICTURE)
    assert sync.take() is None
    sync.reach(15 * MS)
    assert sync.take().imu.stamps_ns.tolist() == [10 * MS]
    sync.add_sample(14 * MS, *REST)
    sync.add_frame(20 * MS, PICTURE)
    sync.reach(20 * MS)
    assert sync.take().imu.stamps_ns.tolist() == [14 * MS]


def ranged(age_ns: int) -> SensorSync:
    sync = SensorSync(range_age_ns=age_ns)
    sync.add_sample(1000 * MS, *REST)
    return sync


def test_a_frame_waits_for_the_reading_of_its_stamp():
    sync = ranged(0)
    sync.ranges.add(40 * MS, 1.25)
    sync.add_frame(50 * MS, PICTURE)
    assert sync.take() is None
    assert (sync.imu_is_late, sync.range_is_late) == (False, True)
    sync.ranges.add(50 * MS, 1.5)
    assert sync.take().range_m == 1.5
    sync.add_frame(100 * MS, PICTURE)
    sync.ranges.add(104 * MS, 1.75)
    assert sync.take().range_m == 1.5, "the reading after the frame is not used"


def test_in_real_time_a_frame_does_not_wait_while_a_reading_is_fresh():
    sync = ranged(READING_AGE_NS)
    sync.add_frame(50 * MS, PICTURE)
    assert sync.take() is None
    sync.ranges.add(48 * MS, 1.5)
    assert sync.take().range_m == 1.5
    sync.add_frame(240 * MS, PICTURE)
    assert sync.take().range_m == 1.5
    sync.add_frame(250 * MS, PICTURE)
    assert sync.take() is None
    assert sync.take(force=True).range_m is None


def test_an_invalid_reading_replaces_the_one_before_it():
    sync = ranged(0)
    sync.ranges.add(40 * MS, 1.25)
    sync.ranges.add(50 * MS, None)
    sync.add_frame(50 * MS, PICTURE)
    assert sync.take().range_m is None


def test_readings_restart_with_their_source():
    sync = ranged(0)
    assert sync.ranges.add(5000 * MS, 3.0)
    assert not sync.ranges.add(4990 * MS, 2.0)
    sync.add_frame(20 * MS, PICTURE)
    assert sync.take().range_m is None, "no reading of the future"
    assert not sync.ranges.add(30 * MS, 1.0)
    sync.add_frame(30 * MS, PICTURE)
    assert sync.take().range_m == 1.0


def test_an_attitude_is_the_newest_one_up_to_the_frame_if_it_is_not_old():
    sync = sampled(0, 5, 1000)
    assert sync.orientations.add(0, np.array([0.0, 0.0, 0.0, 1.0]))
    sync.orientations.add(5 * MS, np.array([0.1, 0.0, 0.0, 0.9]))
    sync.add_frame(4 * MS, PICTURE)
    assert sync.take().orientation.tolist() == [0.0, 0.0, 0.0, 1.0]
    sync.add_frame(6 * MS, PICTURE)
    assert sync.take().orientation.tolist() == [0.1, 0.0, 0.0, 0.9]
    sync.add_frame(206 * MS, PICTURE)
    assert sync.take().orientation is None


def test_without_an_imu_frames_wait_for_the_range_alone():
    sync = SensorSync(imu=False, range_age_ns=0)
    sync.add_frame(10 * MS, PICTURE)
    assert sync.take() is None
    sync.ranges.add(10 * MS, 2.0)
    assert sync.take().range_m == 2.0
