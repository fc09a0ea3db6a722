from dataclasses import replace

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from liquid_control.config import CameraSettings
from liquid_control.errors import ObservationError
from liquid_control.frames import quaternion_from_euler
from liquid_control.nodes import conversions
from liquid_control.nodes.conversions import picture_from
from liquid_control.perception import CameraModel, decode_picture
from liquid_control.types import Command, VehicleState

pytestmark = pytest.mark.ros

STAMP_NS = 12_345_678_901_234_567


@pytest.mark.parametrize("stamp_ns", [0, 999_999_999, 1_000_000_000, STAMP_NS // 10**7])
def test_stamps_come_back(stamp_ns):
    assert conversions.stamp_of(conversions.time_message(stamp_ns)) == stamp_ns


def test_pictures_come_back():
    image = np.random.default_rng(0).integers(0, 256, (54, 96, 3), dtype=np.uint8)
    message = conversions.image_message(image, 5)
    assert (message.width, message.height, message.step) == (96, 54, 288)
    assert message.header.frame_id == "camera_optical_frame"
    np.testing.assert_array_equal(conversions.image_from(message), image)
    np.testing.assert_array_equal(
        conversions.image_from(conversions.image_message(image[::2, ::3], 5)), image[::2, ::3]
    )


def test_padding_of_rows_is_taken_out():
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    message = conversions.image_message(image, 0)
    padded = np.zeros((2, 12), np.uint8)
    padded[:, :9] = image.reshape(2, 9)
    message.step, message.data = 12, padded.tobytes()
    np.testing.assert_array_equal(conversions.image_from(message), image)


def test_a_wrong_encoding_and_missing_bytes_are_refused():
    message = conversions.image_message(np.zeros((2, 2, 3), np.uint8), 0)
    message.encoding = "bgr8"
    with pytest.raises(ObservationError, match="expected images in encoding rgb8, got 'bgr8'"):
        conversions.image_from(message)
    message.encoding, message.data = "rgb8", b"\0" * 11
    with pytest.raises(ObservationError, match="2 rows of 6 bytes for 2x2 rgb8, got 11 bytes"):
        conversions.image_from(message)


def test_other_encodings_come_as_the_picture_that_they_show():
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    message = conversions.image_message(image[:, :, ::-1], 0)
    message.encoding = "bgr8"
    np.testing.assert_array_equal(picture_from(message), image)
    np.testing.assert_array_equal(picture_from(conversions.image_message(image, 0)), image)
    grey = conversions.image_message(image[:, :2], 0)
    grey.encoding, grey.width = "mono8", 6
    np.testing.assert_array_equal(
        picture_from(grey), np.repeat(image[:, :2].reshape(4, 6, 1), 3, axis=2)
    )
    _, png = cv2.imencode(".png", image[:, :, ::-1])
    compressed = CompressedImage(format="rgb8; png compressed bgr8", data=png.tobytes())
    np.testing.assert_array_equal(picture_from(compressed), image)
    compressed.data = png.tobytes()[:40]
    with pytest.raises(ObservationError, match="is truncated"):
        picture_from(compressed)


@pytest.mark.parametrize(
    ("encoding", "step", "size"),
    [("nv12", 6, 36), ("yuv420", 6, 36), ("rgb16", 36, 144), ("bayer_rggb16", 12, 48)],
)
def test_live_pictures_are_decoded_as_recorded_ones(encoding, step, size):
    data = np.random.default_rng(3).integers(0, 256, size, dtype=np.uint8)
    message = Image(height=4, width=6, step=step, encoding=encoding, data=data.tobytes())
    expected = decode_picture(encoding, data, 4, 6, step)
    np.testing.assert_array_equal(picture_from(message), expected)
    assert expected.shape == (4, 6, 3)


def test_features_come_back_bit_for_bit():
    features = np.random.default_rng(0).normal(size=34).astype(np.float32)
    message = conversions.features_message(features, 7)
    assert (message.height, message.width, message.encoding) == (1, 34, "32FC1")
    assert conversions.features_from(message).tobytes() == features.tobytes()


def test_features_of_another_kind_are_refused():
    message = conversions.features_message(np.zeros(3, np.float32), 0)
    message.encoding = "64FC1"
    with pytest.raises(ObservationError, match="one row of 32FC1, 12 bytes, got 1 of '64FC1'"):
        conversions.features_from(message)


def test_commands_come_back_bit_for_bit():
    command = Command(0.1, -0.2, 1 / 3, -1e-300)
    message = conversions.command_message(command, 10**9 + 1)
    assert message.header.frame_id == "base_link"
    assert conversions.command_from(message) == (command, 10**9 + 1)


def test_imu_samples_come_back_bit_for_bit():
    rate, force = (0.1, -0.2, 1 / 3), (9.8, 1e-17, -3.0)
    assert conversions.imu_from(conversions.imu_message(rate, force, 4)) == (4, rate, force)


def test_a_message_without_a_measurement_is_told_from_samples():
    mark = conversions.imu_mark(STAMP_NS // 10**7)
    assert conversions.is_imu_mark(mark)
    assert conversions.imu_from(mark)[0] == STAMP_NS // 10**7
    sample = conversions.imu_message((0.0, 0.0, 0.0), (0.0, 0.0, 9.81), 4)
    assert not conversions.is_imu_mark(sample)
    sample.linear_acceleration_covariance[0] = -1.0
    assert not conversions.is_imu_mark(sample)


@pytest.mark.parametrize("fov_deg", [42.0, 90.0, 139.0])
def test_recorded_intrinsics_give_the_field_of_view_back(fov_deg):
    focal_px = conversions.focal_length_px(640, fov_deg)
    message = conversions.intrinsics_message(640, 480, focal_px, [0.0] * 8, 0)
    model = conversions.camera_model(message)
    assert model.horizontal_fov_deg == pytest.approx(fov_deg, rel=1e-12)
    assert message.distortion_model == "rational_polynomial"
    assert conversions.camera_model(conversions.camera_model_message(model, 0)) == replace(
        model, distortion="plumb_bob"
    )


@pytest.mark.parametrize(
    ("distortion", "coefficients"),
    [("plumb_bob", (-0.2, 0.05, 1e-3, -2e-3, 0.0)), ("equidistant", (0.1, 0.0, 0.0, 0.0))],
)
def test_a_camera_model_is_published_unchanged(distortion, coefficients):
    model = CameraModel(640, 480, 320.0, 321.0, 311.0, 250.0, distortion, coefficients)
    message = conversions.camera_model_message(model, 7)
    assert conversions.camera_model(message) == model
    assert message.distortion_model == distortion


def test_the_intrinsics_give_the_field_of_view_back():
    camera = CameraSettings(width=640, height=480, horizontal_fov_deg=72.5)
    message = conversions.camera_info_message(camera, 0)
    assert conversions.camera_model(message).horizontal_fov_deg == pytest.approx(72.5)
    assert (message.k[2], message.k[5]) == (319.5, 239.5)
    with pytest.raises(ObservationError, match="640x0 with focal length 0"):
        conversions.camera_model(CameraInfo(width=640))


def test_odometry_has_its_twist_in_the_body_frame():
    truth = VehicleState(
        position=np.array([1.0, 2.0, 3.0]),
        quaternion=quaternion_from_euler(0.0, 0.0, np.pi / 2),
        velocity=np.array([0.0, 2.0, 0.5]),
        angular_velocity=np.array([0.0, 0.0, 0.1]),
    )
    message = conversions.odometry_message(truth, 0)
    twist = message.twist.twist
    assert (message.header.frame_id, message.child_frame_id) == ("map", "base_link")
    assert (twist.linear.x, twist.linear.y, twist.linear.z) == pytest.approx((2.0, 0.0, 0.5))
    assert message.pose.pose.position.z == 3.0
    variances = 1e-9 * np.eye(6).reshape(36)
    np.testing.assert_array_equal(message.pose.covariance, variances)
    np.testing.assert_array_equal(message.twist.covariance, variances)
    replayed = conversions.odometry_message(truth, 0, variance=0.0)
    assert not np.any(replayed.pose.covariance)
    assert not np.any(replayed.twist.covariance)
