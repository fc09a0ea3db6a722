import os
import struct
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from threading import Event

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

from liquid_control.bags import BagWriter, Losses, read_bag
from liquid_control.bags.bag import open_bag
from liquid_control.bags.writing.background_writer import BackgroundBag
from liquid_control.bags.writing.mcap_writer import FLUSH_S
from liquid_control.bags.writing.messages import command_cdr, imu_cdr
from liquid_control.bags.writing.sink import BagSink, open_sink
from liquid_control.bags.writing.sqlite_writer import SqliteBagWriter
from liquid_control.errors import OutputError
from liquid_control.provenance import model_fingerprint
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
    nothing = np.zeros(9)
    pose = T["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
    rate, force = vector(0.1, 0.2, 0.3), vector(0.0, 0.0, 9.81)
    stamp = header(index * STEP_NS)
    return T["sensor_msgs/msg/Imu"](stamp, pose, nothing, rate, nothing, force, nothing)


def write(path: Path, frames: int = 3) -> None:
    with BagWriter(path, TOPICS) as bag:
        for index in range(frames):
            messages = (image(index), twist(index), neurons(index), imu(index))
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


def write_what_fails(bag: BagSink, raw: bytes) -> None:
    with bag:
        for topic in ("cmd_vel", "unknown"):
            bag.write(topic, raw, STEP_NS)


@pytest.mark.parametrize("name", ["flight.mcap", "flight"])
def test_a_bag_whose_writing_failed_stays_beside_its_place(tmp_path, name):
    raw = bytes(STORE.serialize_cdr(twist(1), TOPICS["cmd_vel"]))
    bag = open_sink(tmp_path / name, TOPICS)
    with pytest.raises(KeyError, match="unknown"):
        write_what_fails(bag, raw)
    assert not (tmp_path / name).exists()
    left = open_bag(bag.partial)
    found = list(left.messages(["/cmd_vel"], Losses()))
    assert [(message.log_ns, bytes(message.data)) for message in found] == [(STEP_NS, raw)]


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


def numbers(path: Path) -> list[int]:
    """Return the x of every /cmd_vel of a bag, as its messages are numbered here."""
    return [int(message.twist.linear.x) for message in commands(path)]


def commands(path: Path) -> list:
    bag = open_bag(path)
    raw = bag.messages({"/cmd_vel"}, Losses())
    return [bag.decode(message) for message in raw]


def streamed(path: Path) -> list[int]:
    """Return the same as the mcap library reads it without an index, as far as the file goes."""
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


def order(number: int) -> bytes:
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
    began_s = time.monotonic()
    bag.write("cmd_vel", command_cdr(Command(float(number), 0.0, 0.0, 0.0), number), number)
    print(began_s, flush=True)
    time.sleep(0.002)
"""


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_killed_process_leaves_all_but_the_last_half_second(tmp_path, compression):
    path = tmp_path / "flight.mcap"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = subprocess.Popen(
        [sys.executable, "-c", RECORD_UNTIL_KILLED, str(path), compression],
        stdout=subprocess.PIPE,
        env=environment,
    )
    began = [float(child.stdout.readline())]
    while began[-1] < began[0] + 1.3:
        began.append(float(child.stdout.readline()))
    child.kill()
    began += [
        float(line) for line in child.stdout.read().splitlines(keepends=True) if line[-1:] == b"\n"
    ]
    child.wait()
    child.stdout.close()
    assert not path.exists()
    partial = path.with_name("flight.mcap.partial")
    safe = sum(began_s <= began[-1] - FLUSH_S for began_s in began)
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
def test_a_full_disk_is_one_line_and_what_was_written_stays(tmp_path, name):
    """A file that may not grow refuses bytes as a full disk does."""
    path = tmp_path / name
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", RECORD_UNTIL_FULL, str(path)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout.startswith(f"{path}: cannot be written (")
    assert len(done.stdout.splitlines()) == 1
    assert not path.exists()
    partial = path.with_name("flight.mcap.partial")
    if name == "flight":
        partial = tmp_path / "flight.partial" / "flight" / "flight.db3"
    messages = open_bag(partial).messages({"/x"}, Losses())
    assert 5 < len(list(messages)) < 20


def test_what_somebody_left_behind_is_not_touched(tmp_path):
    (tmp_path / "flight.mcap.partial").write_bytes(b"crashed")
    (tmp_path / "flight-2.mcap.partial").write_bytes(b"again")
    with BagWriter(tmp_path / "flight.mcap", TOPICS) as bag:
        assert bag.partial == tmp_path / "flight-3.mcap.partial"
        bag.write("cmd_vel", order(1), 1)
    assert (tmp_path / "flight.mcap.partial").read_bytes() == b"crashed"
    assert (tmp_path / "flight-2.mcap.partial").read_bytes() == b"again"
    assert numbers(tmp_path / "flight.mcap") == [1]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_a_bag_made_meanwhile_is_not_overwritten(tmp_path, monkeypatch, links):
    if not links:  # as on a memory card's file system

        def refuse(source, target):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "flight.mcap"
    bag = BagWriter(path, TOPICS)
    bag.write("cmd_vel", order(7), 7)
    path.write_bytes(b"theirs")
    with pytest.raises(OutputError, match=r"flight\.mcap: "):
        bag.close()
    assert path.read_bytes() == b"theirs"
    assert numbers(bag.partial) == [7]


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_chunks_are_compressed_and_carry_their_checksum(tmp_path, compression):
    path = tmp_path / "flight.mcap"
    with BagWriter(path, TOPICS, compression=compression) as bag:
        for number in range(50):
            bag.write("cmd_vel", order(number), number * STEP_NS)
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


def test_metadata_may_come_at_any_time(tmp_path):
    path = tmp_path / "flight.mcap"
    with BagWriter(path, TOPICS, metadata={"model": {"name": "trail"}}) as bag:
        bag.write("cmd_vel", order(0), 0)
        bag.add_metadata("parameters/guard_node", {"timeout_s": "0.15"})
        bag.write("cmd_vel", order(1), 1)
    assert dict(open_bag(path).metadata) == {
        "model": {"name": "trail"},
        "parameters/guard_node": {"timeout_s": "0.15"},
    }
    assert numbers(path) == [0, 1]


def test_topics_may_be_announced_later_with_a_type_of_their_own(tmp_path):
    path = tmp_path / "flight.mcap"
    with BagWriter(path, {}) as bag:
        bag.add_topic("/mine", "my_msgs/msg/Height", "float64 metres\n")
        bag.add_topic("cmd_vel", TOPICS["cmd_vel"])
        bag.write("/mine", bytes([0, 1, 0, 0]) + struct.pack("<d", 2.5), 3)
    bag = open_bag(path)
    (raw,) = bag.messages({"/mine"}, Losses())
    assert (raw.type, raw.log_ns) == ("my_msgs/msg/Height", 3)
    assert bag.decode(raw).metres == 2.5


def test_a_player_is_told_the_quality_of_service(tmp_path):
    offer = Qos(
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
        bag.add_topic("imu/data", TOPICS["imu/data"], qos=offer)
        bag.write("imu/data", imu_cdr(np.zeros(3), np.zeros(3), 0), 0)
    with AnyReader([tmp_path / "flight.mcap"]) as reader:
        assert reader.connections[0].ext.offered_qos_profiles == [offer]


def test_a_rosbag2_folder_is_written_for_a_name_without_suffix(tmp_path):
    path = tmp_path / "flight"
    bag = open_sink(path, TOPICS, compression="zstd")
    assert isinstance(bag, SqliteBagWriter)
    bag.add_metadata("model", {"name": "trail"})
    for number in range(20):
        bag.write("cmd_vel", order(number), number * STEP_NS)
    bag.close()
    bag.close()
    assert sorted(found.name for found in path.iterdir()) == ["flight.db3", "metadata.yaml"]
    assert [found.name for found in tmp_path.iterdir()] == ["flight"]
    with AnyReader([path]) as reader:
        assert reader.message_count == 20
    assert numbers(path) == list(range(20))
    assert open_bag(path).metadata["custom_data"] == {"model/name": "trail"}
    with pytest.raises(OutputError, match="exists already"):
        open_sink(path, TOPICS)


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%20b"])
def test_a_path_that_sqlite_would_take_for_another_is_refused(tmp_path, name):
    with pytest.raises(OutputError, match=r"where the path has \?, # or %"):
        open_sink(tmp_path / name, TOPICS)
    assert list(tmp_path.iterdir()) == []
    with open_sink(tmp_path / f"{name}.mcap", TOPICS) as bag:
        bag.write("cmd_vel", order(1), 1)
    assert numbers(tmp_path / f"{name}.mcap") == [1]


def test_other_names_and_compressions_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"expected a name that ends with \.mcap.* got \.bag"):
        open_sink(tmp_path / "flight.bag", TOPICS)
    with pytest.raises(OutputError, match="expected one of none, lz4, zstd, got 'gzip'"):
        BagWriter(tmp_path / "flight.mcap", TOPICS, compression="gzip")
    with pytest.raises(OutputError, match="expected one of none, zstd for a rosbag2 folder"):
        open_sink(tmp_path / "flight", TOPICS, compression="lz4")
    with pytest.raises(OutputError, match="my_msgs/msg/Height: is none of ROS 2's common"):
        BagWriter(tmp_path / "flight.mcap", {"x": "my_msgs/msg/Height"})


@pytest.mark.parametrize("name", ["flight.mcap", "flight"])
def test_a_background_bag_files_in_order_and_refuses_what_finds_no_room(tmp_path, name):
    gate = Event()

    def slow(topic: str, cdr: bytes) -> tuple[str, bytes]:
        gate.wait(60.0)
        return topic, cdr

    bag = BackgroundBag(
        lambda: open_sink(tmp_path / name, TOPICS),
        lambda _: slow,
        capacity_bytes=3 * len(order(0)),
    )
    accepted = [bag.write("cmd_vel", order(number), number) for number in range(5)]
    assert accepted == [True, True, True, False, False]
    bag.add_metadata("model", {"name": "trail"})
    gate.set()
    bag.close()
    assert bag.written == 3
    assert numbers(tmp_path / name) == [0, 1, 2]


def test_a_background_bag_that_fails_says_so(tmp_path):
    bag = BackgroundBag(lambda: open_sink(tmp_path / "flight.mcap", TOPICS))
    bag.write("nowhere", b"", 0)
    with pytest.raises(OutputError, match=r"the bag ended early \(KeyError\('nowhere'\)\)"):
        bag.close()
    assert bag.error is not None
    with pytest.raises(OutputError, match=r"expected a name that ends with \.mcap"):
        BackgroundBag(lambda: open_sink(tmp_path / "flight.bag", TOPICS))


def test_the_mark_of_a_model_is_the_hash_of_its_files(tmp_path):
    (tmp_path / "model.yaml").write_text("name: trail\n")
    (tmp_path / "weights.npz").write_bytes(b"abc")
    mark = model_fingerprint(tmp_path)
    assert mark["name"] == "trail"
    assert mark["sha256 weights.npz"] == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert mark["sha256 model.yaml"] == sha256(b"name: trail\n").hexdigest()
    with pytest.raises(OutputError, match="expected a model folder"):
        model_fingerprint(tmp_path / "none")
