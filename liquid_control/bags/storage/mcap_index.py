"""Where the chunks of an MCAP file lie, by its summary if that can be believed."""

from collections import Counter
from dataclasses import dataclass, field
from zlib import crc32

from mcap import records
from mcap.opcode import Opcode

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.mcap_format import LIMITS, MAGIC, RECORD, RecordFile, parse
from liquid_control.bags.storage.part import BrokenBytesError

FOOTER_SIZE = RECORD.size + 20
LARGEST_SUMMARY = 2**29
INDEX_HEAD = RECORD.size + 6
INDEX_ENTRY = 16


@dataclass(slots=True)
class ChunkEntry:
    """A chunk's place.

    Attributes:
        offset: of its record.
        start_ns: first log time.
        end_ns: last log time.
        size: uncompressed, bytes.
        counts: messages of each channel; None where that is not known.
    """

    offset: int
    start_ns: int
    end_ns: int
    size: int
    counts: dict[int, int] | None = None


@dataclass(slots=True)
class Index:
    """What is where in a file.

    Attributes:
        schemas: by id.
        channels: by id.
        spans: the chunks.
        loose: begin and end of the stretches of records that hold messages outside of chunks.
        counts: messages of each channel; None where that is not known.
        start_ns: first log time, None where there is none.
        end_ns: last log time.
        metadata: by name.
        losses: what was found to be lost so far.
    """

    schemas: dict[int, records.Schema] = field(default_factory=dict)
    channels: dict[int, records.Channel] = field(default_factory=dict)
    spans: list[ChunkEntry] = field(default_factory=list)
    loose: list[tuple[int, int]] = field(default_factory=list)
    counts: dict[int, int] | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    losses: Losses = field(default_factory=Losses)

    def define(self, opcode: int, payload: bytes) -> None:
        """Take up a schema or channel; the first of an id counts.

        Raises:
            BrokenBytesError: it is none.
        """
        if opcode == Opcode.SCHEMA:
            schema = parse(records.Schema, payload)
            self.schemas.setdefault(schema.id, schema)
        else:
            channel = parse(records.Channel, payload)
            self.channels.setdefault(channel.id, channel)


def read_summary(file: RecordFile) -> Index | None:
    """Return the index that the summary holds; None if the file has none.

    Raises:
        BrokenBytesError: it is damaged, or contradicts itself.
    """
    footer = _footer(file)
    if footer.summary_start == 0:
        return None
    end = file.size - len(MAGIC) - FOOTER_SIZE
    size = end - footer.summary_start
    if footer.summary_start < len(MAGIC) or not 0 <= size <= LARGEST_SUMMARY:
        raise BrokenBytesError("the footer points to no summary")
    summary = file.at(footer.summary_start, file.size - len(MAGIC) - footer.summary_start)
    if footer.summary_crc and crc32(summary[:-4]) != footer.summary_crc:
        raise BrokenBytesError("the checksum of the summary is wrong")
    index = Index()
    chunks: list[records.ChunkIndex] = []
    places: list[records.MetadataIndex] = []
    statistics = None
    for opcode, payload in _records(summary[:-FOOTER_SIZE]):
        if opcode == Opcode.SCHEMA or opcode == Opcode.CHANNEL:
            index.define(opcode, payload)
        elif opcode == Opcode.CHUNK_INDEX:
            chunks.append(parse(records.ChunkIndex, payload))
        elif opcode == Opcode.METADATA_INDEX:
            places.append(parse(records.MetadataIndex, payload))
        elif opcode == Opcode.STATISTICS:
            statistics = parse(records.Statistics, payload)
    if statistics is None or not index.channels:
        return None
    if statistics.message_count and chunks and not any(c.message_index_offsets for c in chunks):
        return None
    if statistics.chunk_count and not chunks:
        return None
    _agree(index, chunks, statistics, footer.summary_start)
    _read_metadata(file, index, places)
    return index


def _footer(file: RecordFile) -> records.Footer:
    tail = file.at(file.size - len(MAGIC) - FOOTER_SIZE, FOOTER_SIZE)
    if len(tail) < FOOTER_SIZE or RECORD.unpack_from(tail) != (Opcode.FOOTER, 20):
        raise BrokenBytesError("there is no footer")
    return parse(records.Footer, tail[RECORD.size :])


def _records(data: bytes) -> list[tuple[int, bytes]]:
    found, position = [], 0
    while position + RECORD.size <= len(data):
        opcode, length = RECORD.unpack_from(data, position)
        least, most = LIMITS.get(opcode, (1, 0))
        stop = position + RECORD.size + length
        if not least <= length <= most or stop > len(data):
            raise BrokenBytesError(f"the summary has a record of opcode {opcode}, {length} bytes")
        found.append((opcode, data[position + RECORD.size : stop]))
        position = stop
    if position != len(data):
        raise BrokenBytesError("the summary's last record is cut off")
    return found


def _agree(
    index: Index, chunks: list[records.ChunkIndex], said: records.Statistics, data_end: int
) -> None:
    """Take up what chunk index and statistics say if they say the same.

    Raises:
        BrokenBytesError: they do not.
    """
    stop = len(MAGIC)
    total: Counter[int] = Counter()
    for chunk in sorted(chunks, key=lambda chunk: chunk.chunk_start_offset):
        if chunk.chunk_start_offset < stop:
            raise BrokenBytesError("the index has chunks that overlap")
        stop = chunk.chunk_start_offset + chunk.chunk_length
        counts = _counts(chunk)
        total.update(counts)
        times = chunk.message_start_time <= chunk.message_end_time or not any(counts.values())
        if stop > data_end or not times:
            raise BrokenBytesError("the index has a chunk that cannot be")
        index.spans.append(
            ChunkEntry(
                chunk.chunk_start_offset,
                chunk.message_start_time,
                chunk.message_end_time,
                chunk.uncompressed_size,
                counts,
            )
        )
    if len(chunks) != said.chunk_count:
        raise BrokenBytesError(f"{len(chunks)} chunks in the index, {said.chunk_count} counted")
    if not chunks:
        index.loose = [(len(MAGIC), data_end)]
    elif total.total() != said.message_count:
        raise BrokenBytesError("the index has not as many messages as were counted")
    counted = said.channel_message_counts
    if counted and sum(counted.values()) != said.message_count:
        raise BrokenBytesError("the statistics contradict themselves")
    if counted or chunks:
        index.counts = dict.fromkeys(index.channels, 0) | (counted or dict(total))
    if said.message_count:
        index.start_ns, index.end_ns = said.message_start_time, said.message_end_time


def _counts(chunk: records.ChunkIndex) -> dict[int, int]:
    """Return the messages of each channel in a chunk, by the lengths of its message indexes."""
    begin = chunk.chunk_start_offset + chunk.chunk_length
    places = sorted((offset, channel) for channel, offset in chunk.message_index_offsets.items())
    stops = [offset for offset, _ in places[1:]] + [begin + chunk.message_index_length]
    return {
        channel: max(0, stop - offset - INDEX_HEAD) // INDEX_ENTRY
        for (offset, channel), stop in zip(places, stops, strict=True)
    }


def _read_metadata(file: RecordFile, index: Index, places: list[records.MetadataIndex]) -> None:
    for place in places:
        record = file.at(place.offset, min(place.length, 2**26))
        try:
            if len(record) < RECORD.size or record[0] != Opcode.METADATA:
                raise BrokenBytesError("there is none")
            said = parse(records.Metadata, record[RECORD.size :])
            index.metadata.setdefault(said.name, said.metadata)
        except BrokenBytesError as error:
            reason = f"metadata {place.name!r} at byte {place.offset}: {error}"
            index.losses.count(Loss.UNREADABLE_BYTES, reason, len(record))
