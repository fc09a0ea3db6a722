"""Stamps of messages on the clock of the camera, from headers or log times."""

from itertools import pairwise

import pytest
from recordings import MS, SECOND, START, cdr, image, imu, sensor_combined, twist, twist_stamped

from liquid_control.bags.decoding.stamps import Clocks, own_stamp, read_prefix
from liquid_control.bags.storage.part import RawMessage
from liquid_control.errors import BagError

pytestmark = pytest.mark.unit

CAMERA = "/camera"


def raw(topic, message, log_ns):
    return RawMessage(topic, message.__msgtype__, log_ns, cdr(message))


def stamps(messages, of=None):
    clocks = Clocks(messages, CAMERA)
    return [clocks.stamp(message) for message in messages if of in (None, message.topic)]


def frames(first_ns, log_ns=START, number=3):
    return [
        raw(CAMERA, image(first_ns + index * 50 * MS), log_ns + (index * 50 + 3) * MS)
        for index in range(number)
    ]


def test_own_stamp_is_the_first_field():
    assert own_stamp("sensor_msgs/msg/Imu", cdr(imu(START + 7))) == START + 7
    assert own_stamp("px4_msgs/msg/SensorCombined", cdr(sensor_combined(1234))) == 1_234_000
    assert own_stamp("geometry_msgs/msg/Twist", cdr(twist())) is None
    with pytest.raises(BagError, match="expected at least 8 bytes"):
        own_stamp("sensor_msgs/msg/Imu", cdr(imu(0))[:8])


def test_header_stamps_take_precedence_over_log_times():
    assert stamps(frames(START)) == [START, START + 50 * MS, START + 100 * MS]


def test_messages_without_stamps_have_log_times():
    logs = [START + index * MS for index in range(3)]
    zero = [raw("/imu", imu(0), log_ns) for log_ns in logs]
    none = [raw("/twist", twist(), log_ns) for log_ns in logs]
    assert stamps(frames(START) + zero, "/imu") == logs
    assert stamps(frames(START) + none, "/twist") == logs


def test_simulation_starts_at_zero():
    assert stamps(frames(0)) == [0, 50 * MS, 100 * MS]
    repeated = [raw("/cmd", twist_stamped(ns), START) for ns in (0, 0, 50 * MS)]
    assert stamps(frames(0) + repeated, "/cmd") == [0, 0, 50 * MS]


def test_later_zero_stamp_is_replaced_by_the_log_time():
    messages = [*frames(START), raw(CAMERA, image(0), START + 150 * MS)]
    assert stamps(messages)[-1] == START + 150 * MS


def test_log_times_are_shifted_to_the_clock_of_a_simulation():
    """Frames are logged 3 ms late; the same delay is assumed for messages without a stamp."""
    messages = [*frames(SECOND), raw("/twist", twist(), START + 60 * MS)]
    assert stamps(messages, "/twist") == [SECOND + 57 * MS]


def test_autopilot_clock_is_shifted_with_equal_intervals():
    since_boot_us = 90_000_000
    samples = [
        raw("/imu", sensor_combined(since_boot_us + index * 5000), START + (index * 5 + late) * MS)
        for index, late in enumerate((2, 1, 4, 1))
    ]
    shifted = stamps(frames(START) + samples, "/imu")
    assert [after - before for before, after in pairwise(shifted)] == [5 * MS] * 3
    assert shifted[0] == START - 2 * MS  # smallest delay: 1 ms, while frames are 3 ms late


def test_autopilot_on_the_camera_clock_is_not_shifted():
    sample = raw("/imu", sensor_combined(START // 1000), START + 40 * MS)
    assert stamps([*frames(START), sample], "/imu") == [START]


def test_clock_of_a_late_topic_is_shifted():
    clocks = Clocks(frames(START), CAMERA)
    setpoints = [
        raw("/setpoint", sensor_combined(90_000_000 + at), START + SECOND + at * 1000)
        for at in (0, 5000)
    ]
    moved_ns = [clocks.stamp(message) for message in setpoints]
    assert moved_ns == [START + SECOND - 3 * MS, START + SECOND + 2 * MS]
    simulated = Clocks(frames(SECOND), CAMERA)
    late = raw("/twist", twist(), START + 10 * SECOND)
    assert simulated.stamp(late) == 11 * SECOND - 3 * MS


def test_invalid_stamps_are_rejected():
    message = raw("/imu", sensor_combined(2**63), START)
    with pytest.raises(BagError, match="expected a stamp"):
        Clocks([], CAMERA).stamp(message)


def test_prefix_ends_when_all_topics_occurred_twice():
    messages = frames(START, number=10)
    assert len(read_prefix(iter(messages), [CAMERA])) == 2
    assert len(read_prefix(iter(messages), [CAMERA, "/silent"])) == 10


def test_prefix_extends_to_a_late_camera():
    """Other clocks are compared with that of the camera."""
    samples = [raw("/imu", imu(SECOND + at * MS), START + at * MS) for at in range(0, 9000, 100)]
    first = read_prefix([*samples, *frames(10 * SECOND, START + 9 * SECOND)], ["/imu"], None)
    assert first[-1].log_ns < START + 3 * SECOND
    messages = [*samples, *frames(10 * SECOND, START + 9 * SECOND)]
    first = read_prefix(messages, ["/imu", CAMERA, "/silent"], CAMERA)
    assert first[-1].topic == CAMERA
    assert Clocks(first, CAMERA).stamp(samples[0]) == SECOND


def test_prefix_loses_no_messages():
    messages = iter(frames(START, number=10))
    first = read_prefix(messages, [CAMERA])
    assert len(first) + len(list(messages)) == 10
