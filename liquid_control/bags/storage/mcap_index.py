"""Index of the chunks of an MCAP file, read from its summary if that is consistent."""

from collections import Counter
from dataclasses import dataclass, field
from zlib import crc32

from mcap import records
from mcap.opcode import Opcode

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.mcap_format import LIMITS, MAGIC, RECORD, RecordFile, parse
from liquid_control.bags.storage.part import DamageError

FOOTER_SIZE = RECORD.size + 20
MAX_SUMMARY_BYTES = 2**29
INDEX_HEADER_BYTES = RECORD.size + 6
INDEX_ENTRY_BYTES = 16


@dataclass(slots=True)
class ChunkEntry:
    """Index entry of a chunk.

    Attributes:
        offset: offset of the chunk record.
        start_ns: first log time.
        end_ns: last log time.
        size: uncompressed size, bytes.
        counts: number of messages by channel; None if unknown.
    """

    offset: int
    start_ns: int
    end_ns: int
    size: int
    counts: dict[int, int] | None = None


@dataclass(slots=True)
class Index:
    """Index of an MCAP file.

    Attributes:
        schemas: schemas by id.
        channels: channels by id.
        chunks: entries of the chunks.
        unchunked: start and end of each byte range of messages outside chunks.
        counts: number of messages by channel; None if unknown.
        start_ns: first log time; None if there are no messages.
        end_ns: last log time.
        metadata: metadata records by name.
        losses: losses found while indexing.
    """

    schemas: dict[int, records.Schema] = field(default_factory=dict)
    channels: dict[int, records.Channel] = field(default_factory=dict)
    chunks: list[ChunkEntry] = field(default_factory=list)
    unchunked: list[tuple[int, int]] = field(default_factory=list)
    counts: dict[int, int] | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    losses: Losses = field(default_factory=Losses)

    def define(self, opcode: int, payload: bytes) -> None:
        """Add a schema or channel; the first definition of an id is kept.

        Raises:
            DamageError: the payload does not fit the record.
        """
        if opcode == Opcode.SCHEMA:
            schema = parse(records.Schema, payload)
            self.schemas.setdefault(schema.id, schema)
        else:
            channel = parse(records.Channel, payload)
            self.channels.setdefault(channel.id, channel)


def read_summary(file: RecordFile) -> Index | None:
    """Return the index in the summary; None if the file has no usable summary.

    Raises:
        DamageError: the summary is damaged or inconsistent.
    """
    footer = _footer(file)
    if footer.summary_start == 0:
        return None
    end = file.size - len(MAGIC) - FOOTER_SIZE
    size = end - footer.summary_start
    if footer.summary_start < len(MAGIC) or not 0 <= size <= MAX_SUMMARY_BYTES:
        raise DamageError("the footer does not point to a summary")
    summary = file.at(footer.summary_start, file.size - len(MAGIC) - footer.summary_start)
    if footer.summary_crc and crc32(summary[:-4]) != footer.summary_crc:
        raise DamageError("the checksum of the summary is wrong")
    index = Index()
    chunks: list[records.ChunkIndex] = []
    metadata: list[records.MetadataIndex] = []
    statistics = None
    for opcode, payload in _records(summary[:-FOOTER_SIZE]):
        if opcode == Opcode.SCHEMA or opcode == Opcode.CHANNEL:
            index.define(opcode, payload)
        elif opcode == Opcode.CHUNK_INDEX:
            chunks.append(parse(records.ChunkIndex, payload))
        elif opcode == Opcode.METADATA_INDEX:
            metadata.append(parse(records.MetadataIndex, payload))
        elif opcode == Opcode.STATISTICS:
            statistics = parse(records.Statistics, payload)
    if statistics is None or not index.channels:
        return None
    if statistics.message_count and chunks and not any(c.message_index_offsets for c in chunks):
        return None
    if statistics.chunk_count and not chunks:
        return None
    _fill(index, chunks, statistics, footer.summary_start)
    _read_metadata(file, index, metadata)
    return index


def _footer(file: RecordFile) -> records.Footer:
    tail = file.at(file.size - len(MAGIC) - FOOTER_SIZE, FOOTER_SIZE)
    if len(tail) < FOOTER_SIZE or RECORD.unpack_from(tail) != (Opcode.FOOTER, 20):
        raise DamageError("there is no footer")
    return parse(records.Footer, tail[RECORD.size :])


def _records(data: bytes) -> list[tuple[int, bytes]]:
    found, position = [], 0
    while position + RECORD.size <= len(data):
        opcode, length = RECORD.unpack_from(data, position)
        least, most = LIMITS.get(opcode, (1, 0))
        stop = position + RECORD.size + length
        if not least <= length <= most or stop > len(data):
            raise DamageError(f"the summary has a record of opcode {opcode}, {length} bytes")
        found.append((opcode, data[position + RECORD.size : stop]))
        position = stop
    if position != len(data):
        raise DamageError("the last record of the summary is truncated")
    return found


def _fill(
    index: Index, chunks: list[records.ChunkIndex], statistics: records.Statistics, data_end: int
) -> None:
    """Fill an index from chunk index and statistics.

    Raises:
        DamageError: the two contradict each other.
    """
    stop = len(MAGIC)
    total: Counter[int] = Counter()
    for chunk in sorted(chunks, key=lambda chunk: chunk.chunk_start_offset):
        if chunk.chunk_start_offset < stop:
            raise DamageError("the index has overlapping chunks")
        stop = chunk.chunk_start_offset + chunk.chunk_length
        counts = _counts(chunk)
        total.update(counts)
        times = chunk.message_start_time <= chunk.message_end_time or not any(counts.values())
        if stop > data_end or not times:
            raise DamageError("the index has an invalid chunk")
        index.chunks.append(
            ChunkEntry(
                chunk.chunk_start_offset,
                chunk.message_start_time,
                chunk.message_end_time,
                chunk.uncompressed_size,
                counts,
            )
        )
    if len(chunks) != statistics.chunk_count:
        raise DamageError(f"{len(chunks)} chunks in the index, {statistics.chunk_count} counted")
    if not chunks:
        index.unchunked = [(len(MAGIC), data_end)]
    elif total.total() != statistics.message_count:
        raise DamageError("the index and the statistics count different numbers of messages")
    counted = statistics.channel_message_counts
    if counted and sum(counted.values()) != statistics.message_count:
        raise DamageError("the statistics contradict themselves")
    if counted or chunks:
        index.counts = dict.fromkeys(index.channels, 0) | (counted or dict(total))
    if statistics.message_count:
        index.start_ns, index.end_ns = statistics.message_start_time, statistics.message_end_time


def _counts(chunk: records.ChunkIndex) -> dict[int, int]:
    """Return the number of messages by channel in a chunk, from its message index lengths."""
    begin = chunk.chunk_start_offset + chunk.chunk_length
    places = sorted((offset, channel) for channel, offset in chunk.message_index_offsets.items())
    stops = [offset for offset, _ in places[1:]] + [begin + chunk.message_index_length]
    return {
        channel: max(0, stop - offset - INDEX_HEADER_BYTES) // INDEX_ENTRY_BYTES
        for (offset, channel), stop in zip(places, stops, strict=True)
    }


def _read_metadata(file: RecordFile, index: Index, entries: list[records.MetadataIndex]) -> None:
    for entry in entries:
        record = file.at(entry.offset, min(entry.length, 2**26))
        try:
            if len(record) < RECORD.size or record[0] != Opcode.METADATA:
                raise DamageError("there is no metadata record")
            metadata = parse(records.Metadata, record[RECORD.size :])
            index.metadata.setdefault(metadata.name, metadata.metadata)
        except DamageError as error:
            reason = f"metadata {entry.name!r} at byte {entry.offset}: {error}"
            index.losses.count(Loss.UNREADABLE_BYTES, reason, len(record))
