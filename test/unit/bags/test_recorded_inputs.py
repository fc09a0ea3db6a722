"""Ranges, orientations and the recorded inputs of a policy reach the frames of a bag."""

import math

import numpy as np
import pytest
from recordings import MS, SECOND, RecordingBuilder, T, header, image, imu, twist_stamped

from liquid_control.bags.events import CommandEvent, FrameEvent
from liquid_control.bags.writing import messages

pytestmark = pytest.mark.unit

CAMERA, IMU, RANGE = "/camera/image_raw", "/imu/data", "/range"
INPUTS, COMMAND = "/policy/inputs", "/cmd_vel"
TURNED = (0.1, -0.2, 0.3, math.sqrt(1.0 - 0.14))


def range_reading(stamp_ns, range_m, low=0.1, high=8.0):
    return T["sensor_msgs/msg/Range"](header(stamp_ns), 1, 0.0, low, high, range_m, 0.0)


def oriented(stamp_ns, quaternion=TURNED, covariance=0.0, frame="base_link"):
    sample = imu(stamp_ns, frame=frame)
    sample.orientation = T["geometry_msgs/msg/Quaternion"](*quaternion)
    sample.orientation_covariance = np.array([covariance] + [0.0] * 8)
    return sample


def given(stamp_ns, **readings):
    values = np.array(list(readings.values()), np.float64)
    none = np.empty(0)
    return T["sensor_msgs/msg/JointState"](header(stamp_ns), list(readings), values, none, none)


def observations(builder, tmp_path, **more):
    found, losses = builder.read(tmp_path / "bag", **more)
    assert not losses.counts
    return [event.observation for event in found if isinstance(event, FrameEvent)]


def test_a_frame_has_the_range_and_the_orientation_of_its_stamp(tmp_path):
    builder = RecordingBuilder()
    for index in range(4):
        stamp_ns = SECOND + index * 50 * MS
        builder.add(CAMERA, image(stamp_ns))
        builder.add(IMU, oriented(stamp_ns, TURNED if index % 2 else (0.0, 0.0, 0.0, 1.0)))
        builder.add(RANGE, range_reading(stamp_ns, 1.0 + 0.25 * index))
    frames = observations(builder, tmp_path)
    assert [frame.range_m for frame in frames] == [1.0, 1.25, 1.5, 1.75]
    np.testing.assert_array_equal(frames[1].orientation, TURNED)
    np.testing.assert_array_equal(frames[2].orientation, (0.0, 0.0, 0.0, 1.0))
    assert frames[0].cruise_mps is None


def test_readings_that_are_not_measured_are_none(tmp_path):
    builder = RecordingBuilder()
    for index, (quaternion, covariance, frame, range_m) in enumerate(
        [
            (TURNED, -1.0, "base_link", math.inf),
            ((0.0, 0.0, 0.0, 0.0), 0.0, "base_link", math.nan),
            (TURNED, 0.0, "imu_frd", 9.0),
        ]
    ):
        stamp_ns = (1 + index) * SECOND
        builder.add(CAMERA, image(stamp_ns))
        builder.add(IMU, oriented(stamp_ns, quaternion, covariance, frame))
        builder.add(RANGE, range_reading(stamp_ns, range_m))
    frames = observations(builder, tmp_path)
    assert [(frame.range_m, frame.orientation) for frame in frames] == [(None, None)] * 3


def test_a_range_sensor_that_stops_does_not_hold_the_frames(tmp_path):
    builder = RecordingBuilder()
    builder.add(RANGE, range_reading(SECOND, 1.5))
    for index in range(60):
        stamp_ns = SECOND + index * 50 * MS
        builder.add(CAMERA, image(stamp_ns))
        builder.add(IMU, imu(stamp_ns))
    found, losses = builder.read(tmp_path / "bag")
    frames = [event.observation for event in found if isinstance(event, FrameEvent)]
    assert len(frames) == 60
    assert not losses.counts
    assert [frame.range_m for frame in frames] == [1.5] * 5 + [None] * 55


def test_the_readings_that_the_policy_was_given_replace_the_others(tmp_path):
    builder = RecordingBuilder()
    for index in range(3):
        stamp_ns = SECOND + index * 50 * MS
        builder.add(CAMERA, image(stamp_ns))
        builder.add(IMU, oriented(stamp_ns))
        builder.add(RANGE, range_reading(stamp_ns, 1.0))
        readings = {"cruise_mps": 2.0 + index, "range_m": 1.1 if index else math.nan}
        builder.add(INPUTS, given(stamp_ns, **readings, unknown=3.0))
    frames = observations(builder, tmp_path)
    assert [frame.cruise_mps for frame in frames] == [2.0, 3.0, 4.0]
    assert math.isnan(frames[0].range_m)
    assert frames[1].range_m == 1.1
    np.testing.assert_array_equal(frames[1].orientation, TURNED)


def test_in_lockstep_a_frame_without_readings_keeps_its_place_among_the_ticks(tmp_path):
    """The log times of a lockstep recording are its stamps."""
    builder = RecordingBuilder()
    for index in range(4):
        stamp_ns = SECOND + index * 50 * MS
        builder.add(CAMERA, image(stamp_ns))
        if index != 1:
            builder.add(INPUTS, given(stamp_ns, cruise_mps=2.0))
        builder.add(COMMAND, twist_stamped(stamp_ns))
    found, _ = builder.read(tmp_path / "bag", flags={"imu": "none"})
    kept = [event for event in found if isinstance(event, FrameEvent | CommandEvent)]
    order = [(type(e).__name__[0], getattr(e, "stamp_ns", e.log_ns)) for e in kept]
    frames = [event.observation for event in kept if isinstance(event, FrameEvent)]
    assert [frame.cruise_mps for frame in frames] == [2.0, None, 2.0, 2.0]
    positions = {stamp: i for i, (kind, stamp) in enumerate(order) if kind == "F"}
    for stamp_ns, at in positions.items():
        commands = [stamp for kind, stamp in order[:at] if kind == "C"]
        assert all(stamp <= stamp_ns for stamp in commands)


def test_in_real_time_a_frame_waits_for_its_readings_half_a_second_at_most(tmp_path):
    builder = RecordingBuilder()
    for index in range(40):
        stamp_ns = SECOND + index * 50 * MS
        builder.add(CAMERA, image(stamp_ns), log_ns=stamp_ns + MS)
        if index < 10:
            readings = given(stamp_ns, cruise_mps=2.0)
            builder.add(INPUTS, readings, log_ns=stamp_ns + 5 * MS)
    frames = observations(builder, tmp_path)
    assert len(frames) == 40
    assert [frame.cruise_mps for frame in frames] == [2.0] * 10 + [None] * 30


def test_a_damaged_message_is_counted_and_its_frame_is_kept(tmp_path):
    builder = RecordingBuilder()
    for index in range(2):
        stamp_ns = SECOND + index * 50 * MS
        builder.add(CAMERA, image(stamp_ns))
        message = given(stamp_ns, cruise_mps=2.0)
        if index:
            message.position = np.empty(0)
        builder.add(INPUTS, message)
    found, losses = builder.read(tmp_path / "bag")
    frames = [event.observation for event in found if isinstance(event, FrameEvent)]
    assert [frame.cruise_mps for frame in frames] == [2.0, None]
    assert {loss.name: n for loss, n in losses.counts.items()} == {"BAD_VALUE": 1}


def test_messages_without_ros_have_every_digit():
    readings = {"cruise_mps": 2.3, "range_m": 1.0 / 3.0, "orientation.x": -0.1}
    store = messages.types()
    kind = messages.FLIGHT_TOPICS[INPUTS[1:]]
    inputs = store.deserialize_cdr(messages.inputs_cdr(readings, SECOND), kind)
    assert dict(zip(inputs.name, inputs.position.tolist(), strict=True)) == readings
    kind = messages.FLIGHT_TOPICS[RANGE[1:]]
    assert store.deserialize_cdr(messages.range_cdr(None, SECOND), kind).range == math.inf
    assert store.deserialize_cdr(messages.range_cdr(1.5, SECOND), kind).range == 1.5
