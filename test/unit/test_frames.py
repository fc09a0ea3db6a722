import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from liquid_control import frames

pytestmark = pytest.mark.unit
ANGLE = st.floats(-3.1, 3.1)
TILT = st.floats(-1.5, 1.5)


def test_optical_axis_is_forward_and_its_right_is_the_bodys_right():
    assert frames.OPTICAL_TO_FLU @ [0, 0, 1] == pytest.approx([1, 0, 0])
    assert frames.OPTICAL_TO_FLU @ [1, 0, 0] == pytest.approx([0, -1, 0])
    assert frames.OPTICAL_TO_FLU @ [0, 1, 0] == pytest.approx([0, 0, -1])


def test_a_quarter_turn_left_points_north():
    quaternion = frames.quaternion_from_euler(0, 0, math.pi / 2)
    assert quaternion == pytest.approx([0, 0, math.sqrt(0.5), math.sqrt(0.5)])
    assert frames.rotation_from_quaternion(quaternion) @ [1, 0, 0] == pytest.approx([0, 1, 0])


def test_positive_pitch_looks_down():
    quaternion = frames.quaternion_from_euler(0, 0.3, 0)
    forward = frames.rotation_from_quaternion(quaternion) @ [1, 0, 0]
    assert forward == pytest.approx([math.cos(0.3), 0, -math.sin(0.3)])


@given(roll=TILT, pitch=TILT, yaw=ANGLE)
def test_rotations_are_proper_and_keep_the_heading(roll, pitch, yaw):
    quaternion = frames.quaternion_from_euler(roll, pitch, yaw)
    rotation = frames.rotation_from_quaternion(quaternion)
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert frames.heading_of(quaternion) == pytest.approx(yaw, abs=1e-9)


@given(yaw=ANGLE)
def test_the_heading_frame_turns_with_the_vehicle(yaw):
    ahead = np.array([math.cos(yaw), math.sin(yaw), 0.5])
    assert frames.heading_from_world(ahead, yaw) == pytest.approx([1.0, 0.0, 0.5], abs=1e-12)


@given(angle=st.floats(-100, 100))
def test_wrapped_angles_are_the_same_direction(angle):
    wrapped = frames.wrap_angle(angle)
    assert -math.pi <= wrapped < math.pi
    assert math.cos(wrapped) == pytest.approx(math.cos(angle), abs=1e-9)
    assert math.sin(wrapped) == pytest.approx(math.sin(angle), abs=1e-9)


NED_FROM_ENU = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
FRD_FROM_FLU = np.diag([1.0, -1.0, -1.0])


@given(roll=TILT, pitch=TILT, yaw=ANGLE)
def test_an_attitude_told_in_ned_and_frd_is_the_same_attitude(roll, pitch, yaw):
    """Against products of matrices, with SciPy making the quaternion."""
    turned = frames.rotation_from_quaternion(frames.quaternion_from_euler(roll, pitch, yaw))
    ned_frd = Rotation.from_matrix(NED_FROM_ENU @ turned @ FRD_FROM_FLU).as_quat()
    got = frames.quaternion_from_ned_frd(ned_frd[[3, 0, 1, 2]])
    assert frames.rotation_from_quaternion(got) == pytest.approx(turned, abs=1e-9)
    assert np.linalg.norm(got) == pytest.approx(1.0)


def test_vectors_change_their_axes_and_back():
    vector = np.array([1.0, 2.0, 3.0])
    assert frames.enu_from_ned(vector).tolist() == [2.0, 1.0, -3.0]
    assert frames.flu_from_frd(vector).tolist() == [1.0, -2.0, -3.0]
    assert frames.enu_from_ned(frames.enu_from_ned(vector)).tolist() == vector.tolist()
    assert frames.flu_from_frd(frames.flu_from_frd(vector)).tolist() == vector.tolist()
