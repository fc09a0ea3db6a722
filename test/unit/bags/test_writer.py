from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from liquid_control.bags import BagWriter, read_bag
from liquid_control.errors import OutputError

pytestmark = pytest.mark.unit

STORE = get_typestore(Stores.ROS2_JAZZY)
T = STORE.types
TOPICS = {
    "camera/image_raw": "sensor_msgs/msg/Image",
    "cmd_vel": "geometry_msgs/msg/TwistStamped",
    "policy/neurons": "sensor_msgs/msg/JointState",
    "imu/data": "sensor_msgs/msg/Imu",
}
STEP_NS = 50_000_000


def header(stamp_ns: int):
    time = T["builtin_interfaces/msg/Time"](stamp_ns // 10**9, stamp_ns % 10**9)
    return T["std_msgs/msg/Header"](time, "")


def vector(x: float, y: float, z: float):
    return T["geometry_msgs/msg/Vector3"](x, y, z)


def picture(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def image(index: int, encoding: str = "rgb8"):
    data = picture(index).reshape(-1)
    return T["sensor_msgs/msg/Image"](header(index * STEP_NS), 4, 6, encoding, 0, 18, data)


def twist(index: int):
    value = T["geometry_msgs/msg/Twist"](vector(index, 0.1, 0.2), vector(0.0, 0.0, 0.3))
    return T["geometry_msgs/msg/TwistStamped"](header(index * STEP_NS), value)


def neurons(index: int):
    return T["sensor_msgs/msg/JointState"](
        header(index * STEP_NS),
        ["a", "b"],
        np.array([0.5, -0.5]),
        np.array([0.1, 0.9]),
        np.empty(0),
    )


def imu(index: int):
    nothing = np.zeros(9)
    pose = T["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    rate, force = vector(0.1, 0.2, 0.3), vector(0.0, 0.0, 9.81)
    stamp = header(index * STEP_NS)
    return T["sensor_msgs/msg/Imu"](stamp, pose, nothing, rate, nothing, force, nothing)


def write(path: Path, frames: int = 3, encoding: str = "rgb8") -> None:
    with BagWriter(path, TOPICS) as bag:
        for index in range(frames):
            messages = (image(index, encoding), twist(index), neurons(index), imu(index))
            for (topic, kind), message in zip(TOPICS.items(), messages, strict=True):
                raw = bytes(STORE.serialize_cdr(message, kind))
                bag.write(topic, raw, index * STEP_NS)


def test_what_was_written_is_read_back_by_stamp(tmp_path):
    write(tmp_path / "flight.mcap")
    bag = read_bag(tmp_path / "flight.mcap")
    stamps = [0, STEP_NS, 2 * STEP_NS]
    assert bag.frames.stamp_ns.tolist() == stamps
    np.testing.assert_array_equal(bag.frames.values, [picture(index) for index in range(3)])
    assert bag.commands.stamp_ns.tolist() == stamps
    assert bag.commands.values.tolist() == [[float(index), 0.1, 0.2, 0.3] for index in range(3)]
    assert bag.neuron_names == ("a", "b")
    assert bag.states.values.tolist() == [[0.5, -0.5]] * 3
    assert bag.gates.values.tolist() == [[0.1, 0.9]] * 3
    assert bag.imu.angular_velocity.tolist() == [[0.1, 0.2, 0.3]] * 3
    assert len(bag.features.stamp_ns) == 0


def test_the_bytes_come_back_as_they_went_in(tmp_path):
    write(tmp_path / "flight.mcap", frames=1)
    with AnyReader([tmp_path / "flight.mcap"]) as reader:
        found = {c.topic: (c.msgtype, raw) for c, _, raw in reader.messages()}
    assert found["/cmd_vel"] == (
        "geometry_msgs/msg/TwistStamped",
        bytes(STORE.serialize_cdr(twist(0), "geometry_msgs/msg/TwistStamped")),
    )
    assert set(found) == {f"/{topic}" for topic in TOPICS}


def test_a_bag_stands_in_its_place_only_once_it_is_closed(tmp_path):
    path = tmp_path / "flight.mcap"
    bag = BagWriter(path, TOPICS)
    assert not path.exists()
    bag.close()
    bag.close()
    assert path.is_file()
    assert [found.name for found in tmp_path.iterdir()] == ["flight.mcap"]


def test_a_closed_bag_takes_nothing_more(tmp_path):
    bag = BagWriter(tmp_path / "flight.mcap", TOPICS)
    bag.close()
    bag.write("cmd_vel", b"", 0)
    with AnyReader([tmp_path / "flight.mcap"]) as reader:
        assert reader.message_count == 0


def test_a_bag_is_not_overwritten(tmp_path):
    (tmp_path / "flight.mcap").write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"flight\.mcap: exists already"):
        BagWriter(tmp_path / "flight.mcap", TOPICS)
    assert (tmp_path / "flight.mcap").read_bytes() == b"precious"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written \(Not a directory\)"):
        BagWriter(tmp_path / "file" / "flight.mcap", TOPICS)


@pytest.mark.parametrize("cut", [0, 7, 500, -20])
def test_a_damaged_bag_is_one_line(tmp_path, cut):
    write(tmp_path / "whole.mcap")
    damaged = tmp_path / "damaged.mcap"
    damaged.write_bytes((tmp_path / "whole.mcap").read_bytes()[:cut])
    with pytest.raises(OutputError, match=r"damaged\.mcap: is not a readable bag") as error:
        read_bag(damaged)
    assert "\n" not in str(error.value)


def test_a_bag_that_is_missing_is_one_line(tmp_path):
    with pytest.raises(OutputError, match=r"none\.mcap: expected a bag"):
        read_bag(tmp_path / "none.mcap")


def test_a_bag_without_a_flight_names_what_it_lacks(tmp_path):
    write(tmp_path / "empty.mcap", frames=0)
    with pytest.raises(OutputError, match="lacks messages on /camera/image_raw, /cmd_vel"):
        read_bag(tmp_path / "empty.mcap")


def test_pictures_in_another_encoding_are_refused(tmp_path):
    write(tmp_path / "flight.mcap", encoding="bgr8")
    with pytest.raises(OutputError, match="expected rgb8 pictures, got 'bgr8'"):
        read_bag(tmp_path / "flight.mcap")
