import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mcap.exceptions import EndOfFile
from mcap.reader import make_reader
from mcap.records import Message
from mcap.stream_reader import StreamReader
from rosbags.highlevel import AnyReader
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.typesys import Stores, get_typestore

from liquid_control.bags import BagWriter, Losses, open_bag, read_bag
from liquid_control.bags.writing import BagSink, open_sink
from liquid_control.bags.writing.mcap_writer import FLUSH_S
from liquid_control.bags.writing.messages import command_cdr, imu_cdr
from liquid_control.errors import OutputError
from liquid_control.types import Command

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


def image(index: int):
    data = picture(index).reshape(-1)
    return T["sensor_msgs/msg/Image"](header(index * STEP_NS), 4, 6, "rgb8", 0, 18, data)


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
    zeros = np.zeros(9)
    pose = T["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    rate, force = vector(0.1, 0.2, 0.3), vector(0.0, 0.0, 9.81)
    stamp = header(index * STEP_NS)
    return T["sensor_msgs/msg/Imu"](stamp, pose, zeros, rate, zeros, force, zeros)


def write(path: Path, frames: int = 3) -> None:
    with BagWriter(path, TOPICS) as bag:
        for index in range(frames):
            messages = (image(index), twist(index), neurons(index), imu(index))
            for (topic, kind), message in zip(TOPICS.items(), messages, strict=True):
                raw = bytes(STORE.serialize_cdr(message, kind))
                bag.write(topic, raw, index * STEP_NS)


def test_written_data_is_read_back_by_stamp(tmp_path):
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


def test_message_bytes_are_unchanged(tmp_path):
    write(tmp_path / "flight.mcap", frames=1)
    with AnyReader([tmp_path / "flight.mcap"]) as reader:
        found = {c.topic: (c.msgtype, raw) for c, _, raw in reader.messages()}
    assert found["/cmd_vel"] == (
        "geometry_msgs/msg/TwistStamped",
        bytes(STORE.serialize_cdr(twist(0), "geometry_msgs/msg/TwistStamped")),
    )
    assert set(found) == {f"/{topic}" for topic in TOPICS}


def test_bag_has_its_final_name_once_it_is_closed(tmp_path):
    path = tmp_path / "flight.mcap"
    bag = BagWriter(path, TOPICS)
    assert not path.exists()
    bag.close()
    bag.close()
    assert path.is_file()
    assert [found.name for found in tmp_path.iterdir()] == ["flight.mcap"]


def write_to_unknown_topic(bag: BagSink, raw: bytes) -> None:
    with bag:
        for topic in ("cmd_vel", "unknown"):
            bag.write(topic, raw, STEP_NS)


@pytest.mark.parametrize("name", ["flight.mcap", "flight"])
def test_bag_of_a_failed_writer_keeps_its_partial_name(tmp_path, name):
    raw = bytes(STORE.serialize_cdr(twist(1), TOPICS["cmd_vel"]))
    bag = open_sink(tmp_path / name, TOPICS)
    with pytest.raises(KeyError, match="unknown"):
        write_to_unknown_topic(bag, raw)
    assert not (tmp_path / name).exists()
    partial = open_bag(bag.partial)
    found = list(partial.messages(["/cmd_vel"], Losses()))
    assert [(message.log_ns, bytes(message.data)) for message in found] == [(STEP_NS, raw)]


@pytest.mark.parametrize("name", ["flight.mcap", "flight"])
def test_bag_of_a_flight_that_never_began_is_not_left_behind(tmp_path, name):
    bag = open_sink(tmp_path / name, TOPICS)
    bag.add_metadata("model", {"name": "x"})
    with pytest.raises(KeyError), bag:
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_closed_bag_ignores_messages(tmp_path):
    bag = BagWriter(tmp_path / "flight.mcap", TOPICS)
    bag.close()
    bag.write("cmd_vel", b"", 0)
    with AnyReader([tmp_path / "flight.mcap"]) as reader:
        assert reader.message_count == 0


def test_existing_bag_is_not_overwritten(tmp_path):
    (tmp_path / "flight.mcap").write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"flight\.mcap: exists already"):
        BagWriter(tmp_path / "flight.mcap", TOPICS)
    assert (tmp_path / "flight.mcap").read_bytes() == b"precious"


def test_unwritable_folder_raises_a_one_line_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written \(Not a directory\)"):
        BagWriter(tmp_path / "file" / "flight.mcap", TOPICS)


def numbers(path: Path) -> list[int]:
    """Return the forward velocity, the number of the message, of every /cmd_vel of a bag."""
    return [int(message.twist.linear.x) for message in commands(path)]


def commands(path: Path) -> list:
    bag = open_bag(path)
    raw = bag.messages({"/cmd_vel"}, Losses())
    return [bag.decode(message) for message in raw]


def streamed(path: Path) -> list[int]:
    """Return the same numbers as read by the mcap library without an index, as far as possible."""
    found = []
    with path.open("rb") as file:
        try:
            for record in StreamReader(file, emit_chunks=False).records:
                if isinstance(record, Message):
                    message = STORE.deserialize_cdr(record.data, TOPICS["cmd_vel"])
                    found.append(int(message.twist.linear.x))
        except EndOfFile:
            pass
    return found


def command(number: int) -> bytes:
    return command_cdr(Command(float(number), 0.0, 0.0, 0.0), number * STEP_NS)


RECORD_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from liquid_control.bags import BagWriter
from liquid_control.bags.writing.messages import command_cdr
from liquid_control.types import Command
bag = BagWriter(Path(sys.argv[1]), {"cmd_vel": "geometry_msgs/msg/TwistStamped"},
                metadata={"model": {"name": "x"}}, compression=sys.argv[2])
for number in range(10**6):
    start_s = time.monotonic()
    bag.write("cmd_vel", command_cdr(Command(float(number), 0.0, 0.0, 0.0), number), number)
    print(start_s, flush=True)
    time.sleep(0.002)
"""


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_killed_process_loses_at_most_the_flush_interval(tmp_path, compression):
    path = tmp_path / "flight.mcap"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = subprocess.Popen(
        [sys.executable, "-c", RECORD_UNTIL_KILLED, str(path), compression],
        stdout=subprocess.PIPE,
        env=environment,
    )
    starts_s = [float(child.stdout.readline())]
    while starts_s[-1] < starts_s[0] + 1.3:
        starts_s.append(float(child.stdout.readline()))
    child.kill()
    starts_s += [
        float(line) for line in child.stdout.read().splitlines(keepends=True) if line[-1:] == b"\n"
    ]
    child.wait()
    child.stdout.close()
    assert not path.exists()
    partial = path.with_name("flight.mcap.partial")
    safe = sum(start_s <= starts_s[-1] - FLUSH_S for start_s in starts_s)
    assert safe > 10
    for found in (streamed(partial), numbers(partial)):
        assert found == list(range(len(found)))
        assert len(found) >= safe
    assert open_bag(partial).metadata["model"] == {"name": "x"}


RECORD_UNTIL_FULL = """
import resource, signal, sys
from pathlib import Path
from liquid_control.bags.writing.sink import open_sink
from liquid_control.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
bag = open_sink(Path(sys.argv[1]), {"x": "sensor_msgs/msg/CompressedImage"})
try:
    for number in range(1000):
        bag.write("x", bytes([0, 1, 0, 0]) + bytes(20_000), number)
        bag.flush()
except OutputError as error:
    print(error)
    bag.close()
"""


@pytest.mark.parametrize("name", ["flight.mcap", "flight"])
def test_full_disk_raises_a_one_line_error_and_keeps_the_messages(tmp_path, name):
    """A limit on file size stands in for a full disk."""
    path = tmp_path / name
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    completed = subprocess.run(
        [sys.executable, "-c", RECORD_UNTIL_FULL, str(path)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert completed.stdout.startswith(f"{path}: cannot be written (")
    assert len(completed.stdout.splitlines()) == 1
    assert not path.exists()
    partial = path.with_name("flight.mcap.partial")
    if name == "flight":
        partial = tmp_path / "flight.partial" / "flight" / "flight.db3"
    messages = open_bag(partial).messages({"/x"}, Losses())
    assert 5 < len(list(messages)) < 20


def test_partial_bags_of_other_writers_are_not_modified(tmp_path):
    (tmp_path / "flight.mcap.partial").write_bytes(b"crashed")
    (tmp_path / "flight-2.mcap.partial").write_bytes(b"again")
    with BagWriter(tmp_path / "flight.mcap", TOPICS) as bag:
        assert bag.partial == tmp_path / "flight-3.mcap.partial"
        bag.write("cmd_vel", command(1), 1)
    assert (tmp_path / "flight.mcap.partial").read_bytes() == b"crashed"
    assert (tmp_path / "flight-2.mcap.partial").read_bytes() == b"again"
    assert numbers(tmp_path / "flight.mcap") == [1]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_bag_created_meanwhile_is_not_overwritten(tmp_path, monkeypatch, links):
    if not links:  # as on FAT file systems

        def refuse(source, target):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "flight.mcap"
    bag = BagWriter(path, TOPICS)
    bag.write("cmd_vel", command(7), 7)
    path.write_bytes(b"other")
    with pytest.raises(OutputError, match=r"flight\.mcap: "):
        bag.close()
    assert path.read_bytes() == b"other"
    assert numbers(bag.partial) == [7]


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_chunks_are_compressed_and_carry_their_checksum(tmp_path, compression):
    path = tmp_path / "flight.mcap"
    with BagWriter(path, TOPICS, compression=compression) as bag:
        for number in range(50):
            bag.write("cmd_vel", command(number), number * STEP_NS)
    assert numbers(path) == list(range(50))
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert [chunk.compression for chunk in reader.get_summary().chunk_indexes] == [
            compression if compression != "none" else ""
        ]
        assert len(list(reader.iter_messages())) == 50
    damaged = bytearray(path.read_bytes())
    damaged[900] ^= 0xFF
    path.write_bytes(damaged)
    with path.open("rb") as file, pytest.raises(Exception):  # noqa: B017, PT011
        list(make_reader(file, validate_crcs=True).iter_messages())


def test_metadata_can_be_added_at_any_time(tmp_path):
    path = tmp_path / "flight.mcap"
    with BagWriter(path, TOPICS, metadata={"model": {"name": "trail"}}) as bag:
        bag.write("cmd_vel", command(0), 0)
        bag.add_metadata("parameters/guard_node", {"timeout_s": "0.15"})
        bag.write("cmd_vel", command(1), 1)
    assert dict(open_bag(path).metadata) == {
        "model": {"name": "trail"},
        "parameters/guard_node": {"timeout_s": "0.15"},
    }
    assert numbers(path) == [0, 1]


def test_topics_with_their_own_type_can_be_added_later(tmp_path):
    path = tmp_path / "flight.mcap"
    with BagWriter(path, {}) as bag:
        bag.add_topic("/mine", "my_msgs/msg/Height", "float64 metres\n")
        bag.add_topic("cmd_vel", TOPICS["cmd_vel"])
        bag.write("/mine", bytes([0, 1, 0, 0]) + struct.pack("<d", 2.5), 3)
    bag = open_bag(path)
    (raw,) = bag.messages({"/mine"}, Losses())
    assert (raw.type, raw.log_ns) == ("my_msgs/msg/Height", 3)
    assert bag.decode(raw).metres == 2.5


def test_quality_of_service_is_stored(tmp_path):
    qos = Qos(
        QosHistory.KEEP_LAST,
        5,
        QosReliability.BEST_EFFORT,
        QosDurability.VOLATILE,
        QosTime(1, 0),
        QosTime(2, 0),
        QosLiveliness.AUTOMATIC,
        QosTime(3, 4),
        False,
    )
    with BagWriter(tmp_path / "flight.mcap", {}) as bag:
        bag.add_topic("imu/data", TOPICS["imu/data"], qos=qos)
        bag.write("imu/data", imu_cdr(np.zeros(3), np.zeros(3), 0), 0)
    with AnyReader([tmp_path / "flight.mcap"]) as reader:
        assert reader.connections[0].ext.offered_qos_profiles == [qos]


def test_invalid_names_and_compressions_are_rejected(tmp_path):
    with pytest.raises(OutputError, match=r"expected a name that ends with \.mcap.* got \.bag"):
        open_sink(tmp_path / "flight.bag", TOPICS)
    with pytest.raises(OutputError, match="expected one of none, lz4, zstd, got 'gzip'"):
        BagWriter(tmp_path / "flight.mcap", TOPICS, compression="gzip")
    with pytest.raises(OutputError, match="expected one of none, zstd for a rosbag2 folder"):
        open_sink(tmp_path / "flight", TOPICS, compression="lz4")
    with pytest.raises(OutputError, match="my_msgs/msg/Height: is not one of ROS 2's common"):
        BagWriter(tmp_path / "flight.mcap", {"x": "my_msgs/msg/Height"})
