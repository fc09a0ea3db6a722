"""Frames that messages state in their headers: followed, warned of, or refused."""

import numpy as np
import pytest
from recordings import MS, START, RecordingBuilder, image, imu, odometry, twist_stamped

from liquid_control.bags import CommandEvent, FrameEvent, Role, find_roles, load_rules, open_bag
from liquid_control.bags.topics.stated_frames import OPTICAL, UNCLEAR, axes_of, velocity_frame_of
from liquid_control.bags.topics.topic_rules import Axes, VelocityFrame, known_rule

pytestmark = pytest.mark.unit

NORTH = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))
"""Attitude of a vehicle that heads north in ENU axes."""


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("map", VelocityFrame.MAP),
        ("odom", VelocityFrame.MAP),
        ("/uav1/odom", VelocityFrame.MAP),
        ("world", VelocityFrame.MAP),
        ("map_enu", VelocityFrame.MAP),
        ("ned", VelocityFrame.NED),
        ("odom_ned", VelocityFrame.NED),
        ("base_link", VelocityFrame.HEADING),
        ("drone/base_link", VelocityFrame.HEADING),
        ("base_link_frd", VelocityFrame.FRD),
        ("base_link_ned", VelocityFrame.FRD),
        ("camera_color_optical_frame", OPTICAL),
        ("drone_ned", UNCLEAR),
        ("", None),
        ("cmd", None),
    ],
)
def test_velocity_frames_by_name(name, frame):
    assert velocity_frame_of(name) == frame


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("camera_imu_optical_frame", Axes.OPTICAL),
        ("base_link", Axes.FLU),
        ("base_link_frd", Axes.FRD),
        ("imu_ned", Axes.FRD),
        ("imu_link", None),
        ("map", UNCLEAR),
        ("", None),
    ],
)
def test_axes_by_name(name, axes):
    assert axes_of(name) == axes


def stated(message, frame):
    message.header.frame_id = frame
    return message


def recorded(topic, frame, linear=(0.0, 1.0, 0.5)):
    """Return a recording that heads north, with a command of 1 m/s along y and 0.5 m/s along z."""
    recording = RecordingBuilder().add("/camera/image_raw", image(START))
    for ms in (0, 20):
        recording.add("/odom", odometry(START + ms * MS, quaternion=NORTH))
    for ms in (0, 10):
        message = stated(twist_stamped(START + ms * MS, linear, (0, 0, 0.25)), frame)
        recording.add(topic, message, START + ms * MS)
    return recording


def command(events):
    found = [event.command.values for event in events if isinstance(event, CommandEvent)]
    assert len(set(found)) == 1
    return found[0]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("map", (1, 0, 0.5, 0.25)),
        ("odom", (1, 0, 0.5, 0.25)),
        ("base_link", (0, 1, 0.5, 0.25)),
        ("", (0, 1, 0.5, 0.25)),
        ("map_ned", (0, -1, -0.5, -0.25)),
        ("base_link_frd", (0, -1, -0.5, -0.25)),
    ],
)
def test_frame_of_a_command_replaces_the_default(tmp_path, frame, expected):
    events, losses = recorded("/cmd_vel", frame).read(tmp_path / "bag")
    np.testing.assert_allclose(command(events), expected, atol=1e-12)
    assert not losses.counts
    other_world = frame == "odom"
    assert [line.split(" are ")[0] for line in losses.warnings] == (
        ["commands in the frame odom"] if other_world else []
    )


def test_frame_of_a_flag_replaces_the_stated_one_without_a_warning(tmp_path):
    events, losses = recorded("/cmd_vel", "map").read(
        tmp_path / "bag", flags={"command": "/cmd_vel,heading"}
    )
    assert command(events) == (0, 1, 0.5, 0.25)
    assert losses.lines() == []


@pytest.mark.parametrize("presets", [(), ("mavros",)])
def test_known_topic_keeps_its_frame_and_warns_of_another(tmp_path, presets):
    """MAVROS ignores the frames of set-points: its parameter `mav_frame` decides."""
    topic = "/mavros/setpoint_velocity/cmd_vel"
    events, losses = recorded(topic, "base_link").read(
        tmp_path / "a", presets, {"policy_command": topic}
    )
    np.testing.assert_allclose(command(events), (1, 0, 0.5, 0.25), atol=1e-12)
    (warning,) = losses.warnings
    assert "state the frame base_link, but" in warning
    assert "known to be in map" in warning
    for frame, expected in (("heading", (0, 1, 0.5, 0.25)), ("map", (1, 0, 0.5, 0.25))):
        flag = f"--topic policy_command={topic},{frame}"
        assert flag in warning
        role, _, value = flag.removeprefix("--topic ").partition("=")
        events, losses = recorded(topic, "base_link").read(
            tmp_path / frame, presets, {role: value}
        )
        np.testing.assert_allclose(command(events), expected, atol=1e-12)
        assert losses.lines() == []


def test_command_in_an_optical_frame_is_refused_with_a_flag(tmp_path):
    recording = recorded("/cmd_vel", "camera_optical_frame")
    events, losses = recording.read(tmp_path / "a")
    assert not [event for event in events if isinstance(event, CommandEvent)]
    (line,) = losses.lines()
    assert line.startswith(
        "2 readings that cannot be used (/cmd_vel: /cmd_vel: its messages state"
    )
    assert "pass --topic command=/cmd_vel,heading" in line
    events, losses = recording.read(tmp_path / "b", flags={"command": "/cmd_vel,heading"})
    assert command(events) == (0, 1, 0.5, 0.25)
    assert losses.lines() == []


def test_each_message_states_its_own_frame(tmp_path):
    """Two publishers share the topic."""
    recording = recorded("/cmd_vel", "map")
    for ms in (12, 14):
        message = stated(
            twist_stamped(START + ms * MS, (0, 1, 0)), "base_link" if ms == 12 else "map"
        )
        recording.add("/cmd_vel", message, START + ms * MS)
    events, _ = recording.read(tmp_path / "bag")
    found = [event.command.values[:2] for event in events if isinstance(event, CommandEvent)]
    np.testing.assert_allclose(sorted(found), [(0, 1), (1, 0), (1, 0), (1, 0)], atol=1e-12)


def imu_recording(topic, frame, rate=(0.1, 0.2, 0.3), force=(0.0, -9.81, 0.0)):
    recording = RecordingBuilder()
    for index in range(3):
        stamp_ns = START + index * 10 * MS
        recording.add(topic, imu(stamp_ns, rate, force, frame))
        recording.add("/camera/image_raw", image(stamp_ns))
    return recording


def rates(events):
    return [
        e.observation.imu.angular_velocity.tolist() for e in events if isinstance(e, FrameEvent)
    ]


@pytest.mark.parametrize(
    ("topic", "frame", "expected"),
    [
        ("/camera/camera/imu", "", [0.3, -0.1, -0.2]),
        ("/d455/camera/imu", "", [0.3, -0.1, -0.2]),
        ("/imu", "camera_imu_optical_frame", [0.3, -0.1, -0.2]),
        ("/imu", "", [0.1, 0.2, 0.3]),
        ("/imu/data", "imu_ned", [0.1, -0.2, -0.3]),
        ("/mavros/imu/data", "base_link", [0.1, 0.2, 0.3]),
    ],
)
@pytest.mark.parametrize("flagged", [False, True])
def test_axes_of_an_imu_by_its_known_name_or_its_header(tmp_path, topic, frame, expected, flagged):
    flags = {"imu": topic} if flagged else {}
    events, losses = imu_recording(topic, frame).read(tmp_path / "bag", flags=flags)
    assert rates(events) == [[expected]] * 3
    assert losses.lines() == []


def test_imu_in_a_frame_of_the_world_is_reported(tmp_path):
    events, losses = imu_recording("/imu/data", "map").read(tmp_path / "bag")
    assert rates(events) == [[[0.1, 0.2, 0.3]]] * 3
    (warning,) = losses.warnings
    assert "/imu/data: its messages state the frame map and are read as flu" in warning
    assert "pass --topic imu=/imu/data,flu" in warning


def test_names_that_a_preset_knows_in_any_namespace():
    assert known_rule(Role.COMMAND, "/uav2/mavros/setpoint_velocity/cmd_vel").frame == "map"
    assert known_rule(Role.IMU, "/camera/gyro/sample").axes == "optical"
    assert known_rule(Role.IMU, "/imu") is None
    assert known_rule(Role.COMMAND, "/cmd_vel") is None


def test_advice_names_one_topic_in_its_preset_and_its_flag(tmp_path):
    topic = "/mavros/setpoint_velocity/cmd_vel"
    bag = open_bag(recorded(topic, "").write(tmp_path / "bag"))
    for role in (Role.COMMAND, Role.POLICY_COMMAND):
        problem = find_roles(bag.topics, load_rules())[role].problem
        flag = problem.rpartition("--topic ")[2]
        assert flag == f"{role.value}={topic}"
        found = find_roles(bag.topics, load_rules((), {role.value: topic}))[role]
        assert found.source.frame is VelocityFrame.MAP
