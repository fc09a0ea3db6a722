"""Equal motions in different frames and message types are equal commands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import (
    MS,
    START,
    RecordingBuilder,
    image,
    odometry,
    position_target,
    trajectory_setpoint,
    twist,
    twist_stamped,
    vehicle_odometry,
)
from scipy.spatial.transform import Rotation

from liquid_control.bags.decoding.commands import (
    MAX_ATTITUDE_AGE_NS,
    Attitudes,
    RecordedVelocity,
    command_of,
)
from liquid_control.bags.topics import VelocityFrame
from liquid_control.errors import ObservationError

pytestmark = pytest.mark.unit

NED_FROM_ENU = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
FRD_FROM_FLU = np.diag([1.0, -1.0, -1.0])

speeds = st.floats(-20.0, 20.0)
vectors = st.tuples(speeds, speeds, speeds).map(np.array)
angles = st.tuples(st.floats(-3.1, 3.1), st.floats(-1.4, 1.4), st.floats(-3.1, 3.1))
"""Yaw, pitch, roll, rad."""


def attitude(angles):
    """Return the rotation from body to map, built by SciPy from rotations about z, y, x."""
    return Rotation.from_euler("ZYX", angles)


@given(vectors, vectors, angles)
@settings(max_examples=200, deadline=None)
def test_equal_motions_in_different_frames_are_equal_commands(velocity, rates, angles):
    rotation = attitude(angles)
    level = Rotation.from_euler("Z", angles[0])
    velocities = {
        VelocityFrame.HEADING: (level.inv().apply(velocity), level.inv().apply(rates)),
        VelocityFrame.BODY: (rotation.inv().apply(velocity), rotation.inv().apply(rates)),
        VelocityFrame.FRD: (
            FRD_FROM_FLU @ rotation.inv().apply(velocity),
            FRD_FROM_FLU @ rotation.inv().apply(rates),
        ),
        VelocityFrame.MAP: (velocity, rates),
        VelocityFrame.NED: (NED_FROM_ENU @ velocity, NED_FROM_ENU @ rates),
    }
    expected = [*velocities[VelocityFrame.HEADING][0], rates[2]]
    for frame, (linear, angular) in velocities.items():
        command = command_of(RecordedVelocity(frame, linear, angular), rotation.as_quat())
        np.testing.assert_allclose(command.values, expected, rtol=0, atol=1e-12)


def test_north_is_forward_when_heading_north_and_left_when_heading_east():
    north = np.array([1.0, 0.0, 0.0])
    velocity = RecordedVelocity(VelocityFrame.NED, north, np.array([0.0, 0.0, 0.3]))
    heading_north = Rotation.from_euler("Z", np.pi / 2).as_quat()
    heading_east = Rotation.identity().as_quat()
    np.testing.assert_allclose(
        command_of(velocity, heading_north).values, [1, 0, 0, -0.3], atol=1e-12
    )
    np.testing.assert_allclose(
        command_of(velocity, heading_east).values, [0, 1, 0, -0.3], atol=1e-12
    )


def test_conversion_from_the_map_frame_needs_an_attitude():
    velocity = RecordedVelocity(VelocityFrame.MAP, np.ones(3), np.zeros(3))
    assert velocity.needs_attitude
    with pytest.raises(ObservationError, match="in map needs the attitude"):
        command_of(velocity, None)


def test_newest_attitude_at_or_before_a_stamp_is_used():
    attitudes = Attitudes()
    for index in range(3):
        attitudes.add(index * 10, np.full(4, float(index)))
    assert attitudes.at(-1) is None
    assert attitudes.at(9)[0] == 0.0
    assert attitudes.at(10)[0] == 1.0
    assert attitudes.at(10**6)[0] == 2.0
    assert attitudes.at(20 + MAX_ATTITUDE_AGE_NS + 1) is None
    assert not attitudes.reach(21)
    attitudes.add(5, np.full(4, 9.0))
    assert attitudes.at(20)[0] == 9.0


YAW, PITCH, ROLL = 0.7, -0.2, 0.4
VELOCITY = np.array([1.5, -0.5, 0.25])
RATES = np.array([0.1, -0.2, 0.6])
EXPECTED = [*Rotation.from_euler("Z", YAW).inv().apply(VELOCITY), RATES[2]]


def recorded(odometry_ms=(0,)):
    rotation = attitude((YAW, PITCH, ROLL))
    recording = RecordingBuilder().add("/camera/image_raw", image(START))
    for ms in odometry_ms:
        recording.add("/odom", odometry(START + ms * MS, quaternion=rotation.as_quat()))
    return recording


def ned(rotation):
    """Return (w, x, y, z), FRD to NED, computed by SciPy."""
    matrix = NED_FROM_ENU @ rotation.as_matrix() @ FRD_FROM_FLU
    return Rotation.from_matrix(matrix).as_quat()[[3, 0, 1, 2]]


ROTATION = attitude((YAW, PITCH, ROLL))
BODY = ROTATION.inv().apply(VELOCITY), ROTATION.inv().apply(RATES)
US = START // 1000
MESSAGES = {
    "twist_stamped": (twist_stamped(START + MS, VELOCITY, RATES), "map", 1e-12),
    "twist": (twist(VELOCITY, RATES), "map", 1e-12),
    "twist_body": (twist_stamped(START + MS, *BODY), "body", 1e-12),
    "odometry": (odometry(START + MS, (0, 0, 0), ROTATION.as_quat(), *BODY), "", 1e-12),
    "trajectory_setpoint": (
        trajectory_setpoint(US + 1000, NED_FROM_ENU @ VELOCITY, -RATES[2]),
        "",
        1e-6,
    ),
    "vehicle_odometry": (
        vehicle_odometry(
            US + 1000, (0, 0, 0), ned(ROTATION), NED_FROM_ENU @ VELOCITY, FRD_FROM_FLU @ BODY[1]
        ),
        "",
        1e-6,
    ),
    "vehicle_odometry_body": (
        vehicle_odometry(
            US + 1000,
            (0, 0, 0),
            ned(ROTATION),
            FRD_FROM_FLU @ BODY[0],
            FRD_FROM_FLU @ BODY[1],
            velocity_frame=3,
        ),
        "",
        1e-6,
    ),
    "position_target": (position_target(START + MS, VELOCITY, RATES[2]), "", 1e-6),
    "position_target_body": (
        position_target(START + MS, EXPECTED[:3], RATES[2], frame=8),
        "",
        1e-6,
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_equal_motions_in_different_messages_are_equal_commands(tmp_path, name):
    message, frame, tolerance = MESSAGES[name]
    recording = recorded((0, 20)).add("/command_topic", message, START + 2 * MS)
    flags = {"command": f"/command_topic,{frame}" if frame else "/command_topic"}
    events, losses = recording.read(tmp_path / "bag", flags=flags)
    (event,) = [event for event in events if type(event).__name__ == "CommandEvent"]
    np.testing.assert_allclose(event.command.values, EXPECTED, rtol=0, atol=tolerance)
    assert event.stamp_ns == START + (2 * MS if name == "twist" else MS)
    assert not losses.counts


def commands(events):
    return [event for event in events if type(event).__name__ == "CommandEvent"]


def test_command_waits_for_the_odometry_at_its_stamp(tmp_path):
    """Odometry stamped 10 ms is logged after the command stamped 12 ms and precedes it."""
    recording = recorded().add(
        "/cmd_vel", twist_stamped(START + 12 * MS, (1, 0, 0)), START + 12 * MS
    )
    east = odometry(START + 10 * MS)
    recording.add("/odom", east, START + 15 * MS).add("/odom", odometry(START + 20 * MS))
    events, losses = recording.read(tmp_path / "bag", flags={"command": "/cmd_vel,map"})
    (event,) = commands(events)
    np.testing.assert_allclose(event.command.values, (1, 0, 0, 0), atol=1e-12)
    assert not losses.counts


def test_commands_without_an_attitude_are_counted(tmp_path):
    recording = recorded((30,)).add("/cmd_vel", twist_stamped(START + 10 * MS, (1, 0, 0)))
    recording.add("/cmd_vel", twist_stamped(START + 2_000 * MS, (1, 0, 0)))
    recording.add("/cmd_vel", twist_stamped(START + 40 * MS, (1, 0, 0)))
    events, losses = recording.read(tmp_path / "a", flags={"command": "/cmd_vel,map"})
    assert [event.stamp_ns for event in commands(events)] == [START + 40 * MS]
    assert [line.split(" (")[0] for line in losses.lines()] == [
        "2 commands whose frame cannot be converted without an attitude"
    ]
    flags = {"command": "/cmd_vel,map", "odometry": "none"}
    events, losses = recording.read(tmp_path / "b", flags=flags)
    assert commands(events) == []
    assert "the bag has no odometry" in losses.lines()[0]


@pytest.mark.parametrize(
    "message",
    [
        twist_stamped(START, (float("nan"), 0, 0)),
        twist_stamped(START, (0, 0, 0), (0, 0, float("inf"))),
        trajectory_setpoint(US, (float("nan"),) * 3, 0.1),
        position_target(START, (1, 0, 0), 0.0, mask=8 | 16 | 32),
        odometry(START, quaternion=(0, 0, 0, 0)),
        vehicle_odometry(US, (0, 0, 0), (1, 0, 0, 0), (1, 0, 0), pose_frame=2),
        vehicle_odometry(US, (0, 0, 0), (float("nan"), 0, 0, 0), (1, 0, 0)),
        vehicle_odometry(US, (0, 0, 0), (1, 0, 0, 0), (1, 0, 0), velocity_frame=2),
    ],
    ids=lambda message: message.__msgtype__,
)
def test_invalid_velocities_are_counted(tmp_path, message):
    recording = recorded().add("/command_topic", message, START)
    events, losses = recording.read(tmp_path / "bag", flags={"command": "/command_topic"})
    assert commands(events) == []
    assert [loss.name for loss in losses.counts] == ["BAD_VALUE"]


@pytest.mark.parametrize(
    ("message", "expected", "unset"),
    [
        (trajectory_setpoint(US, (1, 2, float("nan")), 0.25), (2, 1, 0, -0.25), "vz"),
        (trajectory_setpoint(US, (float("nan"), 2, -3), 0.25), (2, 0, 3, -0.25), "vx"),
        (position_target(START, (1, 2, 3), 0.5, mask=32), (1, 2, 0, 0.5), "vz"),
        (position_target(START, (1, 2, 3), 0.5, mask=8 | 16), (0, 0, 3, 0.5), "vx, vy"),
        (position_target(START, (1, 2, float("nan")), 0.5), (1, 2, 0, 0.5), "vz"),
        (position_target(START, (1, 2, 3), 0.5, mask=2048), (1, 2, 3, 0), "yaw rate"),
    ],
)
def test_axes_that_a_set_point_leaves_out_are_0_and_counted(tmp_path, message, expected, unset):
    """PX4 and MAVROS hold the height, or turn to an angle, while they follow the other axes."""
    recording = RecordingBuilder().add("/camera/image_raw", image(START))
    for ms in (0, 20):
        recording.add("/odom", odometry(START + ms * MS))
    recording.add("/a", message, START)
    events, losses = recording.read(tmp_path / "bag", flags={"command": "/a"})
    (event,) = commands(events)
    np.testing.assert_allclose(event.command.values, expected, rtol=0, atol=1e-6)
    (line,) = losses.lines()
    assert line == f"1 set-points in which an axis is not set and is read as 0 (/a: {unset})"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (trajectory_setpoint(US, (float("nan"),) * 3), "got one of acceleration or attitude"),
        (position_target(START, (1, 0, 0), 0.0, mask=8 | 16 | 32), "no axis, type_mask 56"),
    ],
)
def test_set_points_without_a_velocity_are_refused_with_the_cause(tmp_path, message, cause):
    recording = recorded().add("/a", message, START)
    events, losses = recording.read(tmp_path / "bag", flags={"command": "/a"})
    assert commands(events) == []
    assert cause in losses.lines()[0]


def test_set_point_of_a_position_is_named_as_one(tmp_path):
    message = trajectory_setpoint(US, (float("nan"),) * 3)
    message.position[:] = (1.0, 2.0, -3.0)
    recording = recorded().add("/a", message, START)
    _, losses = recording.read(tmp_path / "bag", flags={"command": "/a"})
    assert "expected a set-point of velocity, got one of position" in losses.lines()[0]


def test_roll_rates_are_not_needed_for_a_command_in_the_heading_frame(tmp_path):
    message = twist_stamped(START, (1, 2, 3), (float("nan"), float("nan"), 0.5))
    recording = recorded().add("/a", message, START)
    events, losses = recording.read(tmp_path / "a", flags={"command": "/a,heading"})
    assert commands(events)[0].command.values == (1, 2, 3, 0.5)
    assert not losses.counts
    events, losses = recording.read(tmp_path / "b", flags={"command": "/a,body"})
    assert commands(events) == []


def test_unset_yaw_rate_is_zero(tmp_path):
    recording = recorded((0, 20)).add("/a", trajectory_setpoint(US, (1, 0, 0)), START)
    recording.add("/b", position_target(START, (1, 0, 0), 0.5, mask=2048))
    flags = {"command": "/a", "policy_command": "/b"}
    events, _ = recording.read(tmp_path / "bag", flags=flags)
    assert [event.command.yaw_rate_radps for event in commands(events)] == [0.0, 0.0]
