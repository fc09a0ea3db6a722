"""IMU samples from two topics, samples that are not measured, and implausible units and axes."""

import re

import numpy as np
import pytest
from recordings import MS, START, RecordingBuilder, image, imu, sensor_combined

from liquid_control.bags import FrameEvent, Losses, Role, find_roles, load_rules, open_bag
from liquid_control.bags.decoding.imu import ImuMerger
from liquid_control.errors import BagError

pytestmark = pytest.mark.unit

GYRO, ACCEL = "/camera/camera/gyro/sample", "/camera/camera/accel/sample"
REST = (0.0, 0.0, 9.81)


def optical(vector):
    """Return a vector of `base_link` in the axes of a camera."""
    x, y, z = vector
    return -y, -z, x


def force_at(ms):
    return (0.01 * ms, -0.02 * ms, 9.81)


def split(rates_ms, forces_ms, frames_ms=(50, 100), gyro=GYRO, accel=ACCEL):
    """Return an IMU on two topics: rates of (ms, 0, 0), forces linear in time, zeros elsewhere."""
    recording = RecordingBuilder()
    for ms in rates_ms:
        message = imu(START + ms * MS, optical((ms, 0, 0)), (0, 0, 0), "camera_gyro_optical_frame")
        recording.add(gyro, message, START + (ms + 1) * MS)
    for ms in forces_ms:
        force = optical(force_at(ms))
        message = imu(START + ms * MS, (0, 0, 0), force, "camera_accel_optical_frame")
        recording.add(accel, message, START + (ms + 2) * MS)
    for ms in frames_ms:
        recording.add("/camera/image_raw", image(START + ms * MS), START + (ms + 5) * MS)
    recording.messages.sort(key=lambda entry: entry[0])
    return recording


def windows(events):
    return [event.observation.imu for event in events if isinstance(event, FrameEvent)]


def milliseconds(window):
    return ((window.stamps_ns - START) // MS).tolist()


@pytest.mark.parametrize(
    ("presets", "flags"),
    [((), {}), (("realsense",), {}), ((), {"imu": f"{GYRO}+{ACCEL}"})],
    ids=["by type", "by preset", "by flag"],
)
def test_rates_and_accelerations_of_two_topics_are_merged(tmp_path, presets, flags):
    recording = split(range(0, 111, 5), range(0, 121, 12))
    events, losses = recording.read(tmp_path / "bag", presets, flags)
    first, second = windows(events)
    assert milliseconds(first) == list(range(0, 51, 5))
    assert milliseconds(second) == list(range(55, 101, 5))
    for window in (first, second):
        times = milliseconds(window)
        np.testing.assert_allclose(window.angular_velocity, [(ms, 0, 0) for ms in times])
        expected = [force_at(ms) for ms in times]
        np.testing.assert_allclose(window.linear_acceleration, expected, atol=1e-9)
    assert losses.lines() == []


def test_merged_windows_do_not_depend_on_the_order_of_arrival(tmp_path):
    late = split(range(0, 111, 5), range(0, 121, 12))
    late.messages.sort(key=lambda entry: (entry[1] == ACCEL, entry[0]))
    late.messages = [
        (START + 200 * MS + i, *entry[1:]) if entry[1] == ACCEL else entry
        for i, entry in enumerate(late.messages)
    ]
    events, losses = late.read(tmp_path / "bag")
    assert [milliseconds(window)[-1] for window in windows(events)] == [50, 100]
    assert losses.lines() == []


def test_rates_without_an_acceleration_near_them_are_lost(tmp_path):
    recording = split(range(0, 801, 10), [*range(0, 201, 10), *range(600, 821, 10)], (400, 800))
    events, losses = recording.read(tmp_path / "bag")
    times = [ms for window in windows(events) for ms in milliseconds(window)]
    assert times == [*range(0, 301, 10), *range(500, 801, 10)]
    assert losses.lines()[0] == (
        "19 IMU samples without rates or without accelerations (the rate stamped "
        f"{START + 310 * MS} ns has no acceleration within 0.1 s)"
    )


def test_merger_bounds_its_memory():
    merger = ImuMerger(Losses())
    for index in range(20_000):
        assert merger.add_rate(index, (0, 0, 0)) == []
    assert merger.losses.counts.total() == 20_000 - 8192
    merger = ImuMerger(Losses())
    for index in range(20_000):
        merger.add_force(index, (0, 0, 0))
    assert merger.add_rate(19_990, (1, 2, 3)) == [(19_990, (1, 2, 3), (0, 0, 0))]


def test_merger_restarts_when_a_clock_is_set_back():
    merger = ImuMerger(Losses())
    merger.add_force(10**12, REST)
    merger.add_rate(10**12 + 5, (1, 0, 0))
    assert merger.add_rate(0, (2, 0, 0)) == []
    merger.add_force(-1, REST)
    assert merger.add_force(1, REST) == [(0, (2, 0, 0), REST)]


def test_half_of_an_imu_is_refused_with_the_flag_for_both(tmp_path):
    bag = open_bag(split([0], [0]).write(tmp_path / "bag"))
    for half in (GYRO, ACCEL):
        problem = find_roles(bag.topics, load_rules((), {"imu": half}))[Role.IMU].problem
        assert problem == (
            f"--topic imu={half}: has only half of an IMU's readings; pass "
            f"--topic imu={GYRO}+{ACCEL}"
        )
    whole = split([0], [0]).add("/imu/data", imu(START))
    assert find_roles(open_bag(whole.write(tmp_path / "whole")).topics, load_rules())[
        Role.IMU
    ].source.topics == ("/imu/data",)


def test_gyroscope_alone_is_not_an_imu(tmp_path):
    recording = split(range(0, 101, 5), [])
    found = find_roles(open_bag(recording.write(tmp_path / "a")).topics, load_rules())[Role.IMU]
    assert found.source is None
    assert "has only half of an IMU's readings" in found.problem
    events, losses = recording.read(tmp_path / "b", flags={"imu": GYRO})
    assert [len(window.stamps_ns) for window in windows(events)] == [0, 0]
    assert losses.lines()[0].startswith("21 IMU samples without rates or without accelerations")


def test_missing_topic_of_a_pair_is_named(tmp_path):
    with pytest.raises(BagError, match="--topic imu=/none: no such topic"):
        split([0], [0]).read(tmp_path / "bag", flags={"imu": f"{GYRO}+/none"})


@pytest.mark.parametrize("name", ["angular_velocity", "linear_acceleration"])
def test_samples_that_are_not_measured_are_counted_and_not_zeros(tmp_path, name):
    recording = RecordingBuilder()
    for index in range(8):
        message = imu(START + index * 10 * MS, (1, 0, 0))
        if index % 2:
            setattr(message, f"{name}_covariance", np.array([-1.0] + [0.0] * 8))
        recording.add("/imu/data", message)
    recording.add("/camera/image_raw", image(START + 70 * MS))
    events, losses = recording.read(tmp_path / "bag")
    (window,) = windows(events)
    assert milliseconds(window) == [0, 20, 40, 60]
    assert window.linear_acceleration.tolist() == [list(REST)] * 4
    assert losses.lines() == [
        "4 IMU samples without rates or without accelerations (/imu/data: its "
        f"{name.replace('_', ' ')} is not measured (covariance -1))"
    ]


def recorded(make, number=300):
    recording = RecordingBuilder().add("/camera/image_raw", image(START))
    for index in range(number):
        stamp_ns = START + index * 5 * MS
        recording.add("/imu/data", make(stamp_ns), stamp_ns)
    recording.add("/camera/image_raw", image(stamp_ns))
    return recording


def warning(tmp_path, make, number=300):
    _, losses = recorded(make, number).read(tmp_path / "bag")
    (line,) = losses.warnings
    assert line.startswith("/imu/data: ")
    return line


@pytest.mark.parametrize(
    ("rate", "force", "likely"),
    [
        ((0, 0, 0), (0, 0, 1.0), "specific force has a median norm of 1, .* likely in g$"),
        ((0, 0, 0), (10, 0, 1000.0), "median norm of 1e.03, .* likely in milli-g or cm/s"),
        ((0, 0, 0), (0.1, 0, 0), "gravity is likely removed from it, or it is not measured"),
        ((0, 0, 30.0), REST, r"median of 30 rad/s over 256 .* likely in degrees per second"),
        ((0, 0, 0), (0, 0, -9.81), "axes are likely frd: pass --topic imu=/imu/data,frd"),
        ((0, 0, 0), (0, -9.81, 0), "axes are likely optical: pass --topic imu=/imu/data,optical"),
        ((0, 0, 0), (9.81, 0, 0), "gravity does not point down in it.*its mounting differ"),
    ],
)
def test_implausible_readings_are_reported_with_the_likely_cause(tmp_path, rate, force, likely):
    assert re.search(likely, warning(tmp_path, lambda ns: imu(ns, rate, force, "")))


def test_rates_that_become_implausible_later_are_reported(tmp_path):
    line = warning(
        tmp_path, lambda ns: imu(ns, (0, 0, 40.0 if ns > START + 5 * 10**9 else 0.1)), 5000
    )
    assert "degrees per second" in line


def test_plausible_readings_are_not_reported(tmp_path):
    rng = np.random.default_rng(4)
    _, losses = recorded(lambda ns: imu(ns, rng.normal(0, 1.0, 3), rng.normal(REST, 2.0))).read(
        tmp_path / "a"
    )
    assert losses.lines() == []
    _, losses = recorded(lambda ns: sensor_combined(ns // 1000)).read(tmp_path / "b")
    assert losses.lines() == []


def test_two_topics_in_the_wrong_order_are_refused_by_their_content(tmp_path):
    """The names state nothing: the topics' readings do."""
    recording = split(range(0, 111, 5), range(0, 121, 12))
    names = {GYRO: "/sensor/one", ACCEL: "/sensor/two"}
    recording.messages = [
        (log_ns, names.get(topic, topic), *rest) for log_ns, topic, *rest in recording.messages
    ]
    bag = tmp_path / "bag"
    with pytest.raises(
        BagError,
        match=r"accelerations on the first only; pass --topic imu=/sensor/one\+/sensor/two$",
    ):
        recording.read(bag, (), {"imu": "/sensor/two+/sensor/one"})
    _, losses = recording.read(tmp_path / "again", (), {"imu": "/sensor/one+/sensor/two"})
    assert losses.lines() == []
    topics = open_bag(tmp_path / "again").topics
    advice = find_roles(topics, load_rules((), {}))[Role.IMU].problem
    assert "or if one has the rates and another the accelerations, --topic imu=/RATES+" in advice
