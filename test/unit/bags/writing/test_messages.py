"""Messages serialised without ROS and read back by the decoder of the mcap project."""

from math import pi

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from liquid_control import message_types
from liquid_control.bags import BagWriter
from liquid_control.bags.writing import messages as make
from liquid_control.config import CameraSettings
from liquid_control.frames import quaternion_from_euler
from liquid_control.types import Command, VehicleState

pytestmark = pytest.mark.unit

STAMP_NS = 7_000_000_009
RANDOM = np.random.default_rng(3)


@pytest.fixture
def read_back(tmp_path):
    """Return a function that writes a message and reads it with the mcap project's decoder."""

    def round_trip(kind: str, cdr: bytes):
        path = tmp_path / f"{kind.split('/')[-1]}.mcap"
        with BagWriter(path, {"x": kind}) as bag:
            bag.write("x", cdr, STAMP_NS)
        with path.open("rb") as file:
            reader = make_reader(file, decoder_factories=[DecoderFactory()])
            ((schema, _, message, decoded),) = reader.iter_decoded_messages()
        assert (schema.name, schema.encoding, message.log_time) == (kind, "ros2msg", STAMP_NS)
        return decoded

    return round_trip


def stamp(message) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec


def xyz(vector) -> list[float]:
    return [vector.x, vector.y, vector.z]


def test_picture(read_back):
    picture = RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    message = read_back(message_types.IMAGE, make.image_cdr(picture[:, ::-1], STAMP_NS))
    assert (message.height, message.width, message.step) == (5, 7, 21)
    assert (message.encoding, message.header.frame_id) == ("rgb8", "camera_optical_frame")
    assert stamp(message) == (7, 9)
    assert bytes(message.data) == picture[:, ::-1].tobytes()


def test_compressed_picture(read_back):
    image_format = "rgb8; png compressed bgr8"
    cdr = make.compressed_image_cdr(b"\x89PNG file", image_format, STAMP_NS)
    message = read_back(message_types.COMPRESSED_IMAGE, cdr)
    assert (message.format, bytes(message.data)) == (image_format, b"\x89PNG file")
    assert stamp(message) == (7, 9)


def test_camera_intrinsics(read_back):
    camera = CameraSettings(width=96, height=54, horizontal_fov_deg=90.0)
    message = read_back(message_types.CAMERA_INFO, make.camera_info_cdr(camera, STAMP_NS))
    assert (message.width, message.height, message.distortion_model) == (96, 54, "plumb_bob")
    assert list(message.k) == pytest.approx([48.0, 0, 47.5, 0, 48.0, 26.5, 0, 0, 1])
    assert list(message.p) == pytest.approx([48.0, 0, 47.5, 0, 0, 48.0, 26.5, 0, 0, 0, 1, 0])
    assert list(message.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert list(message.d) == [0.0] * 5


def test_imu_sample_marks_its_orientation_as_unknown(read_back):
    rate, force = RANDOM.standard_normal(3), RANDOM.standard_normal(3)
    message = read_back(message_types.IMU, make.imu_cdr(rate, force, STAMP_NS))
    assert xyz(message.angular_velocity) == rate.tolist()
    assert xyz(message.linear_acceleration) == force.tolist()
    assert message.orientation_covariance[0] == -1.0
    assert (message.header.frame_id, stamp(message)) == ("base_link", (7, 9))


def test_odometry_has_its_pose_in_the_map_and_its_twist_in_the_body(read_back):
    """With heading north, 2 m/s north and 1 m/s west are 2 m/s forward and 1 m/s left."""
    state = VehicleState(
        np.array([1.0, 2.0, 3.0]),
        quaternion_from_euler(0.0, 0.0, pi / 2),
        np.array([-1.0, 2.0, 0.5]),
        np.array([0.1, 0.2, 0.3]),
    )
    message = read_back(message_types.ODOMETRY, make.odometry_cdr(state, STAMP_NS))
    assert (message.header.frame_id, message.child_frame_id) == ("map", "base_link")
    assert xyz(message.pose.pose.position) == [1.0, 2.0, 3.0]
    q = message.pose.pose.orientation
    assert [q.x, q.y, q.z, q.w] == pytest.approx([0, 0, 0.5**0.5, 0.5**0.5])
    assert xyz(message.twist.twist.linear) == pytest.approx([2.0, 1.0, 0.5])
    assert xyz(message.twist.twist.angular) == [0.1, 0.2, 0.3]


def test_features_keep_every_bit(read_back):
    features = RANDOM.standard_normal(34).astype(np.float32)
    features[3] = np.nan
    message = read_back(message_types.IMAGE, make.features_cdr(features, STAMP_NS))
    assert (message.encoding, message.height, message.width) == ("32FC1", 1, 34)
    assert message.step == 4 * 34
    assert bytes(message.data) == features.tobytes()


def test_neurons_have_names_states_and_gates(read_back):
    states, gates = RANDOM.standard_normal(3), RANDOM.random(3)
    cdr = make.neurons_cdr(["a", "b", "motor"], states, gates, STAMP_NS)
    message = read_back(message_types.JOINT_STATE, cdr)
    assert list(message.name) == ["a", "b", "motor"]
    assert list(message.position) == states.tolist()
    assert list(message.velocity) == gates.tolist()
    assert list(message.effort) == []


def test_command_and_clock(read_back):
    command = Command(*RANDOM.standard_normal(4).tolist())
    message = read_back(message_types.TWIST_STAMPED, make.command_cdr(command, STAMP_NS))
    assert (*xyz(message.twist.linear), message.twist.angular.z) == command.values
    assert (message.twist.angular.x, message.twist.angular.y) == (0.0, 0.0)
    assert (message.header.frame_id, stamp(message)) == ("base_link", (7, 9))
    clock = read_back(message_types.CLOCK, make.clock_cdr(STAMP_NS)).clock
    assert (clock.sec, clock.nanosec) == (7, 9)
