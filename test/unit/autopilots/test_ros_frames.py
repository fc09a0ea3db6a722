"""Set-points and samples of PX4 and MAVROS over ROS 2; expected values are worked by hand.

`test_frames.py` has the axes. PX4's set-points are NED, so they need the heading; MAVROS's are FLU
with `mav_frame` BODY_NED and ENU with LOCAL_NED.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control import frames
from liquid_control.autopilots.mavros_topics import mavros_velocity
from liquid_control.autopilots.px4_topics import battery_of, imu_sample, ned_setpoint, status_of
from liquid_control.types import HOVER, Command

pytestmark = pytest.mark.unit

NORTH, EAST, SOUTH, WEST = math.pi / 2, 0.0, -math.pi / 2, math.pi
"""Headings, counter-clockwise from east."""
SPEED = st.floats(-20.0, 20.0)
TURN = st.floats(-3.1, 3.1)


@pytest.mark.parametrize(
    ("heading", "command", "north_east_down", "yawspeed"),
    [
        (NORTH, Command(forward_mps=1.0), (1.0, 0.0, 0.0), 0.0),
        (NORTH, Command(forward_mps=-1.0), (-1.0, 0.0, 0.0), 0.0),
        (NORTH, Command(left_mps=1.0), (0.0, -1.0, 0.0), 0.0),  # left of north is west
        (NORTH, Command(left_mps=-1.0), (0.0, 1.0, 0.0), 0.0),
        (EAST, Command(forward_mps=1.0), (0.0, 1.0, 0.0), 0.0),
        (EAST, Command(left_mps=1.0), (1.0, 0.0, 0.0), 0.0),  # left of east is north
        (SOUTH, Command(forward_mps=1.0), (-1.0, 0.0, 0.0), 0.0),
        (WEST, Command(left_mps=1.0), (-1.0, 0.0, 0.0), 0.0),  # left of west is south
        (WEST, Command(up_mps=1.0), (0.0, 0.0, -1.0), 0.0),
        (NORTH, Command(up_mps=-0.5), (0.0, 0.0, 0.5), 0.0),
        (EAST, Command(yaw_rate_radps=0.75), (0.0, 0.0, 0.0), -0.75),
        (EAST, Command(yaw_rate_radps=-0.75), (0.0, 0.0, 0.0), 0.75),
    ],
)
def test_each_axis_of_a_px4_setpoint(heading, command, north_east_down, yawspeed):
    setpoint = ned_setpoint(command, heading)
    assert setpoint.velocity == pytest.approx(north_east_down, abs=1e-15)
    assert setpoint.yawspeed == yawspeed


def test_zero_velocity_needs_no_heading():
    assert ned_setpoint(HOVER, math.nan).velocity == (0.0, 0.0, 0.0)
    assert ned_setpoint(Command(up_mps=0.5), math.nan).velocity == (0.0, 0.0, -0.5)


@pytest.mark.parametrize(
    ("heading", "command", "east_north_up"),
    [
        (NORTH, Command(forward_mps=1.0), (0.0, 1.0, 0.0)),
        (NORTH, Command(left_mps=1.0), (-1.0, 0.0, 0.0)),
        (EAST, Command(forward_mps=1.0), (1.0, 0.0, 0.0)),
        (SOUTH, Command(left_mps=1.0), (1.0, 0.0, 0.0)),  # left of south is east
        (WEST, Command(up_mps=1.0), (0.0, 0.0, 1.0)),
    ],
)
def test_mavros_with_local_ned_takes_the_axes_of_the_map(heading, command, east_north_up):
    frame, velocity = mavros_velocity(command, "LOCAL_NED", heading)
    assert frame == "map"
    assert velocity.values[:3] == pytest.approx(east_north_up, abs=1e-15)


def test_mavros_with_body_ned_takes_the_command_as_it_is():
    command = Command(1.0, 0.5, 0.25, 0.125)
    assert mavros_velocity(command, "BODY_NED", math.nan) == ("base_link", command)
    turned = mavros_velocity(command, "LOCAL_NED", NORTH)[1]
    assert turned.yaw_rate_radps == 0.125  # about z, up in both frames


@settings(deadline=None)
@given(SPEED, SPEED, SPEED, SPEED, TURN)
def test_setpoints_keep_norms_and_lead_back_to_the_command(forward, left, up, turn, heading):
    command = Command(forward, left, up, turn)
    velocity, yawspeed = ned_setpoint(command, heading)
    assert math.hypot(*velocity) == pytest.approx(math.hypot(forward, left, up))
    back = frames.heading_from_world(frames.enu_from_ned(np.array(velocity)), heading)
    assert back == pytest.approx([forward, left, up], abs=1e-9)
    assert yawspeed == -turn
    east, north, climb, rate = mavros_velocity(command, "LOCAL_NED", heading)[1].values
    assert (north, east, -climb) == pytest.approx(velocity, abs=1e-9)
    assert rate == turn


def test_imu_samples_change_the_signs_of_y_and_z():
    message = SimpleNamespace(gyro_rad=[0.1, 0.2, 0.3], accelerometer_m_s2=[0.5, -0.25, -9.75])
    sample = imu_sample(message, 7)
    assert sample.stamp_ns == 7
    assert sample.angular_velocity == (0.1, -0.2, -0.3)
    assert sample.linear_acceleration == (0.5, 0.25, 9.75)
    assert (
        imu_sample(SimpleNamespace(gyro_rad=[math.nan] * 3, accelerometer_m_s2=[0] * 3), 7) is None
    )


@pytest.mark.parametrize(
    ("nav_state", "arming", "text", "obeys"),
    [
        (14, 2, "PX4 (system 3), OFFBOARD, armed", True),
        (14, 1, "PX4 (system 3), OFFBOARD, disarmed", True),
        (2, 2, "PX4 (system 3), POSCTL, armed", False),
        (5, 2, "PX4 (system 3), AUTO.RTL, armed", False),
        (23, 2, "PX4 (system 3), EXTERNAL1, armed", False),
        (99, 1, "PX4 (system 3), mode 99, disarmed", False),
    ],
)
def test_status(nav_state, arming, text, obeys):
    message = SimpleNamespace(
        nav_state=nav_state, arming_state=arming, system_id=3, pre_flight_checks_pass=arming == 2
    )
    state, check = status_of(message)
    assert (str(state), state.obeys, check.ready) == (text, obeys, arming == 2)


def test_a_battery_that_is_not_measured_has_none():
    assert battery_of(SimpleNamespace(remaining=0.5, voltage_v=14.8)) == (0.5, 14.8)
    assert battery_of(SimpleNamespace(remaining=-1.0, voltage_v=0.0)) == (None, None)
