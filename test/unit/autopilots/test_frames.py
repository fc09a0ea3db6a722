"""Frames on the wire: every expected value is worked by hand from the definitions of the axes.

FLU: x forward, y left, z up. FRD: x forward, y right, z down. ENU: x east, y north, z up.
NED: x north, y east, z down. Yaw rates are about z, so counter-clockwise is positive in FLU and
negative in FRD.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mavlink_peer import ARDUPILOT, MS, PX4, AutopilotPeer, messages_in
from scipy.spatial.transform import Rotation
from sessions import Loop

from liquid_control import frames
from liquid_control.autopilots import ImuSample, OdometrySample
from liquid_control.types import Command

pytestmark = pytest.mark.unit

H = math.sqrt(0.5)
BOTH = pytest.mark.parametrize("autopilot", [ARDUPILOT, PX4])
SPEED = st.floats(-20.0, 20.0, width=32)
TILT = st.floats(-1.4, 1.4)
TURN = st.floats(-3.1, 3.1)


def sent(autopilot: int, command: Command) -> dict[str, float]:
    """Return the fields of the set-point that a command becomes on the wire."""
    loop = Loop(AutopilotPeer(autopilot))
    loop.connect()
    loop.session.command(command, loop.now_ns, 0, loop.now_ns)
    (setpoint,) = messages_in(loop.session.poll(loop.now_ns)[0])
    assert setpoint.name == "SET_POSITION_TARGET_LOCAL_NED"
    return setpoint.values


@BOTH
@pytest.mark.parametrize(
    ("command", "field", "expected"),
    [
        (Command(forward_mps=1.5), "vx", 1.5),
        (Command(forward_mps=-1.5), "vx", -1.5),
        (Command(left_mps=0.5), "vy", -0.5),
        (Command(left_mps=-0.5), "vy", 0.5),
        (Command(up_mps=0.25), "vz", -0.25),
        (Command(up_mps=-0.25), "vz", 0.25),
        (Command(yaw_rate_radps=0.75), "yaw_rate", -0.75),
        (Command(yaw_rate_radps=-0.75), "yaw_rate", 0.75),
    ],
)
def test_each_axis_has_its_sign_and_moves_no_other(autopilot, command, field, expected):
    values = sent(autopilot, command)
    axes = {name: values[name] for name in ("vx", "vy", "vz", "yaw_rate")}
    assert axes == {**dict.fromkeys(axes, 0.0), field: expected}


@BOTH
def test_frame_and_mask_are_those_that_both_firmwares_accept(autopilot):
    values = sent(autopilot, Command(1.0, 0.5, 0.25, 0.1))
    assert values["coordinate_frame"] == 8  # MAV_FRAME_BODY_NED: turned by yaw only
    ignored = 1 + 2 + 4 + 64 + 128 + 256 + 1024  # position, acceleration, yaw
    assert values["type_mask"] == ignored == 1479
    unused = ("x", "y", "z", "afx", "afy", "afz", "yaw")
    assert [values[name] for name in unused] == [0.0] * 7


NED_ATTITUDES = [
    # quaternion (w, x, y, z), FRD to NED   (x, y, z, w), FLU to ENU   attitude
    ((1, 0, 0, 0), (0, 0, H, H), "level, north: 90 degrees left of east"),
    ((H, 0, 0, H), (0, 0, 0, 1), "level, east: yaw 90 degrees right of north"),
    ((0, 0, 0, 1), (0, 0, -H, H), "level, south"),
    ((H, 0, 0, -H), (0, 0, 1, 0), "level, west"),
    ((0.5, 0.5, 0.5, 0.5), (H, 0, 0, H), "east, rolled 90 degrees to the right"),
    ((0.5, -0.5, 0.5, 0.5), (0, -H, 0, H), "east, nose up 90 degrees"),
]


@BOTH
@pytest.mark.parametrize(("ned_frd", "enu_flu", "attitude"), NED_ATTITUDES)
def test_attitudes(autopilot, ned_frd, enu_flu, attitude):
    sample = odometry(autopilot, attitude_reading(ned_frd), {})
    assert abs(np.dot(sample.state.quaternion, enu_flu)) == pytest.approx(1.0, abs=1e-6), attitude


@BOTH
def test_position_velocity_and_rates(autopilot):
    """1 m north, 2 m east, 3 m up; 4 m/s north, 5 m/s east, 6 m/s down."""
    turning = attitude_reading((1, 0, 0, 0)) | {
        "rollspeed": 0.1,  # right side down
        "pitchspeed": 0.2,  # nose up
        "yawspeed": 0.3,  # to the right
    }
    place = {"x": 1.0, "y": 2.0, "z": -3.0, "vx": 4.0, "vy": 5.0, "vz": 6.0}
    state = odometry(autopilot, turning, place).state
    assert state.position.tolist() == [2.0, 1.0, 3.0]
    assert state.velocity.tolist() == [5.0, 4.0, -6.0]
    assert state.angular_velocity == pytest.approx([0.1, -0.2, -0.3])


@BOTH
def test_imu_at_rest_shows_gravity_upwards_and_each_axis_its_sign(autopilot):
    """Specific force of a level vehicle at rest: 9.80665 m/s^2 upwards, -z in FRD."""
    unit = 1.0 if autopilot == PX4 else 1000.0 / 9.80665
    rate_unit = 1.0 if autopilot == PX4 else 1000.0
    name = "HIGHRES_IMU" if autopilot == PX4 else "SCALED_IMU"
    number = float if autopilot == PX4 else round
    reading = {
        "xacc": number(0.980665 * unit),
        "yacc": number(1.96133 * unit),
        "zacc": number(-9.80665 * unit),
        "xgyro": number(0.1 * rate_unit),
        "ygyro": number(0.2 * rate_unit),
        "zgyro": number(0.3 * rate_unit),
    }
    (sample,) = samples(autopilot, {name: reading}, ImuSample)
    assert sample.linear_acceleration == pytest.approx((0.980665, -1.96133, 9.80665), abs=1e-5)
    assert sample.angular_velocity == pytest.approx((0.1, -0.2, -0.3), abs=1e-6)


@BOTH
@pytest.mark.parametrize(
    ("yaw_ned_deg", "command", "north_east_down"),
    [
        (0.0, Command(forward_mps=1.0), (1.0, 0.0, 0.0)),  # north
        (0.0, Command(left_mps=1.0), (0.0, -1.0, 0.0)),  # left of north is west
        (90.0, Command(forward_mps=1.0), (0.0, 1.0, 0.0)),  # east
        (90.0, Command(left_mps=1.0), (1.0, 0.0, 0.0)),  # left of east is north
        (180.0, Command(forward_mps=1.0), (-1.0, 0.0, 0.0)),
        (-90.0, Command(left_mps=1.0), (-1.0, 0.0, 0.0)),  # left of west is south
        (45.0, Command(up_mps=1.0), (0.0, 0.0, -1.0)),
    ],
)
def test_the_heading_frame_turns_with_yaw_only(autopilot, yaw_ned_deg, command, north_east_down):
    """A vehicle that rolls 30 and pitches 20 degrees moves as a level one of the same heading."""
    values = sent(autopilot, command)
    yaw = math.radians(yaw_ned_deg)
    north = math.cos(yaw) * values["vx"] - math.sin(yaw) * values["vy"]
    east = math.sin(yaw) * values["vx"] + math.cos(yaw) * values["vy"]
    assert (north, east, values["vz"]) == pytest.approx(north_east_down, abs=1e-6)
    tilted = Rotation.from_euler("ZYX", [yaw_ned_deg, 20.0, 30.0], degrees=True).as_quat()
    moving = {"vx": north, "vy": east, "vz": values["vz"]}
    state = odometry(autopilot, attitude_reading(tilted[[3, 0, 1, 2]]), moving).state
    heading = frames.heading_of(state.quaternion)
    got = frames.heading_from_world(state.velocity, heading)
    assert got == pytest.approx(command.values[:3], abs=1e-5)


@settings(deadline=None)
@given(SPEED, SPEED, SPEED, SPEED)
def test_setpoints_keep_norms_and_return_by_the_same_change_of_signs(forward, left, up, turn):
    values = sent(ARDUPILOT, Command(forward, left, up, turn))
    velocity = np.array([values["vx"], values["vy"], values["vz"]])
    assert np.linalg.norm(velocity) == pytest.approx(math.hypot(forward, left, up))
    assert frames.flu_from_frd(velocity).tolist() == [forward, left, up]
    assert values["yaw_rate"] == -turn


@settings(deadline=None)
@given(roll=TILT, pitch=TILT, yaw=TURN, speeds=st.tuples(SPEED, SPEED, SPEED))
def test_a_velocity_that_was_commanded_is_the_velocity_of_the_odometry(roll, pitch, yaw, speeds):
    """A peer that follows frame 8 exactly, with any attitude, gives the command back."""
    values = sent(PX4, Command(*speeds))
    attitude = Rotation.from_euler("ZYX", [yaw, pitch, roll])
    north, east, down = Rotation.from_euler("Z", yaw).apply(
        [values["vx"], values["vy"], values["vz"]]
    )
    moving = {"vx": north, "vy": east, "vz": down}
    state = odometry(PX4, attitude_reading(attitude.as_quat()[[3, 0, 1, 2]]), moving).state
    heading = frames.heading_of(state.quaternion)
    got = frames.heading_from_world(state.velocity, heading)
    assert got == pytest.approx(speeds, abs=1e-4)
    assert np.linalg.norm(state.quaternion) == pytest.approx(1.0)
    assert np.linalg.norm(state.velocity) == pytest.approx(math.hypot(*speeds), abs=1e-4)


def attitude_reading(ned_frd) -> dict[str, float]:
    return {f"q{index}": float(value) for index, value in enumerate(ned_frd, 1)}


def odometry(autopilot: int, attitude: dict, place: dict) -> OdometrySample:
    readings = {"ATTITUDE_QUATERNION": attitude, "LOCAL_POSITION_NED": place}
    return samples(autopilot, readings, OdometrySample)[-1]


def samples(autopilot: int, readings: dict, kind: type) -> list:
    """Return the samples that the session makes of readings on the wire."""
    peer = AutopilotPeer(autopilot, readings=readings)
    loop = Loop(peer)
    loop.connect()
    loop.now_ns += MS
    data = b"".join(peer.telemetry(name, loop.now_ns) for name in readings)
    found = loop.session.receive(loop.source, data, loop.now_ns)
    return [one for one in found if isinstance(one, kind)]
