"""Whole bags of every format give what was written, as rosbags' own reader does."""

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

from liquid_control.bags.bag import Excerpt, open_bag
from liquid_control.bags.decoding.stamps import own_stamp
from liquid_control.bags.losses import Loss, Losses
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
    ids=["whole", "unchunked", "without-crc", "without-statistics", "without-channels"],
)
def test_mcap_gives_what_was_written(tmp_path, compression, options):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, compression, **options)
    messages, losses = read(path)
    assert plain(messages) == MESSAGES
    assert losses.counts == {}
    assert [m.type for m in messages] == [TYPES[m.topic] for m in messages]


@pytest.mark.parametrize("plugin", StoragePlugin)
@pytest.mark.parametrize(
    "mode", [CompressionMode.NONE, CompressionMode.FILE, CompressionMode.MESSAGE]
)
def test_rosbag2_folders_give_what_was_written(tmp_path, plugin, mode):
    path = write_rosbag2(tmp_path / "bag", MESSAGES, plugin, mode)
    messages, losses = read(path)
    assert plain(messages) == MESSAGES
    assert losses.counts == {}
    assert open_bag(path).metadata["custom_data"] == {"seed": "3"}


def test_a_bag_says_what_it_holds(tmp_path):
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
def test_topics_and_start_are_chosen(tmp_path, chunked):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, use_chunking=chunked)
    start_ns = START_NS + 10 * STEP_NS
    messages, losses = read(path, [CAMERA, COMMAND], start_ns)
    expected = [m for m in MESSAGES if m.topic in (CAMERA, COMMAND) and m.log_ns >= start_ns]
    assert plain(messages) == expected
    assert losses.counts == {}


def test_format_is_known_by_content(tmp_path):
    mcap = write_mcap(tmp_path / "a.mcap", MESSAGES).rename(tmp_path / "a.bag")
    (db3,) = write_rosbag2(tmp_path / "bag", MESSAGES).glob("*.db3")
    renamed = db3.rename(tmp_path / "b.mcap")
    assert plain(read(mcap)[0]) == plain(read(renamed)[0]) == MESSAGES


def test_parts_are_one_recording_in_any_order(tmp_path):
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


def test_a_folder_needs_no_metadata(tmp_path):
    folder = write_rosbag2(tmp_path / "bag", MESSAGES, StoragePlugin.MCAP)
    (folder / "metadata.yaml").unlink()
    assert plain(read(folder)[0]) == MESSAGES
    (folder / "metadata.yaml").write_text("rosbag2_bagfile_information: [no, mapping")
    assert plain(read(folder)[0]) == MESSAGES


def test_a_part_that_metadata_names_is_missed(tmp_path):
    folder = write_rosbag2(tmp_path / "bag", MESSAGES)
    yaml = folder / "metadata.yaml"
    yaml.write_text(yaml.read_text().replace("- bag.db3", "- bag.db3\n  - bag_1.db3"))
    messages, losses = read(folder)
    assert plain(messages) == MESSAGES
    assert losses.counts == {Loss.MISSING_PART: 1}
    assert "bag_1.db3" in losses.reasons[Loss.MISSING_PART]


def test_a_part_that_cannot_be_opened_is_a_loss(tmp_path):
    good = write_mcap(tmp_path / "a.mcap", MESSAGES)
    bad = written(good, "b.mcap", b"nothing of interest")
    messages, losses = read([good, bad, tmp_path / "c.mcap"])
    assert plain(messages) == MESSAGES
    assert losses.counts == {Loss.MISSING_PART: 2}


def test_what_is_lost_of_a_part_without_messages_is_counted(tmp_path):
    """A part that is cut off before its first message knows no times to be sorted by."""
    good = write_mcap(tmp_path / "a.mcap", MESSAGES)
    cut = written(good, "b.mcap", good.read_bytes()[:99])
    assert open_bag(cut).start_ns is None
    messages, losses = read([good, cut])
    assert plain(messages) == MESSAGES
    assert losses.counts == {Loss.ENDS_EARLY: 1}


def test_a_part_of_a_folder_that_is_no_bag_any_more_is_a_loss(tmp_path):
    write_mcap(tmp_path / "a.mcap", MESSAGES)
    (tmp_path / "b.mcap").write_bytes(b"")
    (tmp_path / "c.db3").write_bytes(bytes(5000))
    (tmp_path / "notes.txt").write_text("windy")
    messages, losses = read(tmp_path)
    assert plain(messages) == MESSAGES
    assert losses.counts == {Loss.MISSING_PART: 2}


def test_a_topic_of_two_types_is_what_most_of_its_messages_are(tmp_path):
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
def test_messages_of_one_time_come_in_the_order_of_the_file(tmp_path, chunk_size):
    """Also where a later chunk begins earlier."""
    messages = [message(IMU, i, START_NS + at) for i, at in enumerate((5, 9, 3, 9, 9, 9, 1, 9))]
    path = write_mcap(tmp_path / "a.mcap", messages, chunk_size=chunk_size)
    assert plain(read(path)[0]) == sorted(messages, key=lambda m: m.log_ns)
    parts = [write_mcap(tmp_path / f"{i}.mcap", messages[i : i + 2]) for i in (0, 2, 4, 6)]
    assert plain(read(parts)[0]) == sorted(messages, key=lambda m: m.log_ns)


@pytest.mark.parametrize("plugin", StoragePlugin)
def test_links_blanks_and_other_letters_are_no_obstacle(tmp_path, plugin):
    folder = tmp_path / "Flüge im März #2 50%20?"
    folder.mkdir()
    whole = write_rosbag2(tmp_path / "bag", MESSAGES, plugin).rename(folder / "bag")
    link = tmp_path / "link"
    link.symlink_to(whole)
    for path in (whole, link):
        messages, losses = read(path)
        assert plain(messages) == MESSAGES
        assert losses.counts == {}


def test_file_compression_leaves_nothing_behind(tmp_path, monkeypatch):
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
def test_what_is_no_bag_is_refused_in_a_line(tmp_path, name, data, expected):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BagError, match=expected) as caught:
        open_bag(path)
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_refused(tmp_path):
    with pytest.raises(BagError, match="found nothing there"):
        open_bag(tmp_path / "none.mcap")
    with pytest.raises(BagError, match=r"folder with \.mcap or \.db3"):
        open_bag(tmp_path)
    with pytest.raises(BagError, match="path of a bag, got none"):
        open_bag([])


def test_messages_decode_to_what_was_serialised(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES)
    bag = open_bag(path)
    for index, raw in enumerate(bag.messages(list(bag.topics), Losses())):
        assert same(bag.decode(raw), content(raw.topic, index, raw.log_ns))


def same(one, other) -> bool:
    return all(
        same(a, b) if hasattr(a, "__msgtype__") else np.array_equal(a, b)
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


def test_the_stamp_is_read_without_decoding():
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
    """Messages of several topics; times in order, equal or jumping."""
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
def test_any_chunked_bag_reads_as_rosbags_reads_it(messages, compression, chunk_size):
    with tempfile.TemporaryDirectory() as folder:
        path = write_mcap(Path(folder) / "a.mcap", messages, compression, chunk_size)
        check_against_rosbags(path, messages)


@settings(max_examples=20, deadline=None)
@given(
    messages=recordings(),
    plugin=st.sampled_from(StoragePlugin),
    mode=st.sampled_from([CompressionMode.NONE, CompressionMode.FILE, CompressionMode.MESSAGE]),
)
def test_any_rosbag2_folder_reads_as_rosbags_reads_it(messages, plugin, mode):
    with tempfile.TemporaryDirectory() as folder:
        check_against_rosbags(
            write_rosbag2(Path(folder) / "bag", messages, plugin, mode), messages
        )


def check_against_rosbags(path: Path, messages: list[Written]) -> None:
    """Equal messages in order of time, and those of a topic at one time in the order written."""
    ours, losses = read(path)
    bag = open_bag(path)
    with AnyReader([path], default_typestore=STORE) as reader:
        theirs = [
            (RawMessage(connection.topic, connection.msgtype, log_ns, bytes(data)),
             reader.deserialize(data, connection.msgtype))
            for connection, log_ns, data in reader.messages()
        ]  # fmt: skip
    assert losses.counts == {}
    assert [m.log_ns for m in ours] == [m.log_ns for m, _ in theirs]
    assert sorted(ours) == sorted(m for m, _ in theirs)
    assert sorted(plain(ours)) == sorted(messages)
    for mine, (_, decoded) in zip(sorted(ours), sorted(theirs, key=lambda pair: pair[0]),
                                  strict=True):  # fmt: skip
        assert same(bag.decode(mine), decoded)


def test_an_excerpt_ends_at_its_log_time(tmp_path):
    bag = open_bag(write_mcap(tmp_path / "a.mcap", MESSAGES, "none"))
    excerpt = Excerpt(bag, START_NS + 2 * STEP_NS)
    found = list(excerpt.messages(bag.topics, Losses()))
    assert plain(found) == [m for m in MESSAGES if m[1] <= START_NS + 2 * STEP_NS]
    assert 0 < len(found) < len(MESSAGES)
    assert excerpt.topics is bag.topics
