"""Decoding of IMU samples and images against rosbags' own decoding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import MS, STORE, T, cdr, header, image, imu, sensor_combined

from liquid_control.bags.decoding.sensors import NotMeasuredError, image_of, read_imu
from liquid_control.bags.topics import Axes
from liquid_control.errors import BagError, ObservationError
from liquid_control.frames import OPTICAL_TO_FLU
from liquid_control.message_types import IMAGE, IMU, SENSOR_COMBINED

pytestmark = pytest.mark.unit

COMPLETE_IMU = cdr(imu(0))
COMPLETE_IMAGE = cdr(image(0))

readings = st.tuples(*[st.floats(-1e6, 1e6)] * 3)
texts = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=20)
numbers = st.integers(0, 2**32 - 1)


@given(readings, readings, st.text(st.characters(codec="ascii", exclude_characters="\0")))
def test_imu_sampleequal_those_of_rosbags(rate, force, frame):
    data = cdr(imu(3 * 10**9 + 7, rate, force, frame))
    decoded = STORE.deserialize_cdr(data, IMU)
    w, a = decoded.angular_velocity, decoded.linear_acceleration
    assert read_imu(IMU, data) == ((w.x, w.y, w.z), (a.x, a.y, a.z)) == (rate, force)


def test_big_endian_imu_messages_are_read():
    message = imu(0, (1, 2, 3), (4, 5, 6), "abc")
    data = bytes(STORE.serialize_cdr(message, IMU, little_endian=False))
    assert data[1] == 0
    assert read_imu(IMU, data) == ((1, 2, 3), (4, 5, 6))


def test_px4_sampleare_forward_right_down():
    data = cdr(sensor_combined(9, (1, 2, 3), (4, 5, -9.5)))
    assert read_imu(SENSOR_COMBINED, data) == ((1, -2, -3), (4, -5, 9.5))


def test_imu_axes_are_rotated_to_base_link():
    rate, force = np.array([1.0, 2.0, 3.0]), np.array([0.5, -9.81, 0.25])
    data = cdr(imu(0, rate, force))
    for axes, rotation in (
        (Axes.FLU, np.eye(3)),
        (Axes.FRD, np.diag([1, -1, -1])),
        (Axes.OPTICAL, OPTICAL_TO_FLU),
    ):
        sample = read_imu(IMU, data, axes)
        np.testing.assert_array_equal(sample, [rotation @ rate, rotation @ force])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_samplethat_are_not_finite_are_rejected(value):
    with pytest.raises(ObservationError, match="expected finite IMU readings"):
        read_imu(IMU, cdr(imu(0, force=(0, 0, value))))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (IMU, b""),
        (IMU, COMPLETE_IMU[:14]),
        (IMU, COMPLETE_IMU[:-80]),
        (IMU, COMPLETE_IMU[:12] + b"\xff\xff\xff\xff" + COMPLETE_IMU[16:]),
        (IMU, b"\0\7" + COMPLETE_IMU[2:]),
        (SENSOR_COMBINED, cdr(sensor_combined(0))[:30]),
    ],
)
def test_imu_messages_of_the_wrong_length_are_rejected(kind, data):
    with pytest.raises(BagError, match="expected"):
        read_imu(kind, data)


def test_last_covariance_belongs_to_the_message():
    with pytest.raises(BagError, match=r"expected 324 bytes of sensor_msgs/msg/Imu, got 323"):
        read_imu(IMU, COMPLETE_IMU[:-1])
    assert len(COMPLETE_IMU) == 324


def unmeasured(*names: str, force=(0, 0, 9.81)):
    message = imu(5 * MS, force=force)
    for name in names:
        covariance = np.zeros(9)
        covariance[0] = -1.0
        setattr(message, f"{name}_covariance", covariance)
    return read_imu(IMU, cdr(message))


def test_message_without_measurements_is_no_reading():
    names = ("angular_velocity", "linear_acceleration")
    assert unmeasured(*names, force=(0, 0, 0)) is None
    with pytest.raises(NotMeasuredError):
        unmeasured(*names)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("angular_velocity",), "its angular velocity is not measured"),
        (("linear_acceleration", "orientation"), "its linear acceleration is not measured"),
    ],
)
def test_half_a_sample_is_not_completed_with_zeros(names, missing):
    with pytest.raises(NotMeasuredError, match=missing):
        unmeasured(*names)


def test_message_with_only_an_orientation_is_not_a_mark():
    message = imu(5 * MS, force=(0, 0, 0))
    message.orientation.x, message.orientation.w = 1.0, 0.0
    for name in ("angular_velocity", "linear_acceleration"):
        getattr(message, f"{name}_covariance")[0] = -1.0
    with pytest.raises(NotMeasuredError, match="angular velocity and linear acceleration is not"):
        read_imu(IMU, cdr(message))


@given(texts, texts, numbers, numbers, numbers, st.integers(0, 255), st.binary(), st.booleans())
def test_image_fields_equal_those_of_rosbags(
    frame, encoding, height, width, step, big, data, little
):
    pixels = np.frombuffer(data, np.uint8)
    message = T[IMAGE](header(1, frame), height, width, encoding, big, step, pixels)
    raw = bytes(STORE.serialize_cdr(message, IMAGE, little_endian=little))
    fields, decoded = image_of(raw), STORE.deserialize_cdr(raw, IMAGE)
    for name in ("height", "width", "encoding", "is_bigendian", "step"):
        assert getattr(fields, name) == getattr(decoded, name)
    np.testing.assert_array_equal(fields.data, decoded.data)


def test_image_pixels_are_not_copied():
    raw = cdr(image(0))
    assert np.shares_memory(image_of(raw).data, np.frombuffer(raw, np.uint8))


@pytest.mark.parametrize("cut", range(len(COMPLETE_IMAGE)))
def test_truncated_images_are_rejected(cut):
    with pytest.raises(BagError, match="expected"):
        image_of(COMPLETE_IMAGE[:cut])


def test_mutated_images_raise_nothing_else():
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(2000):
        data = np.frombuffer(COMPLETE_IMAGE, np.uint8).copy()
        data[rng.integers(0, 50, 3)] = rng.integers(0, 256, 3)
        try:
            image_of(data.tobytes())
        except BagError:
            refused += 1
    assert 0 < refused < 2000
