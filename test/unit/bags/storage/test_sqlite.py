"""Damage to `.db3` files: rows around damaged pages and rows of truncated files are read."""

import shutil
import sqlite3

import pytest
from bag_files import IMU, START_NS, STEP_NS, changed, flight, plain, read, write_rosbag2, written
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from liquid_control.bags import Loss, Losses, open_bag
from liquid_control.errors import BagError

pytestmark = pytest.mark.unit
MESSAGES = flight(300)


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    folder = write_rosbag2(tmp_path_factory.mktemp("complete") / "bag", MESSAGES)
    (path,) = folder.glob("*.db3")
    return path


@pytest.fixture
def copied(complete, tmp_path):
    return shutil.copy(complete, tmp_path / "a.db3")


def leaves(path, table):
    """Return the pages of a table or index, except the root."""
    with sqlite3.connect(path) as database:
        pages = database.execute(
            "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,)
        )
        return [page for (page,) in pages]


def page_size(path):
    return int.from_bytes(path.read_bytes()[16:18], "big")


def page_with(path, message):
    """Return the offset of the page that holds a message."""
    size = page_size(path)
    return path.read_bytes().index(message.data) // size * size


def wipe(path, *offsets):
    return changed(path, "wiped.db3", *((offset, b"\xaa" * page_size(path)) for offset in offsets))


def test_rows_on_both_sides_of_a_damaged_page_are_read(copied):
    offset = page_with(copied, MESSAGES[150])
    data = copied.read_bytes()[offset : offset + page_size(copied)]
    missing = [m for m in MESSAGES if m.data in data]
    assert 2 <= len(missing) <= 20
    messages, losses = read(wipe(copied, offset))
    found = plain(messages)
    assert next(m for m in MESSAGES if m not in found) in MESSAGES[130:151]
    assert set(MESSAGES) - set(found) >= set(missing)
    assert len(MESSAGES) - len(found) <= len(missing) + 2
    assert found == sorted(found, key=lambda m: m.log_ns)
    assert losses.counts == {Loss.DAMAGED_CHUNK: 1}


def test_several_damaged_pages_are_skipped(copied):
    offsets = [page_with(copied, MESSAGES[number]) for number in (50, 150, 250)]
    messages, losses = read(wipe(copied, *offsets))
    found = plain(messages)
    assert {m.log_ns // STEP_NS // 100 for m in found} == {
        m.log_ns // STEP_NS // 100 for m in MESSAGES
    }
    assert len(found) > 300 - 3 * 22
    assert losses.counts == {Loss.DAMAGED_CHUNK: 3}


def test_truncated_file_returns_the_rows_before(copied):
    offset = page_with(copied, MESSAGES[200])
    path = written(copied, "cut.db3", copied.read_bytes()[:offset])
    messages, losses = read(path)
    found = plain(messages)
    assert found == MESSAGES[: len(found)]
    assert 170 <= len(found) <= 200
    assert losses.counts == {Loss.ENDS_EARLY: 1, Loss.DAMAGED_CHUNK: 1}


def test_damaged_time_index_loses_no_messages(copied):
    with sqlite3.connect(copied) as database:
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'timestamp_idx'"
        ).fetchone()
    messages, losses = read(wipe(copied, (root - 1) * page_size(copied)))
    assert plain(messages) == MESSAGES
    assert losses.counts == {}


def test_rows_without_index_and_order_are_read(copied):
    with sqlite3.connect(copied) as database:
        database.execute("DROP INDEX timestamp_idx")
        database.execute("UPDATE messages SET id = 1000 - id WHERE id > 290")
    messages, losses = read(copied)
    assert plain(messages) == MESSAGES
    assert losses.counts == {}


def test_disordered_rows_are_read_by_the_index(tmp_path):
    (path,) = write_rosbag2(tmp_path / "bag", MESSAGES[::-1]).glob("*.db3")
    start_ns = START_NS + 100 * STEP_NS
    messages, losses = read(path, [IMU], start_ns)
    assert plain(messages) == [m for m in MESSAGES if m.topic == IMU and m.log_ns >= start_ns]
    assert losses.counts == {}


def test_values_of_another_type_are_counted(copied):
    with sqlite3.connect(copied) as database:
        database.execute("UPDATE messages SET data = 3.5 WHERE id = 11")
        database.execute("UPDATE messages SET topic_id = 77 WHERE id = 21")
    messages, losses = read(copied)
    assert plain(messages) == [m for i, m in enumerate(MESSAGES) if i not in (10, 20)]
    assert losses.counts == {Loss.UNREADABLE_BYTES: 1, Loss.NO_TYPE: 1}


def test_number_of_topics_may_exceed_the_variables_of_a_query(copied):
    with sqlite3.connect(copied) as database:
        database.executemany(
            "INSERT INTO topics VALUES (?, ?, 'std_msgs/msg/String', 'cdr', '', '')",
            [(1000 + number, f"/t{number}") for number in range(300_000)],
        )
    messages, losses = read(copied)
    assert plain(messages) == MESSAGES
    assert losses.counts == {}


def test_write_ahead_log_is_read_and_not_modified(copied):
    with sqlite3.connect(copied) as database:
        database.execute("PRAGMA journal_mode = WAL")
    writer = sqlite3.connect(copied)
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("UPDATE messages SET timestamp = 5 WHERE id = 1")
    writer.commit()
    place = copied.with_name("killed.db3")
    for suffix in ("", "-wal"):
        shutil.copy(f"{copied}{suffix}", f"{place}{suffix}")
    writer.close()
    before = {file.name: file.read_bytes() for file in place.parent.glob("killed*")}
    messages, losses = read(place)
    assert [m.log_ns for m in messages][:2] == [5, MESSAGES[1].log_ns]
    assert losses.counts == {}
    assert {file.name: file.read_bytes() for file in place.parent.glob("killed*")} == before
    link = place.with_name("link.db3")
    link.symlink_to(place)
    assert read(link)[0] == messages


def test_older_schemas_have_no_definitions(copied):
    with sqlite3.connect(copied) as database:
        for table in ("schema", "metadata", "message_definitions"):
            database.execute(f"DROP TABLE {table}")
    bag = open_bag(copied)
    assert bag.topics[IMU].definition == ""
    raw = next(bag.messages([IMU], Losses()))
    assert bag.decode(raw).header.frame_id == "base_link"


def test_missing_tables_are_named(tmp_path):
    with sqlite3.connect(tmp_path / "a.db3") as database:
        database.execute("CREATE TABLE topics (id)")
    with pytest.raises(BagError, match="expected tables `topics` and `messages`"):
        open_bag(tmp_path / "a.db3")


def test_message_that_does_not_decompress_is_counted(tmp_path):
    folder = write_rosbag2(
        tmp_path / "bag", MESSAGES[:9], StoragePlugin.SQLITE3, CompressionMode.MESSAGE
    )
    (path,) = folder.glob("*.db3")
    with sqlite3.connect(path) as database:
        database.execute("UPDATE messages SET data = substr(data, 1, 30) WHERE id = 4")
    messages, losses = read(path)
    assert plain(messages) == [m for i, m in enumerate(MESSAGES[:9]) if i != 3]
    assert losses.counts == {Loss.UNDECODABLE: 1}
