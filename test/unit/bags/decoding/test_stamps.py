"""Whose time counts: a message's own, or the recorder's, on the camera's clock."""

from itertools import pairwise

import pytest
from recordings import MS, SECOND, START, cdr, image, imu, sensor_combined, twist, twist_stamped

from liquid_control.bags.decoding.stamps import Clocks, beginning, own_stamp
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


def test_the_stamp_is_the_first_field_of_every_type_that_has_one():
    assert own_stamp("sensor_msgs/msg/Imu", cdr(imu(START + 7))) == START + 7
    assert own_stamp("px4_msgs/msg/SensorCombined", cdr(sensor_combined(1234))) == 1_234_000
    assert own_stamp("geometry_msgs/msg/Twist", cdr(twist())) is None
    with pytest.raises(BagError, match="expected at least 8 bytes"):
        own_stamp("sensor_msgs/msg/Imu", cdr(imu(0))[:8])


def test_headers_count_not_the_filing():
    assert stamps(frames(START)) == [START, START + 50 * MS, START + 100 * MS]


def test_without_stamps_the_filing_counts():
    logs = [START + index * MS for index in range(3)]
    zero = [raw("/imu", imu(0), log_ns) for log_ns in logs]
    none = [raw("/twist", twist(), log_ns) for log_ns in logs]
    assert stamps(frames(START) + zero, "/imu") == logs
    assert stamps(frames(START) + none, "/twist") == logs


def test_a_simulation_begins_at_zero():
    assert stamps(frames(0)) == [0, 50 * MS, 100 * MS]
    repeated = [raw("/cmd", twist_stamped(ns), START) for ns in (0, 0, 50 * MS)]
    assert stamps(frames(0) + repeated, "/cmd") == [0, 0, 50 * MS]


def test_a_stray_zero_is_replaced_by_the_filing():
    messages = [*frames(START), raw(CAMERA, image(0), START + 150 * MS)]
    assert stamps(messages)[-1] == START + 150 * MS


def test_the_filing_is_moved_to_a_simulations_clock():
    """Frames are filed 3 ms late, and so is taken to be what has no stamp."""
    messages = [*frames(SECOND), raw("/twist", twist(), START + 60 * MS)]
    assert stamps(messages, "/twist") == [SECOND + 57 * MS]


def test_an_autopilots_own_clock_is_moved_and_keeps_its_spacing():
    since_boot_us = 90_000_000
    samples = [
        raw("/imu", sensor_combined(since_boot_us + index * 5000), START + (index * 5 + late) * MS)
        for index, late in enumerate((2, 1, 4, 1))
    ]
    got = stamps(frames(START) + samples, "/imu")
    assert [after - before for before, after in pairwise(got)] == [5 * MS] * 3
    assert got[0] == START - 2 * MS  # filed soonest: 1 ms late, where frames are 3 ms late


def test_an_autopilot_with_the_cameras_clock_is_left_alone():
    sample = raw("/imu", sensor_combined(START // 1000), START + 40 * MS)
    assert stamps([*frames(START), sample], "/imu") == [START]


def test_a_clock_that_is_heard_late_is_moved_too():
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


def test_stamps_that_are_no_times_are_refused():
    message = raw("/imu", sensor_combined(2**63), START)
    with pytest.raises(BagError, match="expected a stamp"):
        Clocks([], CAMERA).stamp(message)


def test_the_beginning_ends_when_all_were_heard_twice():
    messages = frames(START, number=10)
    assert len(beginning(iter(messages), [CAMERA])) == 2
    assert len(beginning(iter(messages), [CAMERA, "/silent"])) == 10


def test_the_beginning_waits_for_a_camera_that_comes_late():
    """Its clock is what the others' are compared with."""
    samples = [raw("/imu", imu(SECOND + at * MS), START + at * MS) for at in range(0, 9000, 100)]
    first = beginning([*samples, *frames(10 * SECOND, START + 9 * SECOND)], ["/imu"], None)
    assert first[-1].log_ns < START + 3 * SECOND
    messages = [*samples, *frames(10 * SECOND, START + 9 * SECOND)]
    first = beginning(messages, ["/imu", CAMERA, "/silent"], CAMERA)
    assert first[-1].topic == CAMERA
    assert Clocks(first, CAMERA).stamp(samples[0]) == SECOND


def test_the_beginning_loses_nothing():
    messages = iter(frames(START, number=10))
    first = beginning(messages, [CAMERA])
    assert len(first) + len(list(messages)) == 10
