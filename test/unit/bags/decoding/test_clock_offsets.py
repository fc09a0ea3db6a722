"""Clocks that differ by less than an hour are reported, and shifted by a flag."""

import pytest
from recordings import (
    MS,
    SECOND,
    START,
    RecordingBuilder,
    image,
    imu,
    odometry,
    twist,
    twist_stamped,
)

from liquid_control.bags import CommandEvent, FrameEvent, OdometryEvent

pytestmark = pytest.mark.unit

TOPICS = {
    "camera": ("/camera/image_raw", image),
    "imu": ("/imu/data", imu),
    "odometry": ("/odom", odometry),
    "command": ("/cmd_vel", lambda ns: twist_stamped(ns, (ns % SECOND / SECOND, 0, 0))),
}


def recorded(offsets_s, begins_s=None, number=40, roles=TOPICS):
    """Return a recording at 20 Hz; stamps of some roles are off by a time."""
    recording = RecordingBuilder()
    for index in range(number):
        log_ns = START + index * 50 * MS
        for role in roles:
            topic, make = TOPICS[role]
            if index * 0.05 >= (begins_s or {}).get(role, 0.0):
                stamp_ns = log_ns + round(offsets_s.get(role, 0.0) * SECOND)
                recording.add(topic, make(stamp_ns), log_ns + MS)
    return recording


@pytest.mark.parametrize("role", ["imu", "odometry", "command"])
@pytest.mark.parametrize("offset_s", [-37.0, -0.6, 5.0, 3000.0])
def test_offset_of_a_topic_is_reported_with_the_flag_that_corrects_it(tmp_path, role, offset_s):
    _, losses = recorded({role: offset_s}).read(tmp_path / "a")
    topic, direction = TOPICS[role][0], "ahead of" if offset_s > 0 else "behind"
    (warning,) = losses.warnings
    assert f"{topic}: its times are {abs(offset_s):.2f} s {direction} those of the" in warning
    flag = f"{role}={topic},shift={-offset_s:.2f}"
    assert f"pass --topic {flag};" in warning
    events, losses = recorded({role: offset_s}).read(
        tmp_path / "b", flags=dict([flag.split("=", 1)])
    )
    assert losses.lines() == []
    stamps = {
        "imu": [
            ns for e in events if isinstance(e, FrameEvent) for ns in e.observation.imu.stamps_ns
        ],
        "odometry": [e.stamp_ns for e in events if isinstance(e, OdometryEvent)],
        "command": [e.stamp_ns for e in events if isinstance(e, CommandEvent)],
    }
    assert stamps[role] == [START + index * 50 * MS for index in range(40)]


def test_shift_of_0_accepts_the_stamps(tmp_path):
    flags = {"command": "/cmd_vel,shift=0"}
    events, losses = recorded({"command": 5.0}).read(tmp_path / "bag", flags=flags)
    assert losses.lines() == []
    first = next(event for event in events if isinstance(event, CommandEvent))
    assert first.stamp_ns == START + 5 * SECOND


def test_flag_of_the_frame_is_kept_in_the_advice(tmp_path):
    flags = {"command": "/cmd_vel,map,shift=-3"}
    _, losses = recorded({"command": 5.0}).read(tmp_path / "bag", flags=flags)
    (warning,) = losses.warnings
    assert "pass --topic command=/cmd_vel,map,shift=-5.00;" in warning


def test_camera_is_named_if_all_others_agree(tmp_path):
    recording = recorded({"camera": -5.0})
    _, losses = recording.read(tmp_path / "a")
    (warning,) = losses.warnings
    assert warning.startswith("/camera/image_raw: its times are 5.00 s behind those of the other")
    assert "--topic camera=/camera/image_raw,shift=5.00" in warning
    events, losses = recording.read(
        tmp_path / "b", flags={"camera": "/camera/image_raw,shift=5.00"}
    )
    assert losses.lines() == []
    first = next(event for event in events if isinstance(event, FrameEvent))
    assert first.observation.stamp_ns == START


def test_topic_that_begins_late_is_compared_too(tmp_path):
    _, losses = recorded({"command": 5.0}, {"command": 3.0}, 100).read(tmp_path / "bag")
    assert "/cmd_vel: its times are 5.00 s ahead" in losses.warnings[0]


def test_small_delays_are_not_reported(tmp_path):
    _, losses = recorded({"camera": -0.2, "command": 0.05, "odometry": -0.1}).read(tmp_path / "a")
    assert losses.warnings == []


def test_unrelated_clocks_are_not_reported(tmp_path):
    """The stamps of the IMU count from its start; they are converted."""
    _, losses = recorded({"imu": -START / SECOND + 90.0}).read(tmp_path / "bag")
    assert losses.lines() == []


def test_messages_without_stamps_are_compared_by_log_time(tmp_path):
    recording = recorded({"camera": -5.0}, roles=["camera"])
    for index in range(40):
        recording.add("/cmd_vel", twist(), START + index * 50 * MS + 2 * MS)
    _, losses = recording.read(tmp_path / "bag")
    assert "/cmd_vel: its times are 5.00 s ahead of those of the camera" in losses.warnings[0]


def test_frames_without_a_sample_near_them_are_counted(tmp_path):
    """Without a flag the IMU ahead of the camera would vanish: no sample is before a frame."""
    events, losses = recorded({"imu": 37.0}).read(tmp_path / "bag")
    frames = [event for event in events if isinstance(event, FrameEvent)]
    assert len(frames) == 40
    assert losses.lines()[0].startswith("40 frames without a complete IMU window (no sample with")


def test_slow_simulation_under_a_wall_clock_has_no_offsets(tmp_path):
    """The simulation runs at half the speed of the recorder's clock: all delays grow alike."""
    recording = RecordingBuilder()
    for index in range(200):
        stamp_ns, log_ns = 10 * SECOND + index * 50 * MS, START + index * 100 * MS
        recording.add("/camera/image_raw", image(stamp_ns), log_ns)
        recording.add("/imu/data", imu(stamp_ns), log_ns)
        if index > 100:
            recording.add("/cmd_vel", twist_stamped(stamp_ns), log_ns)
    _, losses = recording.read(tmp_path / "bag")
    assert losses.warnings == []
