"""Small bags in every format, and the offsets of their records."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Rosbag2Writer
from rosbags.typesys import Stores, get_typestore

from liquid_control.bags import Losses, open_bag
from liquid_control.bags.storage.part import RawMessage

STORE = get_typestore(Stores.ROS2_JAZZY)
T = STORE.types
START_NS = 1_700_000_000 * 10**9
STEP_NS = 10**7
IMU, CAMERA, NEURONS, COMMAND = "/imu/data", "/camera/image_raw", "/policy/neurons", "/cmd_vel"
TYPES = {
    IMU: "sensor_msgs/msg/Imu",
    CAMERA: "sensor_msgs/msg/Image",
    NEURONS: "sensor_msgs/msg/JointState",
    COMMAND: "geometry_msgs/msg/TwistStamped",
}
FORMATS = ("none", "lz4", "zstd")


class Written(NamedTuple):
    topic: str
    log_ns: int
    data: bytes


def header(stamp_ns: int):
    time = T["builtin_interfaces/msg/Time"](stamp_ns // 10**9, stamp_ns % 10**9)
    return T["std_msgs/msg/Header"](time, "base_link")


def content(topic: str, index: int, stamp_ns: int):
    vector = T["geometry_msgs/msg/Vector3"](float(index), 0.5, -1.0)
    if topic == IMU:
        level = T["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
        zeros = np.zeros(9)
        return T[TYPES[IMU]](header(stamp_ns), level, zeros, vector, zeros, vector, zeros)
    if topic == CAMERA:
        data = np.random.default_rng(index).integers(0, 256, 4 * 6 * 3, dtype=np.uint8)
        return T[TYPES[CAMERA]](header(stamp_ns), 4, 6, "rgb8", 0, 18, data)
    if topic == NEURONS:
        states = np.linspace(0.0, index, 3)
        return T[TYPES[NEURONS]](header(stamp_ns), ["a", "b", "c"], states, states, states)
    return T[TYPES[COMMAND]](header(stamp_ns), T["geometry_msgs/msg/Twist"](vector, vector))


def message(topic: str, index: int, log_ns: int) -> Written:
    cdr = STORE.serialize_cdr(content(topic, index, log_ns), TYPES[topic])
    return Written(topic, log_ns, bytes(cdr))


def flight(count: int = 40) -> list[Written]:
    """Return messages of four topics, in order of time, with distinct times."""
    topics = (IMU, IMU, CAMERA, IMU, NEURONS, COMMAND)
    return [message(topics[i % 6], i, START_NS + i * STEP_NS) for i in range(count)]


def write_mcap(
    path: Path,
    messages: Sequence[Written],
    compression: str = "none",
    chunk_size: int = 1500,
    definitions: dict[str, str] | None = None,
    encoding: str = "ros2msg",
    **options,
) -> Path:
    with path.open("wb") as stream:
        kind = CompressionType[compression.upper()]
        writer = Writer(stream, chunk_size=chunk_size, compression=kind, **options)
        writer.start("ros2", "test")
        writer.add_metadata("flight", {"seed": "3"})
        channels = {}
        for topic in dict.fromkeys(written.topic for written in messages):
            name = TYPES.get(topic, topic.strip("/"))
            text = (definitions or {}).get(topic)
            if text is None:
                text = STORE.generate_msgdef(name, ros_version=2)[0]
            schema = writer.register_schema(name, encoding, text.encode())
            channels[topic] = writer.register_channel(topic, "cdr", schema)
        for written in messages:
            writer.add_message(
                channels[written.topic], written.log_ns, written.data, written.log_ns
            )
        writer.finish()
    return path


def write_rosbag2(
    folder: Path,
    messages: Sequence[Written],
    plugin: StoragePlugin = StoragePlugin.SQLITE3,
    mode: CompressionMode = CompressionMode.NONE,
) -> Path:
    writer = Rosbag2Writer(folder, version=9, storage_plugin=plugin)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    writer.set_custom_data("seed", "3")
    with writer:
        connections = {}
        for written in messages:
            if written.topic not in connections:
                connections[written.topic] = writer.add_connection(
                    written.topic, TYPES[written.topic], typestore=STORE
                )
            writer.write(connections[written.topic], written.log_ns, written.data)
    return folder


def read(path, topics=None, start_ns=None) -> tuple[list[RawMessage], Losses]:
    bag = open_bag(path)
    losses = Losses()
    names = list(bag.topics) if topics is None else topics
    return list(bag.messages(names, losses, start_ns)), losses


def plain(messages) -> list[Written]:
    return [Written(message.topic, message.log_ns, bytes(message.data)) for message in messages]


def chunk_indexes(path: Path):
    """Return the chunk indexes of a complete file, in the order of the file."""
    with path.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    return sorted(summary.chunk_indexes, key=lambda chunk: chunk.chunk_start_offset)


def records(path: Path) -> list[tuple[int, int, int]]:
    """Return opcode, offset and end of the records of a complete file, except those in chunks."""
    data = path.read_bytes()
    found, position = [], 8
    while position < len(data) - 8:
        opcode, length = struct.unpack_from("<BQ", data, position)
        found.append((opcode, position, position + 9 + length))
        position += 9 + length
    return found


def changed(path: Path, name: str, *edits: tuple[int, bytes]) -> Path:
    """Write a copy with other bytes at some offsets."""
    data = bytearray(path.read_bytes())
    for offset, new in edits:
        data[offset : offset + len(new)] = new
    return written(path, name, data)


def written(path: Path, name: str, data: bytes | bytearray) -> Path:
    target = path.with_name(name)
    target.write_bytes(data)
    return target
