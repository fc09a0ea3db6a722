"""Scan the records of an MCAP file and resynchronise where the framing is broken.

A record is accepted if its length leads to another record or to the end of the file.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from struct import Struct

from mcap import records
from mcap.opcode import Opcode

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage import mcap_format
from liquid_control.bags.storage.mcap_chunk import complete_records, read_chunk
from liquid_control.bags.storage.mcap_index import INDEX_ENTRY_BYTES, ChunkEntry, Index
from liquid_control.bags.storage.part import DamageError

CHUNK_HEAD = re.compile(rb"\x06.{5}\x00{3}", re.DOTALL)
ANY_HEAD = re.compile(rb"[\x03-\x0f].{5}\x00{3}", re.DOTALL)
"""Patterns for an opcode and a length below 2**40."""

SEARCH_BYTES = 2**20
ZEROS = bytes(SEARCH_BYTES)
HEAD_BYTES = mcap_format.RECORD.size - 1
"""Bytes of two blocks that overlap, since a record's head may begin in one and end in the next."""

MAX_CANDIDATES = 2_000_000
"""Number of candidate offsets tried in a file before the search stops."""

FOLLOWERS = 2
"""Number of records that must follow a record found by searching."""


class RecordScanner:
    """Iterates over the records between two offsets of a file.

    Args:
        file: the file to read.
        begin: offset at which a record is expected.
        end: offset at which the records end.
        losses: counts bytes that belong to no record.
        channels: known channels; after a gap, messages on other channels are rejected. Empty if
            unknown.
    """

    def __init__(
        self,
        file: mcap_format.RecordFile,
        begin: int,
        end: int,
        losses: Losses,
        channels: Collection[int] = (),
    ) -> None:
        self._file, self._begin, self._end = file, begin, end
        self._losses = losses
        self._channels = channels
        self._candidates = MAX_CANDIDATES
        self._chunked = False

    def __iter__(self) -> Iterator[mcap_format.RecordSpan]:
        position = self._begin
        current = mcap_format.record_at(self._file, position)
        if current is None:
            current = self._search(position + 1)
            self._lost(position, current)
        while current is not None:
            following = (
                mcap_format.record_at(self._file, current.stop)
                if current.stop < self._end
                else None
            )
            found = None
            if following is None and current.stop != self._end:
                self._chunked |= current.opcode == Opcode.CHUNK
                found = self._search(current.offset + 1)
                if found is not None and found.offset < current.stop:
                    self._lost(current.offset, found)
                    current = found
                    continue
            yield current
            if current.opcode == Opcode.FOOTER or current.stop >= self._end:
                return
            if following is None:
                self._lost(current.stop, found)
            self._chunked |= current.opcode == Opcode.CHUNK
            current = following or found

    def _lost(self, begin: int, found: mcap_format.RecordSpan | None) -> None:
        end = found.offset if found else self._end
        if found or end - begin >= mcap_format.RECORD.size:
            reason = f"at byte {begin}, {end - begin} bytes"
            self._losses.count(Loss.UNREADABLE_BYTES, reason, end - begin)

    def _search(self, offset: int) -> mcap_format.RecordSpan | None:
        """Return the next plausible record."""
        pattern = CHUNK_HEAD if self._chunked else ANY_HEAD
        while offset < self._end:
            data = self._file.at(offset, min(SEARCH_BYTES, self._end - offset))
            if data == ZEROS:
                offset = max(offset + 1, self._file.after_hole(offset + len(data) - HEAD_BYTES))
                continue
            position = 0
            while (match := pattern.search(data, position)) is not None:
                position = match.start() + 1
                self._candidates -= 1
                if self._candidates < 0:
                    return None
                found = self._plausible(offset + match.start())
                if found is not None:
                    return found
            offset += max(1, len(data) - HEAD_BYTES)
        return None

    def _plausible(self, offset: int) -> mcap_format.RecordSpan | None:
        found = mcap_format.record_at(self._file, offset)
        if found is None:
            return None
        if found.opcode == Opcode.CHUNK:
            return found if plausible_chunk(self._file, offset) else None
        if found.opcode == Opcode.MESSAGE and self._channels:
            head = self._file.at(offset, mcap_format.MESSAGE.size)
            if (
                len(head) < mcap_format.MESSAGE.size
                or mcap_format.MESSAGE.unpack(head)[2] not in self._channels
            ):
                return None
        following: mcap_format.RecordSpan | None = found
        for _ in range(FOLLOWERS):
            if following is None or following.stop > self._end:
                return None
            if following.stop == self._end:
                break
            following = mcap_format.record_at(self._file, following.stop)
        return found if following is not None else None


def plausible_chunk(file: mcap_format.RecordFile, offset: int) -> mcap_format.ChunkHead | None:
    """Return the header of the chunk at an offset if its values are plausible."""
    try:
        head = mcap_format.chunk_head(file, offset)
    except DamageError:
        return None
    known = head.compression in ("", "lz4", "zstd")
    times = head.start_ns <= head.end_ns or head.end_ns == 0
    return head if known and times else None


MESSAGE_INDEX = Struct("<HI")
MAX_INSPECTED = 64
"""Number of chunks read for definitions that also exist outside chunks."""


def scan(file: mcap_format.RecordFile) -> Index:
    """Build an index from the records themselves; its losses count the damage."""
    scanned = _Scan(file)
    end = file.size
    if file.at(end - len(mcap_format.MAGIC), len(mcap_format.MAGIC)) == mcap_format.MAGIC:
        end -= len(mcap_format.MAGIC)
    for record in RecordScanner(
        file, len(mcap_format.MAGIC), end, scanned.index.losses, scanned.outside.channels.keys()
    ):
        scanned.take(record)
    scanned.finish()
    return scanned.index


class _Scan:
    """Builds an index from a scan of the records."""

    def __init__(self, file: mcap_format.RecordFile) -> None:
        self.index = Index()
        self._file = file
        self.outside = Index()
        self._counts: Counter[int] = Counter()
        self._last: ChunkEntry | None = None

    def take(self, record: mcap_format.RecordSpan) -> None:
        opcode = record.opcode
        try:
            if opcode == Opcode.MESSAGE:
                self._take_message(record)
            elif opcode == Opcode.CHUNK:
                self._take_chunk(record)
            elif record.stop > self._file.size:
                return
            elif opcode == Opcode.MESSAGE_INDEX:
                self._take_message_index(record)
            elif opcode == Opcode.SCHEMA or opcode == Opcode.CHANNEL:
                self.outside.define(opcode, self._payload(record))
            elif opcode == Opcode.METADATA:
                metadata = mcap_format.parse(records.Metadata, self._payload(record))
                self.index.metadata.setdefault(metadata.name, metadata.metadata)
        except DamageError as error:
            if record.stop > self._file.size:
                return
            reason = f"at byte {record.offset}: {error}"
            self.index.losses.count(Loss.UNREADABLE_BYTES, reason, record.stop - record.offset)

    def _payload(self, record: mcap_format.RecordSpan) -> bytes:
        begin = record.offset + mcap_format.RECORD.size
        return self._file.at(begin, min(record.stop - begin, mcap_format.MAX_RECORD_BYTES))

    def _take_message(self, record: mcap_format.RecordSpan) -> None:
        if record.stop > self._file.size:
            return
        ranges = self.index.unchunked
        if ranges and ranges[-1][1] == record.offset:
            ranges[-1] = (ranges[-1][0], record.stop)
        else:
            ranges.append((record.offset, record.stop))
        _, _, channel, _, log_ns, _ = mcap_format.MESSAGE.unpack(
            self._file.at(record.offset, mcap_format.MESSAGE.size)
        )
        self._counts[channel] += 1
        self._time(log_ns, log_ns)

    def _time(self, start_ns: int, end_ns: int) -> None:
        index = self.index
        index.start_ns = start_ns if index.start_ns is None else min(index.start_ns, start_ns)
        index.end_ns = end_ns if index.end_ns is None else max(index.end_ns, end_ns)

    def _take_chunk(self, record: mcap_format.RecordSpan) -> None:
        head = mcap_format.chunk_head(self._file, record.offset)
        self._last = ChunkEntry(head.offset, head.start_ns, head.end_ns, head.size)
        self.index.chunks.append(self._last)

    def _take_message_index(self, record: mcap_format.RecordSpan) -> None:
        if self._last is None:
            return
        channel, size = MESSAGE_INDEX.unpack(
            self._file.at(record.offset + mcap_format.RECORD.size, MESSAGE_INDEX.size)
        )
        counts = self._last.counts or {}
        self._last.counts = counts | {channel: size // INDEX_ENTRY_BYTES}

    def finish(self) -> None:
        """Inspect the chunks whose counts or channels are still unknown.

        Definitions in chunks are protected by a checksum and take precedence over those outside.
        """
        index, outside, inspected = self.index, self.outside, 0
        for chunk in index.chunks:
            defined = chunk.counts is not None and chunk.counts.keys() <= index.channels.keys()
            known = index.channels.keys() | outside.channels.keys()
            unknown = chunk.counts is None or not chunk.counts.keys() <= known
            if unknown or (not defined and inspected < MAX_INSPECTED):
                self._inspect(chunk)
                inspected += 1
        index.schemas = outside.schemas | index.schemas
        index.channels = outside.channels | index.channels
        for chunk in index.chunks:
            if chunk.counts and any(chunk.counts.values()):
                self._counts.update(chunk.counts)
                self._time(chunk.start_ns, chunk.end_ns)
        index.counts = dict.fromkeys(index.channels, 0) | dict(self._counts)

    def _inspect(self, chunk: ChunkEntry) -> None:
        """Add definitions and counts of a chunk; of a damaged chunk, complete definitions only."""
        counts: Counter[int] = Counter()
        try:
            head = mcap_format.chunk_head(self._file, chunk.offset)
            for data, block in read_chunk(self._file, head, {}, 0):
                self._define(data, block)
                counts.update(entry.channel for entry in block.entries)
        except DamageError:
            with suppress(DamageError):
                for data, block in complete_records(self._file, head, {}, 0):
                    self._define(data, block)
        if chunk.counts is None:
            chunk.counts = dict(counts)

    def _define(self, data: bytes, block: mcap_format.RecordBlock) -> None:
        for opcode, begin, end in block.definitions:
            self.index.define(opcode, data[begin:end])
