"""Files of other recorders: names, types and encodings, copies of parts, and foreign logs."""

import shutil
from pathlib import Path

import pytest
import zstandard
from bag_files import (
    CAMERA,
    IMU,
    START_NS,
    STORE,
    TYPES,
    Written,
    flight,
    message,
    plain,
    read,
    write_mcap,
    write_rosbag2,
)
from mcap.writer import Writer
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from liquid_control.bags import Role, find_roles, load_rules, open_bag, resolve, survey_bag
from liquid_control.errors import BagError

pytestmark = pytest.mark.unit
MESSAGES = flight()
ROOT = Path(__file__).resolve().parents[4]
REAL = ROOT.parent / "shared" / "real" / "bags" / "amber_soccer_goal_12.mcap"


def write_other(path, rows, types=None, encodings=None):
    """Write an MCAP file with given type names and encodings by topic."""
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start("", "test")
        channels = {}
        for topic in dict.fromkeys(row.topic for row in rows):
            kind = TYPES.get(f"/{topic.strip('/')}", "std_msgs/msg/String")
            text = STORE.generate_msgdef(kind, ros_version=2)[0]
            name = (types or {}).get(topic, kind)
            schema = writer.register_schema(name, "ros2msg", text.encode())
            encoding = (encodings or {}).get(topic, "cdr")
            channels[topic] = writer.register_channel(topic, encoding, schema)
        for row in rows:
            writer.add_message(channels[row.topic], row.log_ns, row.data, row.log_ns)
        writer.finish()
    return path


def bare(rows):
    return [row._replace(topic=row.topic.lstrip("/")) for row in rows]


def test_names_without_a_slash_and_short_types_are_completed(tmp_path):
    short = {row.topic: TYPES[f"/{row.topic}"].replace("/msg/", "/") for row in bare(MESSAGES)}
    path = write_other(tmp_path / "a.mcap", bare(MESSAGES), short)
    messages, losses = read(path)
    assert plain(messages) == MESSAGES
    assert [found.type for found in messages] == [TYPES[row.topic] for row in MESSAGES]
    assert losses.lines() == []
    bag = open_bag(str(path))
    assert resolve(bag, load_rules()).topic("camera") == CAMERA
    assert bag.decode(messages[0]).header.frame_id == "base_link"


def test_advice_for_a_name_without_a_slash_can_be_followed(tmp_path):
    rows = [message(IMU, 1, START_NS)._replace(topic=name) for name in ("a/imu", "b/imu")]
    rows.append(message(CAMERA, 1, START_NS + 1)._replace(topic="nose"))
    types = {"a/imu": TYPES[IMU], "b/imu": TYPES[IMU], "nose": TYPES[CAMERA]}
    bag = open_bag(write_other(tmp_path / "a.mcap", rows, types))
    problem = find_roles(bag.topics, load_rules())[Role.IMU].problem
    given_flag = problem.partition("--topic ")[2].partition(",")[0]
    role, _, topic = given_flag.partition("=")
    assert (role, topic) == ("imu", "/a/imu")
    for given in (topic, topic.lstrip("/")):
        assert resolve(bag, load_rules((), {role: given})).topic("imu") == "/a/imu"


def test_sqlite_names_and_types_are_completed(tmp_path):
    import sqlite3

    folder = write_rosbag2(tmp_path / "bag", MESSAGES)
    (file,) = folder.glob("*.db3")
    with sqlite3.connect(file) as database:
        database.execute("UPDATE topics SET name = ltrim(name, '/')")
        database.execute("UPDATE topics SET type = replace(type, '/msg/', '/')")
    messages, _ = read(folder)
    assert plain(messages) == MESSAGES
    assert {found.type for found in messages} == {TYPES[row.topic] for row in MESSAGES}


@pytest.mark.parametrize(
    ("encoding", "kind", "advice"),
    [
        ("json", "foxglove.RawImage", "not read: the json messages on /cam (foxglove.RawImage)"),
        ("protobuf", "", "not read: the protobuf messages on /cam (no type)"),
        ("ros1", "sensor_msgs/Image", "`rosbags-convert --src FILE.bag --dst FOLDER`"),
    ],
)
def test_foreign_channels_are_named_and_are_no_losses(tmp_path, encoding, kind, advice):
    rows = [*MESSAGES, Written("/cam", START_NS + 5, b'{"data": ""}')]
    path = write_other(tmp_path / "a.mcap", rows, {"/cam": kind}, {"/cam": encoding})
    bag = open_bag(path)
    assert resolve(bag, load_rules()).topic("camera") == CAMERA
    found = survey_bag(bag, load_rules())
    assert found.losses.counts == {}
    assert any(advice in line for line in found.losses.warnings)
    assert found.traffic["/cam"].count == 1
    with pytest.raises(BagError, match=f"--topic camera=/cam: .* ROS 2, got {encoding}"):
        resolve(bag, load_rules((), {"camera": "/cam"}))


def test_recording_of_only_foreign_channels_says_what_they_are(tmp_path):
    rows = [Written("/cam", START_NS + 5, b"{}")]
    path = write_other(tmp_path / "a.mcap", rows, {"/cam": "x.Image"}, {"/cam": "json"})
    with pytest.raises(BagError, match=r"no camera .*the json messages on /cam \(x\.Image\)"):
        resolve(open_bag(path), load_rules())


@pytest.mark.parametrize(
    ("head", "advice"),
    [
        (b"ULog\x01\x12\x35\x01", "is a PX4 ULog, .* `ulog2ros2bag` of pyulog"),
        (b"\xa3\x95\x80\x80\x59FMT", r"ArduPilot DataFlash log \(\.bin\), .*`mavlogdump\.py"),
        (
            (1_700_000_000 * 10**6).to_bytes(8, "big") + b"\xfd\x09\x00",
            r"a MAVLink telemetry log \(\.tlog\), .*`mavlogdump\.py",
        ),
    ],
)
def test_logs_of_autopilots_are_named_with_the_tool_that_converts_them(tmp_path, head, advice):
    path = tmp_path / "flight.log"
    path.write_bytes(head + bytes(100))
    with pytest.raises(BagError, match=advice) as refused:
        open_bag(path)
    assert "\n" not in str(refused.value)


def packed(folder, keep=True):
    """Return a folder whose part was decompressed next to its compressed file."""
    bag = write_rosbag2(folder, MESSAGES, StoragePlugin.SQLITE3, CompressionMode.FILE)
    (file,) = bag.glob("*.db3.zstd")
    plain_file = file.with_suffix("")
    plain_file.write_bytes(
        zstandard.ZstdDecompressor().decompress(file.read_bytes(), max_output_size=2**24)
    )
    if not keep:
        file.unlink()
    return bag, file, plain_file


def test_copies_of_a_part_are_read_once_as_the_metadata_lists_them(tmp_path):
    bag, file, plain_file = packed(tmp_path / "bag")
    messages, losses = read(bag)
    assert plain(messages) == MESSAGES
    assert open_bag(bag).parts == (file,)
    assert losses.lines() == [
        f"warning: {plain_file}: is not read; {file.name} holds the same part of the recording"
    ]
    (bag / "metadata.yaml").unlink()
    assert plain(read(bag)[0]) == MESSAGES
    assert open_bag(bag).parts == (plain_file,)


def test_decompressed_part_replaces_the_listed_one(tmp_path):
    bag, _, plain_file = packed(tmp_path / "bag", keep=False)
    messages, losses = read(bag)
    assert plain(messages) == MESSAGES
    assert open_bag(bag).parts == (plain_file,)
    assert losses.lines() == []


def test_copies_and_repeated_paths_are_read_once(tmp_path):
    _, file, plain_file = packed(tmp_path / "bag")
    for paths in ([file, plain_file], [plain_file, file], [file, file]):
        assert plain(read(paths)[0]) == MESSAGES


def test_parts_in_both_formats_are_read_once(tmp_path):
    folder = write_rosbag2(tmp_path / "bag", MESSAGES)
    (file,) = folder.glob("*.db3")
    write_mcap(file.with_suffix(".mcap"), MESSAGES)
    messages, losses = read(folder)
    assert plain(messages) == MESSAGES
    assert open_bag(folder).parts == (file,)
    assert len(losses.warnings) == 1


def test_parts_of_one_name_in_two_folders_are_two_parts(tmp_path):
    write_mcap(tmp_path / "a.mcap", MESSAGES[:20])
    (tmp_path / "b").mkdir()
    write_mcap(tmp_path / "b" / "a.mcap", MESSAGES[20:])
    paths = [tmp_path / "a.mcap", tmp_path / "b" / "a.mcap"]
    assert plain(read(paths)[0]) == MESSAGES


def test_recording_of_another_recorder_with_short_types(tmp_path):
    if not REAL.exists():
        pytest.skip("the folder shared/real with recordings of others is not here")
    path = shutil.copy(REAL, tmp_path / "bag.mcap")
    bag = open_bag(path)
    assert bag.topics[CAMERA].type == TYPES[CAMERA]
    found = survey_bag(bag, load_rules())
    assert found.content.frames == 2
    assert found.losses.counts == {}
