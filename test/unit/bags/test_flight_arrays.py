"""Reading the bag of a flight into arrays."""

import cv2
import numpy as np
import pytest
from recordings import (
    MS,
    RecordingBuilder,
    T,
    compressed,
    header,
    image,
    imu,
    odometry,
    twist_stamped,
)

from liquid_control.bags import Losses, read_bag
from liquid_control.errors import BagError

pytestmark = pytest.mark.unit

STEP_NS = 50 * MS
CAMERA = "/camera/image_raw"


def picture(index):
    return np.random.default_rng(index).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def flight(frames=3, packed=False):
    recording = RecordingBuilder()
    for index in range(frames):
        stamp_ns = index * STEP_NS
        recording.add("/imu/data", imu(stamp_ns, (0.1, 0.2, 0.3)))
        recording.add("/odom", odometry(stamp_ns, (index, 1, 2)))
        if packed:
            data = cv2.imencode(".png", picture(index)[..., ::-1])[1].tobytes()
            message = compressed(stamp_ns, "rgb8; png compressed bgr8", data)
            recording.add(f"{CAMERA}/compressed", message)
        else:
            recording.add(CAMERA, image(stamp_ns, "rgb8", 4, 6, picture(index)))
        recording.add("/policy/cmd_vel", twist_stamped(stamp_ns, (9, 0, 0)))
        neurons = T["sensor_msgs/msg/JointState"](
            header(stamp_ns), ["a", "b"], np.array([0.5, -0.5]), np.array([0.1, 0.9]), np.empty(0)
        )
        recording.add("/policy/neurons", neurons)
        recording.add("/cmd_vel", twist_stamped(stamp_ns, (index, 0.1, 0.2), (0, 0, 0.3)))
    return recording


@pytest.mark.parametrize("packed", [False, True])
def test_written_data_is_read_back_by_stamp(tmp_path, packed):
    bag = read_bag(flight(packed=packed).write(tmp_path / "bag"))
    stamps = [0, STEP_NS, 2 * STEP_NS]
    assert bag.frames.stamp_ns.tolist() == stamps
    np.testing.assert_array_equal(bag.frames.values, [picture(index) for index in range(3)])
    assert bag.frames.values.dtype == np.uint8
    assert bag.commands.stamp_ns.tolist() == stamps
    assert bag.commands.values.tolist() == [[float(index), 0.1, 0.2, 0.3] for index in range(3)]
    assert bag.policy_commands.values.tolist() == [[9.0, 0.0, 0.0, 0.0]] * 3
    assert bag.neuron_names == ("a", "b")
    assert bag.states.values.tolist() == [[0.5, -0.5]] * 3
    assert bag.gates.values.tolist() == [[0.1, 0.9]] * 3
    assert bag.imu.stamps_ns.tolist() == stamps
    assert bag.imu.angular_velocity.tolist() == [[0.1, 0.2, 0.3]] * 3
    assert bag.positions.values.tolist() == [[float(index), 1.0, 2.0] for index in range(3)]
    assert len(bag.features.stamp_ns) == 0


def test_missing_bag_raises_a_one_line_error(tmp_path):
    with pytest.raises(BagError, match=r"none\.mcap: expected a bag") as error:
        read_bag(tmp_path / "none.mcap")
    assert "\n" not in str(error.value)


def test_bag_without_a_camera_names_the_missing_topic(tmp_path):
    recording = RecordingBuilder().add("/chatter", twist_stamped(0))
    with pytest.raises(BagError, match=r"no camera .* the bag has /chatter"):
        read_bag(recording.write(tmp_path / "bag"))


def test_pictures_of_several_sizes_raise_an_error(tmp_path):
    recording = flight().add(CAMERA, image(STEP_NS * 9))
    with pytest.raises(BagError, match="pictures, features and neurons of one size, got several"):
        read_bag(recording.write(tmp_path / "bag"))


def test_losses_are_counted(tmp_path):
    recording = flight().add(CAMERA, image(STEP_NS * 9, "nonsense"))
    read_bag(recording.write(tmp_path / "bag"), losses := Losses())
    assert {loss.name: number for loss, number in losses.counts.items()} == {"BAD_PICTURE": 1}
