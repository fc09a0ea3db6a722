"""Recorded flights as events: IMU windows as in flight, and damaged messages that are counted."""

import cv2
import numpy as np
import pytest
from recordings import (
    MS,
    SECOND,
    START,
    RecordingBuilder,
    T,
    camera_info,
    compressed,
    header,
    image,
    imu,
    odometry,
    sensor_combined,
    twist,
    twist_stamped,
)

from liquid_control.bags.bag import open_bag
from liquid_control.bags.events import (
    CameraInfoEvent,
    ClockEvent,
    CommandEvent,
    CommandSource,
    FeaturesEvent,
    FrameEvent,
    NeuronsEvent,
    OdometryEvent,
)
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.losses import Losses
from liquid_control.bags.topics import load_rules, resolve
from liquid_control.perception import SensorSync

pytestmark = pytest.mark.unit

CAMERA, IMU = "/camera/image_raw", "/imu/data"


def picture(index, height=2, width=4):
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)


def frame(stamp_ns, index=0):
    return image(stamp_ns, data=picture(index).reshape(-1))


def recorded(frames_ms, samples_ms, start=START):
    """Return a recording with frames logged 5 ms and samples 1 ms after their stamps."""
    recording = RecordingBuilder()
    for index, ms in enumerate(frames_ms):
        recording.add(CAMERA, frame(start + ms * MS, index), start + (ms + 5) * MS)
    for ms in samples_ms:
        sample = imu(start + ms * MS, (ms, 0, 0), (0, 0, ms))
        recording.add(IMU, sample, start + (ms + 1) * MS)
    recording.messages.sort(key=lambda entry: entry[0])
    return recording


def frames_of(events):
    return [event for event in events if isinstance(event, FrameEvent)]


def windows(events):
    """Return the stamps of the samples of each frame's window, ms after the start."""
    return [
        [(stamp - START) // MS for stamp in event.observation.imu.stamps_ns.tolist()]
        for event in frames_of(events)
    ]


def loss_counts(losses):
    return {loss.name: number for loss, number in losses.counts.items()}


def test_imu_window_holds_the_samples_since_the_previous_frame(tmp_path):
    events, losses = recorded([0, 50, 100], range(0, 121, 20)).read(tmp_path / "bag")
    assert windows(events) == [[0], [20, 40], [60, 80, 100]]
    assert [event.observation.stamp_ns for event in frames_of(events)] == [
        START,
        START + 50 * MS,
        START + 100 * MS,
    ]
    assert [event.log_ns for event in frames_of(events)] == [
        START + ms * MS for ms in (5, 55, 105)
    ]
    for index, event in enumerate(frames_of(events)):
        np.testing.assert_array_equal(event.observation.image, picture(index))
    assert not losses.counts


def test_imu_windows_equal_those_in_flight_bit_for_bit(tmp_path):
    """Compare with `SensorSync` fed in the order of log time, as in `perception_node`."""
    rng = np.random.default_rng(11)
    samples = np.cumsum(rng.integers(2, 9, 200)).tolist()
    frames = np.cumsum(rng.integers(25, 60, 14)).tolist()
    events, losses = recorded(frames, samples).read(tmp_path / "bag")
    sync, expected = SensorSync(), []
    logged = [(ms + 1, 0, ms) for ms in samples] + [(ms + 5, 1, ms) for ms in frames]
    for _, is_frame, ms in sorted(logged):
        stamp_ns = START + ms * MS
        if is_frame:
            sync.add_frame(stamp_ns, picture(0))
        else:
            sync.add_sample(stamp_ns, (float(ms), 0.0, 0.0), (0.0, 0.0, float(ms)))
        while (observation := sync.take()) is not None:
            expected.append(observation)
    assert len(expected) == len(frames_of(events)) == 14
    for event, flight in zip(frames_of(events), expected, strict=True):
        assert event.observation.stamp_ns == flight.stamp_ns
        for name in ("stamps_ns", "angular_velocity", "linear_acceleration"):
            actual, desired = getattr(event.observation.imu, name), getattr(flight.imu, name)
            assert actual.dtype == desired.dtype
            np.testing.assert_array_equal(actual, desired)
    assert not losses.counts


def test_waiting_frames_are_not_overrun(tmp_path):
    """Six frames within 60 ms whose samples are logged later: in flight, four would be kept."""
    recording = RecordingBuilder()
    for index in range(6):
        recording.add(CAMERA, frame(START + index * 10 * MS, index))
    for index in range(7):
        recording.add(IMU, imu(START + index * 10 * MS), START + (100 + index) * MS)
    events, losses = recording.read(tmp_path / "bag")
    assert windows(events) == [[0], [10], [20], [30], [40], [50]]
    assert not losses.counts


def test_frames_after_the_last_sample_have_incomplete_windows(tmp_path):
    events, losses = recorded([0, 50, 100], [0, 20, 60]).read(tmp_path / "bag")
    assert windows(events) == [[0], [20], [60]]
    assert loss_counts(losses) == {"FRAME_WITHOUT_IMU": 1}


def test_windows_are_empty_without_an_imu(tmp_path):
    events, losses = recorded([0, 50], []).read(tmp_path / "bag")
    assert windows(events) == [[], []]
    assert not losses.counts


def test_silent_imu_delays_frames_by_a_bounded_time(tmp_path):
    frames, samples = range(0, 2000, 50), [*range(0, 501, 5), *range(1500, 2001, 5)]
    recording = recorded(frames, samples)
    for ms in frames:
        recording.add("/odom", odometry(START + ms * MS), START + (ms + 5) * MS)
    recording.messages.sort(key=lambda entry: entry[0])
    events, losses = recording.read(tmp_path / "bag")
    now_ns, waited_ms = START, {}
    for event in events:
        if isinstance(event, OdometryEvent):
            now_ns = event.stamp_ns
        elif isinstance(event, FrameEvent):
            stamp_ns = event.observation.stamp_ns
            waited_ms[(stamp_ns - START) // MS] = (now_ns - stamp_ns) // MS
    assert list(waited_ms) == list(frames)
    assert max(waited_ms.values()) == 500
    forced = [ms for ms in frames if waited_ms[ms] == 500]
    assert forced == list(range(550, 1000, 50))
    assert loss_counts(losses) == {"FRAME_WITHOUT_IMU": len(forced)}


def test_stamps_that_do_not_advance_are_dropped_and_counted(tmp_path):
    recording = recorded([0, 50], [0, 20, 40, 60])
    recording.add(CAMERA, frame(START + 50 * MS, 7), START + 70 * MS)
    recording.add(CAMERA, frame(START + 30 * MS, 8), START + 71 * MS)
    recording.add(IMU, imu(START + 60 * MS), START + 72 * MS)
    recording.add(IMU, imu(START + 10 * MS), START + 73 * MS)
    events, losses = recording.read(tmp_path / "bag")
    assert windows(events) == [[0], [20, 40]]
    assert loss_counts(losses) == {"STAMP_BACKWARDS": 4}


def test_clock_set_back_restarts_both_streams(tmp_path):
    """Both streams go back by 100 s; a waiting frame is delivered."""
    before = recorded([0, 50], [0, 20, 40])
    after = recorded([0, 50], [0, 20, 40, 60], START - 100 * SECOND)
    for log_ns, topic, kind, data in after.messages:
        before.messages.append((log_ns + 101 * SECOND, topic, kind, data))
    events, losses = before.read(tmp_path / "bag")
    assert [(event.observation.stamp_ns - START) // MS for event in frames_of(events)] == [
        0,
        50,
        -100_000,
        -99_950,
    ]
    assert windows(events)[2:] == [[-100_000], [-99_980, -99_960]]
    assert loss_counts(losses) == {"CLOCK_JUMP": 2, "FRAME_WITHOUT_IMU": 1}


def test_large_jump_of_the_camera_clock_is_counted(tmp_path):
    recording = RecordingBuilder()
    for index in range(4):
        stamp_ns = START + index * 50 * MS + (0 if index < 2 else 10**8 * SECOND)
        recording.add(CAMERA, frame(stamp_ns, index), START + index * 50 * MS)
    events, losses = recording.read(tmp_path / "bag")
    assert len(frames_of(events)) == 4
    assert loss_counts(losses) == {"CLOCK_JUMP": 1}
    assert "the camera's stamps jumped by 100000000 s" in losses.lines()[0]


def test_damaged_messages_are_counted_by_kind(tmp_path):
    recording = recorded([0, 50], [0, 20, 40, 60])
    recording.add(CAMERA, image(START + 60 * MS, "rgb8", data=[], step=12), START + 66 * MS)
    recording.add(CAMERA, image(START + 70 * MS, "16UC1", data=[0] * 16), START + 71 * MS)
    recording.add(IMU, imu(START + 80 * MS, (float("nan"), 0, 0)), START + 81 * MS)
    recording.add(IMU, imu(0), START + 82 * MS, raw=b"\0\1\0\0")
    recording.add("/odom", odometry(START, quaternion=(0, 0, 0, 0)), START + 83 * MS)
    recording.add("/cmd_vel", twist_stamped(START, (float("inf"), 0, 0)), START + 84 * MS)
    recording.add(CAMERA, frame(START + 90 * MS, 5), START + 95 * MS)
    recording.add(IMU, imu(START + 95 * MS), START + 96 * MS)
    events, losses = recording.read(tmp_path / "bag")
    assert windows(events) == [[0], [20, 40], [60]]
    assert loss_counts(losses) == {"BAD_PICTURE": 2, "BAD_VALUE": 3, "UNDECODABLE": 1}


def test_undecodable_jpeg_pictures_are_counted(tmp_path):
    data = cv2.imencode(".jpg", picture(0, 16, 16))[1].tobytes()
    topic = "/camera/image_raw/compressed"
    recording = RecordingBuilder()
    for index, bytes_ in enumerate((data, data[:30], b"", data)):
        recording.add(topic, compressed(START + index * MS, "jpeg", bytes_))
    events, losses = recording.read(tmp_path / "bag")
    assert [event.observation.stamp_ns - START for event in frames_of(events)] == [0, 3 * MS]
    assert loss_counts(losses) == {"BAD_PICTURE": 2}


def test_messages_of_another_type_than_the_topic_are_counted(tmp_path):
    bag = open_bag(recorded([0, 50], [0, 20, 60]).write(tmp_path / "bag"))
    topics = resolve(bag, load_rules())
    losses = Losses()

    class Mixed:
        """The bag with a message of another type on the IMU's topic."""

        def __init__(self):
            self.topics = bag.topics
            self.decode = bag.decode

        def messages(self, names, losses, start_ns=None):
            for message in bag.messages(names, losses, start_ns):
                yield (
                    message._replace(type="std_msgs/msg/Float32")
                    if (message.topic == IMU and message.log_ns == START + 21 * MS)
                    else message
                )

    events = list(read_flight(Mixed(), topics, losses))
    assert windows(events) == [[0], []]
    assert loss_counts(losses) == {"WRONG_TYPE": 1}


def test_field_of_view_flag_overrides_camera_info(tmp_path):
    recording = RecordingBuilder().add(
        "/camera/camera_info", camera_info(START, 640, 480, 320.0), START
    )
    recording.add("/camera/image_raw", image(START, width=4), START)
    recording.add("/camera/image_raw", image(START + MS, width=4), START + MS)
    recording.add("/camera/image_raw", image(START + 2 * MS, width=6), START + 2 * MS)
    events, losses = recording.read(tmp_path / "bag", flags={"camera": "/camera/image_raw,69.4"})
    cameras = [
        (e.width, e.height, e.horizontal_fov_deg) for e in events if isinstance(e, CameraInfoEvent)
    ]
    assert cameras == [(4, 2, 69.4), (6, 2, 69.4)]
    assert isinstance(events[0], CameraInfoEvent)
    assert not losses.counts


def test_all_recorded_topics_become_events(tmp_path):
    recording = recorded([0], [0])
    features = np.array([0.5, np.nan, 2.0], np.float32)
    row = image(START, "32FC1", 1, 3, data=features.view(np.uint8))
    recording.add("/camera/camera_info", camera_info(START, 640, 480, 320.0), START)
    recording.add("/camera/camera_info", camera_info(START + MS, 640, 480, 320.0), START + MS)
    recording.add(
        "/camera/camera_info", camera_info(START + 2 * MS, 640, 480, 640.0), START + 2 * MS
    )
    recording.add("/odom", odometry(START, (1, 2, 3), (0, 0, 1, 0), (1, 0, 0), (0, 0, 0.5)))
    recording.add("/perception/features", row)
    recording.add("/policy/cmd_vel", twist_stamped(START, (1, 2, 3), (9, 9, 4)))
    recording.add("/cmd_vel", twist_stamped(START, (0.5, 0, 0)))
    neurons = T["sensor_msgs/msg/JointState"](
        header(START), ["a", "b"], np.array([0.5, -0.5]), np.array([0.1, 0.9]), np.empty(0)
    )
    recording.add("/policy/neurons", neurons)
    recording.add("/clock", T["rosgraph_msgs/msg/Clock"](header(START).stamp), START)
    events, losses = recording.read(tmp_path / "bag")
    by_type = {type(event): event for event in events}
    assert [e.horizontal_fov_deg for e in events if isinstance(e, CameraInfoEvent)] == [
        pytest.approx(90.0),
        pytest.approx(53.130102354),
    ]
    state = by_type[OdometryEvent].state
    np.testing.assert_array_equal(state.position, [1, 2, 3])
    np.testing.assert_allclose(state.velocity, [-1, 0, 0], atol=1e-15)
    np.testing.assert_array_equal(state.angular_velocity, [0, 0, 0.5])
    assert by_type[FeaturesEvent].features.dtype == np.float32
    np.testing.assert_array_equal(by_type[FeaturesEvent].features, features)
    assert [(e.source, e.command.values) for e in events if isinstance(e, CommandEvent)] == [
        (CommandSource.POLICY, (1, 2, 3, 4)),
        (CommandSource.GUARD, (0.5, 0, 0, 0)),
    ]
    assert by_type[NeuronsEvent].names == ("a", "b")
    assert by_type[NeuronsEvent].states.tolist() == [0.5, -0.5]
    assert by_type[NeuronsEvent].gates.tolist() == [0.1, 0.9]
    assert by_type[ClockEvent].stamp_ns == START
    assert not losses.counts


def test_topic_can_have_two_roles(tmp_path):
    recording = recorded([0], [0]).add("/odom", odometry(START, linear=(1, 0, 0)))
    events, _ = recording.read(tmp_path / "bag", flags={"command": "/odom"})
    kinds = [type(event).__name__ for event in events]
    assert kinds.count("OdometryEvent") == kinds.count("CommandEvent") == 1


def test_reading_can_start_in_the_middle(tmp_path):
    bag = open_bag(recorded([0, 50, 100], range(0, 121, 20)).write(tmp_path / "bag"))
    events = list(read_flight(bag, resolve(bag, load_rules()), Losses(), START + 56 * MS))
    assert windows(events) == [[60, 80, 100]]


def test_px4_samples_since_boot_are_matched_with_frames(tmp_path):
    """PX4 counts microseconds since power-up, the camera uses the wall clock."""
    recording = RecordingBuilder()
    for index in range(5):
        at_ns = START + index * 50 * MS
        recording.add(CAMERA, frame(at_ns, index), at_ns + 2 * MS)
    for index in range(45):
        at_us = 90_000_000 + index * 5000
        sample = sensor_combined(at_us, (index, 0, 0))
        recording.add("/fmu/out/sensor_combined", sample, START + (index * 5 + 2) * MS)
    events, losses = recording.read(tmp_path / "bag", ["px4"])
    assert windows(events) == [
        [0],
        *([list(range(first, first + 50, 5)) for first in (5, 55, 105, 155)]),
    ]
    assert not losses.counts


def test_uncalibrated_camera_is_counted_once(tmp_path):
    recording = recorded([0], [0])
    for index in range(3):
        info = camera_info(START + index * MS, focal_px=0.0)
        recording.add("/camera/camera_info", info)
    events, losses = recording.read(tmp_path / "bag")
    assert not [event for event in events if isinstance(event, CameraInfoEvent)]
    assert loss_counts(losses) == {"BAD_VALUE": 1}


def test_empty_topic_map_yields_no_events(tmp_path):
    bag = open_bag(RecordingBuilder().add("/chatter", twist(), START).write(tmp_path / "bag"))
    assert list(read_flight(bag, resolve(bag, load_rules(), needed=()), Losses())) == []


def test_truncated_camera_info_is_counted(tmp_path):
    recording = recorded([0], [0])
    recording.add("/camera/camera_info", camera_info(START), START, raw=b"\x00\x01\x00\x00")
    _, losses = recording.read(tmp_path / "bag")
    assert loss_counts(losses) == {"UNDECODABLE": 1}


def test_camera_that_starts_late_in_a_simulation_has_its_windows(tmp_path):
    """Stamps count from the start of the simulation, log times are wall clock times."""
    recording = RecordingBuilder()
    for at in range(0, 4000, 10):
        recording.add("/imu/data", imu((1000 + at) * MS), START + at * MS)
        if at >= 3000 and at % 50 == 0:
            recording.add(CAMERA, frame((1000 + at) * MS, 0), START + at * MS)
    events, losses = recording.read(tmp_path / "bag")
    assert [len(window) for window in windows(events)][1:] == [5] * 19
    assert not losses.counts
