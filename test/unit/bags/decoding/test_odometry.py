"""Vehicle states in the frames that odometry states, and with values that are not finite."""

import numpy as np
import pytest
from recordings import (
    MS,
    START,
    RecordingBuilder,
    image,
    odometry,
    twist_stamped,
    vehicle_odometry,
)
from scipy.spatial.transform import Rotation

from liquid_control.bags import CommandEvent, OdometryEvent, read_bag

pytestmark = pytest.mark.unit

ENU_FROM_NED = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
FRD_FROM_FLU = np.diag([1.0, -1.0, -1.0])
ROTATION = Rotation.from_euler("ZYX", (0.7, -0.2, 0.4))
"""From FLU to ENU."""
POSITION, VELOCITY = np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.5, 0.25])
RATES = np.array([0.1, -0.2, 0.6])
NAN = float("nan")


def message(parent, child, world_is_ned, body_is_frd, twist_in_world=False):
    """Return the same motion as an odometry message in other frames."""
    world = ENU_FROM_NED.T if world_is_ned else np.eye(3)
    body = FRD_FROM_FLU if body_is_frd else np.eye(3)
    matrix = world @ ROTATION.as_matrix() @ body
    axes = world if twist_in_world else matrix.T @ world
    turn = world @ ROTATION.as_matrix() if twist_in_world else body.T
    made = odometry(
        START,
        world @ POSITION,
        Rotation.from_matrix(matrix).as_quat(),
        axes @ VELOCITY,
        turn @ RATES,
    )
    made.header.frame_id, made.child_frame_id = parent, child
    return made


@pytest.mark.parametrize(
    ("parent", "child", "frames"),
    [
        ("map", "base_link", (False, False)),
        ("odom", "", (False, False)),
        ("odom", "base_link_frd", (False, True)),
        ("odom_ned", "base_link_frd", (True, True)),
        ("odom_ned", "drone", (True, True)),
        ("map_ned", "base_link", (True, False)),
        ("odom", "odom", (False, False, True)),
        ("world", "map", (False, False, True)),
        ("map_ned", "map_ned", (True, True, True)),
    ],
)
def test_equal_motions_in_stated_frames_are_equal_states(tmp_path, parent, child, frames):
    recording = RecordingBuilder().add("/odom", message(parent, child, *frames))
    events, losses = recording.read(tmp_path / "bag", needed=())
    (event,) = [event for event in events if isinstance(event, OdometryEvent)]
    np.testing.assert_allclose(event.state.position, POSITION, atol=1e-12)
    np.testing.assert_allclose(event.state.velocity, VELOCITY, atol=1e-12)
    np.testing.assert_allclose(event.state.angular_velocity, RATES, atol=1e-12)
    found = Rotation.from_quat(event.state.quaternion)
    np.testing.assert_allclose(found.as_matrix(), ROTATION.as_matrix(), atol=1e-12)
    assert losses.lines() == []


def test_state_of_a_camera_is_refused(tmp_path):
    made = message("odom", "camera_pose_optical_frame", False, False)
    _, losses = RecordingBuilder().add("/odom", made).read(tmp_path / "bag", needed=())
    assert "got that of camera_pose_optical_frame" in losses.lines()[0]


@pytest.mark.parametrize("px4", [False, True])
def test_position_that_is_not_finite_does_not_lose_the_attitude(tmp_path, px4):
    """The command in the map frame needs the attitude: the vehicle heads north."""
    recording = RecordingBuilder().add("/camera/image_raw", image(START))
    north = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))
    for ms in (0, 20):
        stamp_ns = START + ms * MS
        if px4:
            state = vehicle_odometry(stamp_ns // 1000, (NAN,) * 3, (1, 0, 0, 0), (1, 0, 0))
        else:
            state = odometry(stamp_ns, (NAN, NAN, NAN), north, (1, 0, 0))
        recording.add("/states", state, stamp_ns)
    recording.add("/cmd_vel", twist_stamped(START, (0, 1, 0)), START)
    path = tmp_path / "bag"
    flags = {"command": "/cmd_vel,map", "odometry": "/states"}
    events, losses = recording.read(path, flags=flags)
    (command,) = [event.command for event in events if isinstance(event, CommandEvent)]
    np.testing.assert_allclose(command.values, (1, 0, 0, 0), atol=1e-7)
    states = [event.state for event in events if isinstance(event, OdometryEvent)]
    np.testing.assert_allclose([state.velocity for state in states], [(0, 1, 0)] * 2, atol=1e-7)
    assert losses.lines() == [
        "2 readings that cannot be used (/states: no finite position; its attitude is used)"
    ]


def test_velocity_that_is_not_finite_does_not_lose_the_attitude(tmp_path):
    recording = RecordingBuilder().add("/camera/image_raw", image(START))
    for ms in (0, 20):
        recording.add("/odom", odometry(START + ms * MS, linear=(NAN, 0, 0)))
    recording.add("/cmd_vel", twist_stamped(START, (1, 0, 0)), START)
    events, _ = recording.read(tmp_path / "bag", flags={"command": "/cmd_vel,map"})
    assert [e.command.values for e in events if isinstance(e, CommandEvent)] == [(1, 0, 0, 0)]
    assert not [event for event in events if isinstance(event, OdometryEvent)]


def test_measured_velocity_as_a_command_does_not_need_the_position(tmp_path):
    recording = RecordingBuilder().add("/camera/image_raw", image(START))
    recording.add("/odom", odometry(START, (NAN, 0, 0), linear=(1, 0, 0)))
    events, _ = recording.read(tmp_path / "bag", flags={"command": "/odom"})
    assert [e.command.values for e in events if isinstance(e, CommandEvent)] == [(1, 0, 0, 0)]


def test_positions_of_a_flight_are_finite(tmp_path):
    recording = RecordingBuilder().add("/camera/image_raw", image(START))
    recording.add("/cmd_vel", twist_stamped(START))
    for ms, x in ((0, NAN), (20, 3.0)):
        recording.add("/odom", odometry(START + ms * MS, (x, 0, 0)))
    path = recording.write(tmp_path / "bag")
    assert read_bag(str(path)).positions.values.tolist() == [[3.0, 0.0, 0.0]]
