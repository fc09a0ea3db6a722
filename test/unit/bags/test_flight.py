"""Recorded flights as events: windows as in flight, and damage that is counted and passed by."""

import cv2
import numpy as np
import pytest
from recordings import (
    MS,
    SECOND,
    START,
    MessageSource,
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
from liquid_control.bags.decoding.frame_imu_sync import HELD_BYTES, SILENCE_NS, FrameImuSync
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
from liquid_control.perception.sensor_sync import SensorSync

pytestmark = pytest.mark.unit

CAMERA, IMU = "/camera/image_raw", "/imu/data"


def picture(index, height=2, width=4):
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)


def frame(stamp_ns, index=0):
    return image(stamp_ns, data=picture(index).reshape(-1))


def flown(frames_ms, samples_ms, start=START):
    """Frames are filed 5 ms after their stamp, samples 1 ms after it."""
    recording = MessageSource()
    for index, ms in enumerate(frames_ms):
        recording.add(CAMERA, frame(start + ms * MS, index), start + (ms + 5) * MS)
    for ms in samples_ms:
        sample = imu(start + ms * MS, (ms, 0, 0), (0, 0, ms))
        recording.add(IMU, sample, start + (ms + 1) * MS)
    recording.messages.sort(key=lambda entry: entry[0])
    return recording


def seen(events):
    return [event for event in events if isinstance(event, FrameEvent)]


def windows(events):
    """Stamps of the samples of each frame's window, ms after the start."""
    return [
        [(stamp - START) // MS for stamp in event.observation.imu.stamps_ns.tolist()]
        for event in seen(events)
    ]


def lost(losses):
    return {loss.name: number for loss, number in losses.counts.items()}


def test_a_frame_meets_the_samples_since_the_frame_before(tmp_path):
    events, losses = flown([0, 50, 100], range(0, 121, 20)).read(tmp_path / "bag")
    assert windows(events) == [[0], [20, 40], [60, 80, 100]]
    assert [event.observation.stamp_ns for event in seen(events)] == [
        START,
        START + 50 * MS,
        START + 100 * MS,
    ]
    assert [event.log_ns for event in seen(events)] == [START + ms * MS for ms in (5, 55, 105)]
    for index, event in enumerate(seen(events)):
        np.testing.assert_array_equal(event.observation.image, picture(index))
    assert not losses.counts


def test_windows_are_those_of_flight_bit_for_bit(tmp_path):
    """`perception_node` fed in the order of filing, against the same messages in a bag."""
    rng = np.random.default_rng(11)
    samples = np.cumsum(rng.integers(2, 9, 200)).tolist()
    frames = np.cumsum(rng.integers(25, 60, 14)).tolist()
    events, losses = flown(frames, samples).read(tmp_path / "bag")
    sync, expected = SensorSync(), []
    filed = [(ms + 1, 0, ms) for ms in samples] + [(ms + 5, 1, ms) for ms in frames]
    for _, is_frame, ms in sorted(filed):
        stamp_ns = START + ms * MS
        if is_frame:
            sync.add_frame(stamp_ns, picture(0))
        else:
            sync.add_sample(stamp_ns, (float(ms), 0.0, 0.0), (0.0, 0.0, float(ms)))
        while (observation := sync.take()) is not None:
            expected.append(observation)
    assert len(expected) == len(seen(events)) == 14
    for event, flight in zip(seen(events), expected, strict=True):
        assert event.observation.stamp_ns == flight.stamp_ns
        for name in ("stamps_ns", "angular_velocity", "linear_acceleration"):
            got, want = getattr(event.observation.imu, name), getattr(flight.imu, name)
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)
    assert not losses.counts


def test_frames_that_press_from_behind_are_not_overrun(tmp_path):
    """Six frames within 60 ms, whose samples are all filed later: flight would keep four."""
    recording = MessageSource()
    for index in range(6):
        recording.add(CAMERA, frame(START + index * 10 * MS, index))
    for index in range(7):
        recording.add(IMU, imu(START + index * 10 * MS), START + (100 + index) * MS)
    events, losses = recording.read(tmp_path / "bag")
    assert windows(events) == [[0], [10], [20], [30], [40], [50]]
    assert not losses.counts


def test_frames_after_the_last_sample_get_what_there_is(tmp_path):
    events, losses = flown([0, 50, 100], [0, 20, 60]).read(tmp_path / "bag")
    assert windows(events) == [[0], [20], [60]]
    assert lost(losses) == {"FRAME_WITHOUT_IMU": 1}


def test_without_an_imu_windows_are_empty_and_nothing_is_lost(tmp_path):
    events, losses = flown([0, 50], []).read(tmp_path / "bag")
    assert windows(events) == [[], []]
    assert not losses.counts


def test_an_imu_that_is_silent_for_long_holds_nothing_up(tmp_path):
    frames, samples = range(0, 2000, 50), [*range(0, 501, 5), *range(1500, 2001, 5)]
    recording = flown(frames, samples)
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
    assert lost(losses) == {"FRAME_WITHOUT_IMU": len(forced)}


def test_a_frame_waits_no_longer_than_half_a_second_of_log_time():
    losses = Losses()
    pairing = FrameImuSync(True, losses)
    small = np.zeros((2, 2, 3), np.uint8)
    assert list(pairing.add_sample(0, (0, 0, 0), (0, 0, 0), 0)) == []
    assert list(pairing.add_frame(10, small, 10)) == []
    assert list(pairing.heard(10 + SILENCE_NS)) == []
    assert [event.observation.stamp_ns for event in pairing.heard(11 + SILENCE_NS)] == [10]
    assert lost(losses) == {"FRAME_WITHOUT_IMU": 1}


def test_an_imu_that_lags_for_ever_does_not_fill_the_memory():
    pairing = FrameImuSync(True, losses := Losses())
    big = np.zeros((1024, 1024, 3), np.uint8)
    held = HELD_BYTES // big.nbytes
    given = 0
    for index in range(held + 10):
        given += len(list(pairing.add_frame(SECOND + index, big, index)))
        given += len(list(pairing.add_sample(index, (0, 0, 0), (0, 0, 0), index)))
    assert given == 10
    assert lost(losses) == {"FRAME_WITHOUT_IMU": 10}
    assert len(list(pairing.finish())) == held


def test_stamps_that_do_not_advance_are_dropped_and_counted(tmp_path):
    recording = flown([0, 50], [0, 20, 40, 60])
    recording.add(CAMERA, frame(START + 50 * MS, 7), START + 70 * MS)
    recording.add(CAMERA, frame(START + 30 * MS, 8), START + 71 * MS)
    recording.add(IMU, imu(START + 60 * MS), START + 72 * MS)
    recording.add(IMU, imu(START + 10 * MS), START + 73 * MS)
    events, losses = recording.read(tmp_path / "bag")
    assert windows(events) == [[0], [20, 40]]
    assert lost(losses) == {"STAMP_BACKWARDS": 4}


def test_a_clock_that_is_set_back_begins_anew(tmp_path):
    """Both streams go back by 100 s; a frame that waited meanwhile is delivered."""
    before = flown([0, 50], [0, 20, 40])
    after = flown([0, 50], [0, 20, 40, 60], START - 100 * SECOND)
    for log_ns, topic, kind, data in after.messages:
        before.messages.append((log_ns + 101 * SECOND, topic, kind, data))
    events, losses = before.read(tmp_path / "bag")
    assert [(event.observation.stamp_ns - START) // MS for event in seen(events)] == [
        0,
        50,
        -100_000,
        -99_950,
    ]
    assert windows(events)[2:] == [[-100_000], [-99_980, -99_960]]
    assert lost(losses) == {"CLOCK_JUMP": 2, "FRAME_WITHOUT_IMU": 1}


def test_a_camera_whose_clock_is_set_by_years_is_noted(tmp_path):
    recording = MessageSource()
    for index in range(4):
        stamp_ns = START + index * 50 * MS + (0 if index < 2 else 10**8 * SECOND)
        recording.add(CAMERA, frame(stamp_ns, index), START + index * 50 * MS)
    events, losses = recording.read(tmp_path / "bag")
    assert len(seen(events)) == 4
    assert lost(losses) == {"CLOCK_JUMP": 1}
    assert "the camera's stamps jumped by 100000000 s" in losses.lines()[0]


def test_damage_is_counted_by_kind_and_the_flight_goes_on(tmp_path):
    recording = flown([0, 50], [0, 20, 40, 60])
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
    assert lost(losses) == {"BAD_PICTURE": 2, "BAD_VALUE": 3, "UNDECODABLE": 1}


def test_jpeg_pictures_that_do_not_decode_are_counted(tmp_path):
    data = cv2.imencode(".jpg", picture(0, 16, 16))[1].tobytes()
    topic = "/camera/image_raw/compressed"
    recording = MessageSource()
    for index, bytes_ in enumerate((data, data[:30], b"", data)):
        recording.add(topic, compressed(START + index * MS, "jpeg", bytes_))
    events, losses = recording.read(tmp_path / "bag")
    assert [event.observation.stamp_ns - START for event in seen(events)] == [0, 3 * MS]
    assert lost(losses) == {"BAD_PICTURE": 2}


def test_messages_of_another_type_than_the_topics_are_counted(tmp_path):
    bag = open_bag(flown([0, 50], [0, 20, 60]).write(tmp_path / "bag"))
    topics = resolve(bag, load_rules())
    losses = Losses()

    class Mixed:
        """The bag, with a stranger on the IMU's topic."""

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
    assert lost(losses) == {"WRONG_TYPE": 1}


def test_a_field_of_view_that_is_told_goes_before_camera_info(tmp_path):
    recording = MessageSource().add(
        "/camera/camera_info", camera_info(START, 640, 480, 320.0), START
    )
    recording.add("/camera/image_raw", image(START, width=4), START)
    recording.add("/camera/image_raw", image(START + MS, width=4), START + MS)
    recording.add("/camera/image_raw", image(START + 2 * MS, width=6), START + 2 * MS)
    events, losses = recording.read(tmp_path / "bag", flags={"camera": "/camera/image_raw,69.4"})
    told = [
        (e.width, e.height, e.horizontal_fov_deg) for e in events if isinstance(e, CameraInfoEvent)
    ]
    assert told == [(4, 2, 69.4), (6, 2, 69.4)]
    assert isinstance(events[0], CameraInfoEvent)
    assert not losses.counts


def test_everything_that_a_graph_records_becomes_an_event(tmp_path):
    recording = flown([0], [0])
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
    told = {type(event): event for event in events}
    assert [e.horizontal_fov_deg for e in events if isinstance(e, CameraInfoEvent)] == [
        pytest.approx(90.0),
        pytest.approx(53.130102354),
    ]
    state = told[OdometryEvent].state
    np.testing.assert_array_equal(state.position, [1, 2, 3])
    np.testing.assert_allclose(state.velocity, [-1, 0, 0], atol=1e-15)
    np.testing.assert_array_equal(state.angular_velocity, [0, 0, 0.5])
    assert told[FeaturesEvent].features.dtype == np.float32
    np.testing.assert_array_equal(told[FeaturesEvent].features, features)
    assert [(e.speaker, e.command.values) for e in events if isinstance(e, CommandEvent)] == [
        (CommandSource.POLICY, (1, 2, 3, 4)),
        (CommandSource.GUARD, (0.5, 0, 0, 0)),
    ]
    assert told[NeuronsEvent].names == ("a", "b")
    assert told[NeuronsEvent].states.tolist() == [0.5, -0.5]
    assert told[NeuronsEvent].gates.tolist() == [0.1, 0.9]
    assert told[ClockEvent].stamp_ns == START
    assert not losses.counts


def test_a_topic_can_play_two_roles(tmp_path):
    recording = flown([0], [0]).add("/odom", odometry(START, linear=(1, 0, 0)))
    events, _ = recording.read(tmp_path / "bag", flags={"command": "/odom"})
    kinds = [type(event).__name__ for event in events]
    assert kinds.count("OdometryEvent") == kinds.count("CommandEvent") == 1


def test_reading_can_begin_in_the_middle(tmp_path):
    bag = open_bag(flown([0, 50, 100], range(0, 121, 20)).write(tmp_path / "bag"))
    events = list(read_flight(bag, resolve(bag, load_rules()), Losses(), START + 56 * MS))
    assert windows(events) == [[60, 80, 100]]


def test_px4s_samples_since_boot_meet_the_cameras_frames(tmp_path):
    """PX4 counts microseconds since it was switched on, the camera tells the time of day."""
    recording = MessageSource()
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


def test_an_uncalibrated_camera_is_counted_once(tmp_path):
    recording = flown([0], [0])
    for index in range(3):
        info = camera_info(START + index * MS, focal_px=0.0)
        recording.add("/camera/camera_info", info)
    events, losses = recording.read(tmp_path / "bag")
    assert not [event for event in events if isinstance(event, CameraInfoEvent)]
    assert lost(losses) == {"BAD_VALUE": 1}


def test_an_empty_topic_map_reads_nothing(tmp_path):
    bag = open_bag(MessageSource().add("/chatter", twist(), START).write(tmp_path / "bag"))
    assert list(read_flight(bag, resolve(bag, load_rules(), needed=()), Losses())) == []


def test_a_calibration_without_content_is_counted(tmp_path):
    recording = flown([0], [0])
    recording.add("/camera/camera_info", camera_info(START), START, raw=b"\x00\x01\x00\x00")
    _, losses = recording.read(tmp_path / "bag")
    assert lost(losses) == {"UNDECODABLE": 1}


def test_a_camera_that_begins_late_in_a_simulation_has_its_windows(tmp_path):
    """Stamps count from the simulation's beginning, log times are of the day."""
    recording = MessageSource()
    for at in range(0, 4000, 10):
        recording.add("/imu/data", imu((1000 + at) * MS), START + at * MS)
        if at >= 3000 and at % 50 == 0:
            recording.add(CAMERA, frame((1000 + at) * MS, 0), START + at * MS)
    events, losses = recording.read(tmp_path / "bag")
    assert [len(window) for window in windows(events)][1:] == [5] * 19
    assert not losses.counts
