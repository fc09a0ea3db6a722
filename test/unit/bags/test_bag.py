"""Complete bags of every format return the written messages, as rosbags' own reader does."""

import gc
import tempfile
from pathlib import Path

import numpy as np
import pytest
from bag_files import (
    CAMERA,
    COMMAND,
    FORMATS,
    IMU,
    NEURONS,
    START_NS,
    STEP_NS,
    STORE,
    TYPES,
    Written,
    content,
    flight,
    message,
    plain,
    read,
    write_mcap,
    write_rosbag2,
    written,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.writer import Writer
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from liquid_control.bags import Excerpt, Loss, Losses, open_bag
from liquid_control.bags.decoding.stamps import own_stamp
from liquid_control.bags.storage.part import RawMessage
from liquid_control.errors import BagError

pytestmark = pytest.mark.unit
MESSAGES = flight()


@pytest.mark.parametrize("compression", FORMATS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_chunking": False},
        {"enable_crcs": False},
        {"use_statistics": False},
        {"repeat_channels": False, "repeat_schemas": False},
    ],
    ids=["complete", "unchunked", "without-crc", "without-statistics", "without-channels"],
)
def test_mcap_files_return_the_written_messages(tmp_path, compression, options):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, compression, **options)
    messages, losses = read(path)
    assert plain(messages) == MESSAGES
    assert losses.counts == {}
    assert [m.type for m in messages] == [TYPES[m.topic] for m in messages]


@pytest.mark.parametrize("plugin", StoragePlugin)
@pytest.mark.parametrize(
    "mode", [CompressionMode.NONE, CompressionMode.FILE, CompressionMode.MESSAGE]
)
def test_rosbag2_folders_return_the_written_messages(tmp_path, plugin, mode):
    path = write_rosbag2(tmp_path / "bag", MESSAGES, plugin, mode)
    messages, losses = read(path)
    assert plain(messages) == MESSAGES
    assert losses.counts == {}
    assert open_bag(path).metadata["custom_data"] == {"seed": "3"}


def test_bag_attributes_describe_its_contents(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES)
    bag = open_bag(path)
    assert {name: info.count for name, info in bag.topics.items()} == {
        IMU: 21, CAMERA: 7, NEURONS: 6, COMMAND: 6
    }  # fmt: skip
    assert {name: info.type for name, info in bag.topics.items()} == TYPES
    assert bag.topics[IMU].definition.startswith("std_msgs/Header header")
    assert (bag.start_ns, bag.end_ns) == (MESSAGES[0].log_ns, MESSAGES[-1].log_ns)
    assert bag.metadata == {"flight": {"seed": "3"}}
    assert (bag.path, bag.parts) == (path, (path,))
    assert bag.size_bytes == path.stat().st_size


@pytest.mark.parametrize("chunked", [True, False])
def test_messages_are_filtered_by_topic_and_start(tmp_path, chunked):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, use_chunking=chunked)
    start_ns = START_NS + 10 * STEP_NS
    messages, losses = read(path, [CAMERA, COMMAND], start_ns)
    expected = [m for m in MESSAGES if m.topic in (CAMERA, COMMAND) and m.log_ns >= start_ns]
    assert plain(messages) == expected
    assert losses.counts == {}


def test_format_is_detected_by_content(tmp_path):
    mcap = write_mcap(tmp_path / "a.mcap", MESSAGES).rename(tmp_path / "a.bag")
    (db3,) = write_rosbag2(tmp_path / "bag", MESSAGES).glob("*.db3")
    renamed = db3.rename(tmp_path / "b.mcap")
    assert plain(read(mcap)[0]) == plain(read(renamed)[0]) == MESSAGES


def test_parts_in_any_order_are_one_recording(tmp_path):
    first = write_mcap(tmp_path / "1.mcap", MESSAGES[:25])
    second = write_mcap(tmp_path / "2.mcap", MESSAGES[15:], "zstd")
    (third,) = write_rosbag2(tmp_path / "bag", [message(IMU, 99, START_NS + 1)]).glob("*.db3")
    messages, losses = read([second, third, first])
    expected = sorted(
        [*MESSAGES[:25], *MESSAGES[15:], message(IMU, 99, START_NS + 1)],
        key=lambda written: written.log_ns,
    )
    assert plain(messages) == expected
    assert losses.counts == {}
    bag = open_bag([second, third, first])
    assert bag.topics[IMU].count == sum(m.topic == IMU for m in expected)
    assert bag.start_ns == START_NS


def test_folder_without_valid_metadata_is_read(tmp_path):
    folder = write_rosbag2(tmp_path / "bag", MESSAGES, StoragePlugin.MCAP)
    (folder / "metadata.yaml").unlink()
    assert plain(read(folder)[0]) == MESSAGES
    (folder / "metadata.yaml").write_text("rosbag2_bagfile_information: [no, mapping")
    assert plain(read(folder)[0]) == MESSAGES


def test_missing_part_listed_in_metadata_is_counted(tmp_path):
    folder = write_rosbag2(tmp_path / "bag", MESSAGES)
    yaml = folder / "metadata.yaml"
    yaml.write_text(yaml.read_text().replace("- bag.db3", "- bag.db3\n  - bag_1.db3"))
    messages, losses = read(folder)
    assert plain(messages) == MESSAGES
    assert losses.counts == {Loss.MISSING_PART: 1}
    assert "bag_1.db3" in losses.reasons[Loss.MISSING_PART]


def test_unreadable_part_is_counted(tmp_path):
    good = write_mcap(tmp_path / "a.mcap", MESSAGES)
    bad = written(good, "b.mcap", b"nothing of interest")
    messages, losses = read([good, bad, tmp_path / "c.mcap"])
    assert plain(messages) == MESSAGES
    assert losses.counts == {Loss.MISSING_PART: 2}


def test_losses_of_a_part_without_messages_are_counted(tmp_path):
    """A part that is truncated before its first message has no times for sorting."""
    good = write_mcap(tmp_path / "a.mcap", MESSAGES)
    cut = written(good, "b.mcap", good.read_bytes()[:99])
    assert open_bag(cut).start_ns is None
    messages, losses = read([good, cut])
    assert plain(messages) == MESSAGES
    assert losses.counts == {Loss.ENDS_EARLY: 1}


def test_damaged_part_of_a_folder_is_counted(tmp_path):
    write_mcap(tmp_path / "a.mcap", MESSAGES)
    (tmp_path / "b.mcap").write_bytes(b"")
    (tmp_path / "c.db3").write_bytes(bytes(5000))
    (tmp_path / "notes.txt").write_text("windy")
    messages, losses = read(tmp_path)
    assert plain(messages) == MESSAGES
    assert losses.counts == {Loss.MISSING_PART: 2}


def test_topic_with_two_types_has_the_most_frequent_one(tmp_path):
    path = tmp_path / "a.mcap"
    with path.open("wb") as stream:
        writer = Writer(stream)
        writer.start("ros2", "test")
        for name, count in (("std_msgs/msg/String", 0), (TYPES[IMU], 3)):
            text = STORE.generate_msgdef(name, ros_version=2)[0]
            schema = writer.register_schema(name, "ros2msg", text.encode())
            channel = writer.register_channel(IMU, "cdr", schema)
            for index in range(count):
                data = message(IMU, index, START_NS + index).data
                writer.add_message(channel, START_NS + index, data, START_NS + index)
        writer.finish()
    topic = open_bag(path).topics[IMU]
    assert (topic.type, topic.count) == (TYPES[IMU], 3)
    assert topic.definition.startswith("std_msgs/Header header")


@pytest.mark.parametrize("chunk_size", [1, 10**6])
def test_messages_with_equal_times_keep_the_file_order(tmp_path, chunk_size):
    """This also holds if a later chunk starts earlier."""
    messages = [message(IMU, i, START_NS + at) for i, at in enumerate((5, 9, 3, 9, 9, 9, 1, 9))]
    path = write_mcap(tmp_path / "a.mcap", messages, chunk_size=chunk_size)
    assert plain(read(path)[0]) == sorted(messages, key=lambda m: m.log_ns)
    parts = [write_mcap(tmp_path / f"{i}.mcap", messages[i : i + 2]) for i in (0, 2, 4, 6)]
    assert plain(read(parts)[0]) == sorted(messages, key=lambda m: m.log_ns)


@pytest.mark.parametrize("plugin", StoragePlugin)
def test_paths_with_links_spaces_and_special_characters_are_read(tmp_path, plugin):
    folder = tmp_path / "Flüge im März #2 50%20?"
    folder.mkdir()
    bag = write_rosbag2(tmp_path / "bag", MESSAGES, plugin).rename(folder / "bag")
    link = tmp_path / "link"
    link.symlink_to(bag)
    for path in (bag, link):
        messages, losses = read(path)
        assert plain(messages) == MESSAGES
        assert losses.counts == {}


def test_file_compression_leaves_no_temporary_files(tmp_path, monkeypatch):
    folder = write_rosbag2(tmp_path / "bag", MESSAGES, StoragePlugin.SQLITE3, CompressionMode.FILE)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    bag = open_bag(folder)
    assert list(scratch.iterdir()) == []
    stream = bag.messages([IMU], Losses())
    next(stream)
    assert len(list(scratch.iterdir())) == 1
    del stream
    gc.collect()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.mcap", b"", "an empty file"),
        ("a.mcap", b"x" * 40, "40 bytes that are neither"),
        ("a.db3", b"SQLite format 3\x00" + bytes(84), "no tables of messages"),
        ("a.bag", b"#ROSBAG V2.0\n", "rosbags-convert --src"),
    ],
)
def test_other_files_are_rejected_with_a_one_line_error(tmp_path, name, data, expected):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BagError, match=expected) as caught:
        open_bag(path)
    assert "\n" not in str(caught.value)


def test_missing_bags_are_rejected(tmp_path):
    with pytest.raises(BagError, match="found nothing there"):
        open_bag(tmp_path / "none.mcap")
    with pytest.raises(BagError, match=r"folder with \.mcap or \.db3"):
        open_bag(tmp_path)
    with pytest.raises(BagError, match="path of a bag, got none"):
        open_bag([])


def test_decoded_messages_equal_the_serialised_ones(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES)
    bag = open_bag(path)
    for index, raw in enumerate(bag.messages(list(bag.topics), Losses())):
        assert same(bag.decode(raw), content(raw.topic, index, raw.log_ns))


def same(one, other) -> bool:
    return all(
        same(a, b) if hasattr(a, "__msgtype__") else np.array_equal(a, b)
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


def test_own_stamp_reads_serialised_messages():
    stamp_ns = START_NS + 123_456_789
    for topic in TYPES:
        assert own_stamp(TYPES[topic], message(topic, 1, stamp_ns).data) == stamp_ns
    big = STORE.serialize_cdr(content(IMU, 1, stamp_ns), TYPES[IMU], little_endian=False)
    assert own_stamp(TYPES[IMU], bytes(big)) == stamp_ns
    with pytest.raises(BagError, match=r"expected at least 8 bytes.* got 7"):
        own_stamp(TYPES[IMU], bytes(11))
    with pytest.raises(BagError, match="begin with 00 06 00 00"):
        own_stamp(TYPES[IMU], b"\x00\x06" + bytes(20))


@st.composite
def recordings(draw):
    """Draw messages of several topics with times in order, equal or out of order."""
    count = draw(st.integers(1, 25))
    topics = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=count, max_size=count))
    steps = draw(st.lists(st.integers(-(10**9), 10**10), min_size=count, max_size=count))
    log_ns, found = START_NS, []
    for index, (topic, step) in enumerate(zip(topics, steps, strict=True)):
        log_ns += step
        found.append(message(topic, index, log_ns))
    return found


@settings(max_examples=40, deadline=None)
@given(
    messages=recordings(),
    compression=st.sampled_from(FORMATS),
    chunk_size=st.sampled_from([1, 800, 10**6]),
)
def test_chunked_bags_equal_the_rosbags_reader(messages, compression, chunk_size):
    with tempfile.TemporaryDirectory() as folder:
        path = write_mcap(Path(folder) / "a.mcap", messages, compression, chunk_size)
        check_against_rosbags(path, messages)


@settings(max_examples=20, deadline=None)
@given(
    messages=recordings(),
    plugin=st.sampled_from(StoragePlugin),
    mode=st.sampled_from([CompressionMode.NONE, CompressionMode.FILE, CompressionMode.MESSAGE]),
)
def test_rosbag2_folders_equal_the_rosbags_reader(messages, plugin, mode):
    with tempfile.TemporaryDirectory() as folder:
        check_against_rosbags(
            write_rosbag2(Path(folder) / "bag", messages, plugin, mode), messages
        )


def check_against_rosbags(path: Path, messages: list[Written]) -> None:
    """Check that messages, their order and their decoded values equal those of rosbags."""
    messages_read, losses = read(path)
    bag = open_bag(path)
    with AnyReader([path], default_typestore=STORE) as reader:
        reference = [
            (RawMessage(connection.topic, connection.msgtype, log_ns, bytes(data)),
             reader.deserialize(data, connection.msgtype))
            for connection, log_ns, data in reader.messages()
        ]  # fmt: skip
    assert losses.counts == {}
    assert [m.log_ns for m in messages_read] == [m.log_ns for m, _ in reference]
    assert sorted(messages_read) == sorted(m for m, _ in reference)
    assert sorted(plain(messages_read)) == sorted(messages)
    reference.sort(key=lambda pair: pair[0])
    for raw, (_, decoded) in zip(sorted(messages_read), reference, strict=True):
        assert same(bag.decode(raw), decoded)


def test_excerpt_ends_at_its_log_time(tmp_path):
    bag = open_bag(write_mcap(tmp_path / "a.mcap", MESSAGES, "none"))
    excerpt = Excerpt(bag, START_NS + 2 * STEP_NS)
    found = list(excerpt.messages(bag.topics, Losses()))
    assert plain(found) == [m for m in MESSAGES if m[1] <= START_NS + 2 * STEP_NS]
    assert 0 < len(found) < len(MESSAGES)
    assert excerpt.topics is bag.topics
