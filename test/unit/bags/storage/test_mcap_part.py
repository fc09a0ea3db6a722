"""Damage to MCAP files: the messages that are still read, and the losses that are counted."""

import struct
import zlib

import lz4.frame
import pytest
import zstandard
from bag_files import (
    FORMATS,
    IMU,
    START_NS,
    STEP_NS,
    Written,
    changed,
    chunk_indexes,
    flight,
    message,
    plain,
    read,
    records,
    write_mcap,
    written,
)
from mcap.opcode import Opcode

from liquid_control.bags import Loss, Losses, open_bag
from liquid_control.errors import BagError

pytestmark = pytest.mark.unit
MESSAGES = flight()


def in_chunk(path, number):
    """Return the messages of a chunk, by the times in its index."""
    chunk = chunk_indexes(path)[number]
    return [m for m in MESSAGES if chunk.message_start_time <= m.log_ns <= chunk.message_end_time]


def without(missing):
    return [m for m in MESSAGES if m not in missing]


def summary_start(path):
    return struct.unpack("<Q", path.read_bytes()[-28:-20])[0]


@pytest.fixture(params=FORMATS)
def complete(request, tmp_path):
    path = write_mcap(tmp_path / "complete.mcap", MESSAGES, request.param)
    assert len(chunk_indexes(path)) >= 5
    return path


def test_chunk_with_a_wrong_checksum_is_skipped(complete):
    chunk = chunk_indexes(complete)[2]
    missing = in_chunk(complete, 2)
    path = changed(complete, "b.mcap", (chunk.chunk_start_offset + 9 + 24, b"\x01\x02\x03\x04"))
    messages, losses = read(path)
    assert plain(messages) == without(missing)
    assert losses.counts == {Loss.DAMAGED_CHUNK: 1}
    assert losses.reasons[Loss.DAMAGED_CHUNK] == (
        f"{path} at byte {chunk.chunk_start_offset}: its checksum is wrong, "
        f"with {len(missing)} messages"
    )


def test_flipped_bit_loses_only_its_chunk(complete):
    chunk = chunk_indexes(complete)[3]
    place = chunk.chunk_start_offset + chunk.chunk_length - 20
    path = changed(complete, "b.mcap", (place, bytes([complete.read_bytes()[place] ^ 4])))
    messages, losses = read(path)
    assert plain(messages) == without(in_chunk(complete, 3))
    assert losses.counts == {Loss.DAMAGED_CHUNK: 1}


@pytest.mark.parametrize("field", ["opcode", "length", "size", "compression", "data"])
def test_chunk_with_a_damaged_header_is_skipped(complete, field):
    offset = chunk_indexes(complete)[1].chunk_start_offset
    edit = {
        "opcode": (offset, b"\x46"),
        "length": (offset + 1, struct.pack("<Q", 2**60)),
        "size": (offset + 9 + 16, struct.pack("<Q", 2**60)),
        "compression": (offset + 9 + 28, struct.pack("<I", 2**31)),
        "data": (offset + 9 + 32, b"\xff" * 8),
    }[field]
    messages, losses = read(changed(complete, "b.mcap", edit))
    assert plain(messages) == without(in_chunk(complete, 1))
    assert losses.counts == {Loss.DAMAGED_CHUNK: 1}


def test_damage_to_unrequested_topics_is_not_counted(tmp_path):
    others = [Written("/my_msgs/msg/Other", m.log_ns, m.data) for m in MESSAGES[:10]]
    definitions = {"/my_msgs/msg/Other": "uint8 a"}
    path = write_mcap(tmp_path / "a.mcap", [*others, *MESSAGES[10:]], definitions=definitions)
    offset = chunk_indexes(path)[0].chunk_start_offset
    messages, losses = read(changed(path, "b.mcap", (offset + 60, bytes(30))), [IMU])
    assert plain(messages) == [m for m in MESSAGES[10:] if m.topic == IMU]
    assert losses.counts == {}


def test_invalid_record_in_a_chunk_without_checksum_loses_the_chunk(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, enable_crcs=False)
    offset = chunk_indexes(path)[2].chunk_start_offset
    head = 9 + 40
    messages, losses = read(changed(path, "b.mcap", (offset + head + 1, b"\xff" * 8)))
    assert plain(messages) == without(in_chunk(path, 2))
    assert losses.counts == {Loss.DAMAGED_CHUNK: 1}


@pytest.mark.parametrize("compression", FORMATS)
def test_file_truncated_between_chunks_returns_all_previous_messages(tmp_path, compression):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, compression)
    cut = chunk_indexes(path)[3].chunk_start_offset
    messages, losses = read(written(path, "b.mcap.partial", path.read_bytes()[:cut]))
    assert plain(messages) == [m for number in range(3) for m in in_chunk(path, number)]
    assert losses.counts == {Loss.ENDS_EARLY: 1}


def test_complete_messages_of_a_truncated_chunk_are_read(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, chunk_size=10**6)
    data = path.read_bytes()
    place = data.index(MESSAGES[7].data)
    messages, losses = read(written(path, "b.mcap", data[: place + 50]))
    assert plain(messages) == MESSAGES[:7]
    assert losses.counts == {Loss.ENDS_EARLY: 1}


@pytest.mark.parametrize("chunked", [True, False])
def test_every_truncation_returns_a_prefix(tmp_path, chunked):
    """Every length of the file yields the first messages in order, without repeats."""
    path = write_mcap(tmp_path / "a.mcap", MESSAGES[:12], chunk_size=1000, use_chunking=chunked)
    data = path.read_bytes()
    most = 0
    for cut in range(60, len(data), 23):
        try:
            messages, losses = read(written(path, "b.mcap", data[:cut]))
        except BagError:
            continue
        found = plain(messages)
        assert found == MESSAGES[: len(found)]
        assert losses.counts == {Loss.ENDS_EARLY: 1}
        assert len(found) >= most
        most = len(found)
    assert most == 12


@pytest.mark.parametrize("chunked", [True, False])
def test_damaged_summary_loses_only_the_index(tmp_path, chunked):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, use_chunking=chunked)
    place = summary_start(path) + 30
    messages, losses = read(changed(path, "b.mcap", (place, b"\xff\xff\xff")))
    assert plain(messages) == MESSAGES
    assert losses.counts[Loss.NO_INDEX] == 1
    assert losses.counts.keys() <= {Loss.NO_INDEX, Loss.UNREADABLE_BYTES}
    assert "the checksum of the summary is wrong" in losses.reasons[Loss.NO_INDEX]


def test_invalid_footer_loses_only_the_index(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES)
    end = path.stat().st_size
    messages, losses = read(changed(path, "b.mcap", (end - 28, struct.pack("<Q", 2**63))))
    assert plain(messages) == MESSAGES
    assert losses.counts == {Loss.NO_INDEX: 1}


def test_counts_and_times_are_recovered_without_an_index(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, "zstd")
    cut = written(path, "b.mcap", path.read_bytes()[: summary_start(path)])
    one, other = open_bag(path), open_bag(cut)
    assert one.topics == other.topics
    assert (one.start_ns, one.end_ns) == (other.start_ns, other.end_ns)
    assert one.metadata == other.metadata


def test_framing_is_recovered_after_a_removed_range(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, "zstd")
    chunks = chunk_indexes(path)
    data = path.read_bytes()
    begin = chunks[1].chunk_start_offset + 30
    end = chunks[2].chunk_start_offset + 40
    messages, losses = read(written(path, "b.mcap", data[:begin] + data[end:]))
    assert plain(messages) == without(in_chunk(path, 1) + in_chunk(path, 2))
    assert losses.counts.keys() == {Loss.NO_INDEX, Loss.UNREADABLE_BYTES}


def test_framing_is_recovered_between_unchunked_messages(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, use_chunking=False)
    found = [r for r in records(path) if r[0] == Opcode.MESSAGE]
    _, begin, end = found[10]
    broken = changed(path, "b.mcap", (begin + 1, struct.pack("<Q", 2**60)))
    messages, losses = read(broken)
    assert plain(messages) == without([MESSAGES[10]])
    assert losses.counts == {Loss.UNREADABLE_BYTES: end - begin}
    assert losses.reasons[Loss.UNREADABLE_BYTES] == f"at byte {begin}, {end - begin} bytes"
    data = path.read_bytes()
    messages, losses = read(written(path, "c.mcap", data[: begin + 40] + data[end + 40 :]))
    assert plain(messages) == without(MESSAGES[10:12])


def test_trailing_zeros_are_not_records(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES)
    cut = chunk_indexes(path)[4].chunk_start_offset
    data = path.read_bytes()[:cut] + bytes(3000)
    messages, losses = read(written(path, "b.mcap", data))
    assert plain(messages) == [m for number in range(4) for m in in_chunk(path, number)]
    assert losses.counts == {Loss.ENDS_EARLY: 1, Loss.UNREADABLE_BYTES: 3000}


def test_channels_of_a_damaged_chunk_are_read_from_the_summary(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, "zstd")
    offset = chunk_indexes(path)[0].chunk_start_offset
    messages, losses = read(changed(path, "b.mcap", (offset + 100, bytes(40))))
    assert plain(messages) == without(in_chunk(path, 0))
    assert losses.counts == {Loss.DAMAGED_CHUNK: 1}


def test_messages_on_undefined_channels_are_counted(tmp_path):
    path = write_mcap(
        tmp_path / "a.mcap", MESSAGES, "zstd", repeat_channels=False, use_statistics=False
    )
    offset = chunk_indexes(path)[0].chunk_start_offset
    messages, losses = read(changed(path, "b.mcap", (offset + 60, bytes(200))))
    assert messages == []
    count = len(without(in_chunk(path, 0)))
    assert losses.counts == {Loss.DAMAGED_CHUNK: 1, Loss.NO_TYPE: count}


def test_complete_definitions_are_read_from_a_damaged_chunk(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, repeat_channels=False)
    place = path.read_bytes().index(MESSAGES[0].data) + 30
    messages, losses = read(changed(path, "b.mcap", (place, b"\x99")))
    assert plain(messages) == without(in_chunk(path, 0))
    assert losses.counts == {Loss.DAMAGED_CHUNK: 1}


def test_decompression_bomb_is_skipped(tmp_path):
    """64 MiB of zeros in a few KiB, with wrong sizes in the chunk header and in the data."""
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, "zstd")
    offset = chunk_indexes(path)[1].chunk_start_offset
    for size, reason in ((2**34, "it declares"), (2**20, "declares a size other than")):
        bomb = zstandard.ZstdCompressor().compress(bytes(2**26))
        messages, losses = read(with_chunk(path, offset, size, "zstd", bomb))
        assert plain(messages) == without(in_chunk(path, 1))
        assert losses.counts[Loss.DAMAGED_CHUNK] == 1
        assert reason in losses.reasons[Loss.DAMAGED_CHUNK]
    bomb = lz4.frame.compress(bytes(2**26), store_size=False)
    messages, losses = read(with_chunk(path, offset, 2**20, "lz4", bomb))
    assert plain(messages) == without(in_chunk(path, 1))
    assert losses.counts[Loss.DAMAGED_CHUNK] == 1


def with_chunk(path, offset, size, compression, data):
    """Write a copy without its summary, with one chunk replaced."""
    old = path.read_bytes()
    length = struct.unpack_from("<Q", old, offset + 1)[0]
    times = old[offset + 9 : offset + 25]
    name = compression.encode()
    payload = times + struct.pack("<QII", size, 0, len(name)) + name
    payload += struct.pack("<Q", len(data)) + data
    chunk = b"\x06" + struct.pack("<Q", len(payload)) + payload
    new = old[:offset] + chunk + old[offset + 9 + length : summary_start(path)]
    return written(path, "bomb.mcap", new)


@pytest.mark.parametrize("compression", FORMATS)
def test_large_chunks_are_verified_and_read_in_blocks(tmp_path, monkeypatch, compression):
    monkeypatch.setattr("liquid_control.bags.storage.mcap_chunk.MAX_WHOLE_BYTES", 2000)
    monkeypatch.setattr("liquid_control.bags.storage.mcap_part.MAX_WHOLE_BYTES", 2000)
    monkeypatch.setattr("liquid_control.bags.storage.mcap_chunk.BLOCK_BYTES", 700)
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, compression, chunk_size=6000)
    messages, losses = read(path)
    assert plain(messages) == MESSAGES
    assert losses.counts == {}
    chunk = chunk_indexes(path)[0]
    place = chunk.chunk_start_offset + chunk.chunk_length - 8
    flipped = bytes([path.read_bytes()[place] ^ 1])
    messages, losses = read(changed(path, "b.mcap", (place, flipped)))
    assert plain(messages) == without(in_chunk(path, 0))
    assert losses.counts == {Loss.DAMAGED_CHUNK: 1}


def test_unchunked_messages_are_sorted_within_a_window(tmp_path):
    swapped = [MESSAGES[i ^ 1] for i in range(40)]
    late = message(IMU, 77, START_NS - 10**12)
    path = write_mcap(tmp_path / "a.mcap", [*swapped, late], use_chunking=False)
    messages, losses = read(path)
    assert plain(messages) == [late, *MESSAGES]
    assert losses.counts == {}
    far = [message(IMU, i, START_NS + i * 10**9) for i in range(10)]
    path = write_mcap(tmp_path / "b.mcap", [*far, late], use_chunking=False)
    messages, losses = read(path)
    assert plain(messages) == [*far[:8], late, *far[8:]]
    assert losses.counts == {Loss.OUT_OF_ORDER: 1}


def test_overlapping_chunks_are_merged_by_the_index(tmp_path):
    jumped = [message(IMU, i, START_NS + (i * STEP_NS - (i > 10) * 15 * STEP_NS) + i)
              for i in range(20)]  # fmt: skip
    path = write_mcap(tmp_path / "a.mcap", jumped, chunk_size=700)
    messages, losses = read(path)
    assert plain(messages) == sorted(jumped, key=lambda m: m.log_ns)
    assert losses.counts == {}


def test_chunk_with_wrong_times_is_read_and_counted(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES[:30], use_statistics=False)
    chunk = chunk_indexes(path)[0]
    early = struct.pack("<QQ", START_NS + 10**9, START_NS + 10**9)
    wrong = changed(path, "b.mcap", (chunk.chunk_start_offset + 9, early))
    messages, losses = read(wrong)
    assert sorted(plain(messages)) == sorted(MESSAGES[:30])
    assert losses.counts == {Loss.OUT_OF_ORDER: len(in_chunk(path, 0))}


def test_complete_bag_without_checksums_has_no_losses(tmp_path):
    path = write_mcap(tmp_path / "a.mcap", MESSAGES, "lz4", enable_crcs=False)
    data = path.read_bytes()
    assert zlib.crc32(data[summary_start(path) : -12]) != 0
    bag, losses = open_bag(path), Losses()
    assert len(list(bag.messages([IMU], losses))) == bag.topics[IMU].count
    assert losses.counts == {}
