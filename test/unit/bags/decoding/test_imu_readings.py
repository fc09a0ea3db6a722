"""Readings at fixed places against rosbags' own decoding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import STORE, cdr, imu, sensor_combined

from liquid_control.bags.decoding.sensors import read_imu
from liquid_control.bags.topics.roles import Axes
from liquid_control.errors import BagError, ObservationError
from liquid_control.frames import OPTICAL_TO_FLU
from liquid_control.message_types import IMU, SENSOR_COMBINED

pytestmark = pytest.mark.unit

readings = st.tuples(*[st.floats(-1e6, 1e6)] * 3)


@given(readings, readings, st.text(st.characters(codec="ascii", exclude_characters="\0")))
def test_readings_are_those_that_rosbags_decodes(rate, force, frame):
    data = cdr(imu(3 * 10**9 + 7, rate, force, frame))
    decoded = STORE.deserialize_cdr(data, IMU)
    w, a = decoded.angular_velocity, decoded.linear_acceleration
    assert read_imu(IMU, data) == ((w.x, w.y, w.z), (a.x, a.y, a.z)) == (rate, force)


def test_big_endian_messages_are_read_too():
    message = imu(0, (1, 2, 3), (4, 5, 6), "abc")
    data = bytes(STORE.serialize_cdr(message, IMU, little_endian=False))
    assert data[1] == 0
    assert read_imu(IMU, data) == ((1, 2, 3), (4, 5, 6))


def test_px4_tells_forward_right_down():
    data = cdr(sensor_combined(9, (1, 2, 3), (4, 5, -9.5)))
    assert read_imu(SENSOR_COMBINED, data) == ((1, -2, -3), (4, -5, 9.5))


def test_axes_are_turned_as_their_rotations_say():
    rate, force = np.array([1.0, 2.0, 3.0]), np.array([0.5, -9.81, 0.25])
    data = cdr(imu(0, rate, force))
    for axes, turned in (
        (Axes.FLU, np.eye(3)),
        (Axes.FRD, np.diag([1, -1, -1])),
        (Axes.OPTICAL, OPTICAL_TO_FLU),
    ):
        got = read_imu(IMU, data, axes)
        np.testing.assert_array_equal(got, [turned @ rate, turned @ force])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_readings_that_are_not_finite_are_refused(value):
    with pytest.raises(ObservationError, match="expected finite IMU readings"):
        read_imu(IMU, cdr(imu(0, force=(0, 0, value))))


WHOLE = cdr(imu(0))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (IMU, b""),
        (IMU, WHOLE[:14]),
        (IMU, WHOLE[:-80]),
        (IMU, WHOLE[:12] + b"\xff\xff\xff\xff" + WHOLE[16:]),
        (IMU, b"\0\7" + WHOLE[2:]),
        (SENSOR_COMBINED, cdr(sensor_combined(0))[:30]),
    ],
)
def test_messages_of_the_wrong_length_are_refused(kind, data):
    with pytest.raises(BagError, match="expected"):
        read_imu(kind, data)


def test_the_last_covariance_counts_to_the_message():
    with pytest.raises(BagError, match=r"expected 324 bytes of sensor_msgs/msg/Imu, got 323"):
        read_imu(IMU, WHOLE[:-1])
    assert len(WHOLE) == 324
