"""The records of an MCAP file one after the other, found again where the framing is broken.

A record is believed when its length leads to another record, or to the end.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from struct import Struct
from typing import NamedTuple

from mcap import records
from mcap.opcode import Opcode

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.mcap_chunk import pieces_of, whole_records
from liquid_control.bags.storage.mcap_format import (
    LARGEST_RECORD,
    LIMITS,
    MAGIC,
    MESSAGE,
    RECORD,
    ChunkHead,
    RecordFile,
    chunk_head,
    parse,
)
from liquid_control.bags.storage.mcap_index import INDEX_ENTRY, ChunkEntry, Index
from liquid_control.bags.storage.mcap_record_block import Piece
from liquid_control.bags.storage.part import BrokenBytesError

CHUNK_HEAD = re.compile(rb"\x06.{5}\x00{3}", re.DOTALL)
ANY_HEAD = re.compile(rb"[\x03-\x0f].{5}\x00{3}", re.DOTALL)
"""Opcode and a length below 2**40."""

SEARCHED = 2**20
CANDIDATES = 2_000_000
"""So many places are tried in a file before the rest is given up."""

FOLLOWERS = 2
"""A record found by searching must be followed by so many others."""


class Framed(NamedTuple):
    """A record's place: `stop` lies beyond the end of the file where it is cut off."""

    opcode: int
    offset: int
    stop: int


class Walk:
    """A walk over the records between two offsets of a file.

    Args:
        file: to read.
        begin: where a record is expected.
        end: where they end.
        losses: counts bytes that are no record.
        channels: messages on others are not believed after a gap; none if they are not known.
    """

    def __init__(
        self,
        file: RecordFile,
        begin: int,
        end: int,
        losses: Losses,
        channels: Collection[int] = (),
    ) -> None:
        self._file, self._begin, self._end = file, begin, end
        self._losses = losses
        self._channels = channels
        self._candidates = CANDIDATES
        self._chunked = False

    def __iter__(self) -> Iterator[Framed]:
        position = self._begin
        current = self._record(position)
        if current is None:
            current = self._search(position + 1)
            self._lost(position, current)
        while current is not None:
            following = self._record(current.stop) if current.stop < self._end else None
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

    def _lost(self, begin: int, found: Framed | None) -> None:
        end = found.offset if found else self._end
        if found or end - begin >= RECORD.size:
            reason = f"at byte {begin}, {end - begin} bytes"
            self._losses.count(Loss.UNREADABLE_BYTES, reason, end - begin)

    def _record(self, offset: int) -> Framed | None:
        """Return the record at an offset if its opcode and length can be."""
        head = self._file.at(offset, RECORD.size)
        if len(head) < RECORD.size:
            return None
        opcode, length = RECORD.unpack(head)
        least, most = LIMITS.get(opcode, (1, 0))
        if not least <= length <= most:
            return None
        return Framed(opcode, offset, offset + RECORD.size + length)

    def _search(self, offset: int) -> Framed | None:
        """Return the next record that can be believed."""
        pattern = CHUNK_HEAD if self._chunked else ANY_HEAD
        while offset < self._end:
            data = self._file.at(offset, min(SEARCHED, self._end - offset))
            position = 0
            while (match := pattern.search(data, position)) is not None:
                position = match.start() + 1
                self._candidates -= 1
                if self._candidates < 0:
                    return None
                found = self._believed(offset + match.start())
                if found is not None:
                    return found
            offset += max(1, len(data) - RECORD.size + 1)
        return None

    def _believed(self, offset: int) -> Framed | None:
        found = self._record(offset)
        if found is None:
            return None
        if found.opcode == Opcode.CHUNK:
            return found if believable(self._file, offset) else None
        if found.opcode == Opcode.MESSAGE and self._channels:
            head = self._file.at(offset, MESSAGE.size)
            if len(head) < MESSAGE.size or MESSAGE.unpack(head)[2] not in self._channels:
                return None
        following: Framed | None = found
        for _ in range(FOLLOWERS):
            if following is None or following.stop > self._end:
                return None
            if following.stop == self._end:
                break
            following = self._record(following.stop)
        return found if following is not None else None


def believable(file: RecordFile, offset: int) -> ChunkHead | None:
    """Return the head of the chunk at an offset if all that it says can be."""
    try:
        head = chunk_head(file, offset)
    except BrokenBytesError:
        return None
    known = head.compression in ("", "lz4", "zstd")
    times = head.start_ns <= head.end_ns or head.end_ns == 0
    return head if known and times else None


MESSAGE_INDEX = Struct("<HI")
LOOKED_INTO = 64
"""So many chunks are read for definitions that also stand outside of them."""


def scan(file: RecordFile) -> Index:
    """Return an index made from the records themselves; its losses say what is broken."""
    scanned = _Scan(file)
    end = file.size
    if file.at(end - len(MAGIC), len(MAGIC)) == MAGIC:
        end -= len(MAGIC)
    for record in Walk(
        file, len(MAGIC), end, scanned.index.losses, scanned.outside.channels.keys()
    ):
        scanned.take(record)
    scanned.finish()
    return scanned.index


class _Scan:
    """An index in the making."""

    def __init__(self, file: RecordFile) -> None:
        self.index = Index()
        self._file = file
        self.outside = Index()
        self._counts: Counter[int] = Counter()
        self._last: ChunkEntry | None = None

    def take(self, record: Framed) -> None:
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
                said = parse(records.Metadata, self._payload(record))
                self.index.metadata.setdefault(said.name, said.metadata)
        except BrokenBytesError as error:
            if record.stop > self._file.size:
                return
            reason = f"at byte {record.offset}: {error}"
            self.index.losses.count(Loss.UNREADABLE_BYTES, reason, record.stop - record.offset)

    def _payload(self, record: Framed) -> bytes:
        begin = record.offset + RECORD.size
        return self._file.at(begin, min(record.stop - begin, LARGEST_RECORD))

    def _take_message(self, record: Framed) -> None:
        if record.stop > self._file.size:
            return
        loose = self.index.loose
        if loose and loose[-1][1] == record.offset:
            loose[-1] = (loose[-1][0], record.stop)
        else:
            loose.append((record.offset, record.stop))
        _, _, channel, _, log_ns, _ = MESSAGE.unpack(self._file.at(record.offset, MESSAGE.size))
        self._counts[channel] += 1
        self._time(log_ns, log_ns)

    def _time(self, start_ns: int, end_ns: int) -> None:
        index = self.index
        index.start_ns = start_ns if index.start_ns is None else min(index.start_ns, start_ns)
        index.end_ns = end_ns if index.end_ns is None else max(index.end_ns, end_ns)

    def _take_chunk(self, record: Framed) -> None:
        head = chunk_head(self._file, record.offset)
        self._last = ChunkEntry(head.offset, head.start_ns, head.end_ns, head.size)
        self.index.spans.append(self._last)

    def _take_message_index(self, record: Framed) -> None:
        if self._last is None:
            return
        channel, size = MESSAGE_INDEX.unpack(
            self._file.at(record.offset + RECORD.size, MESSAGE_INDEX.size)
        )
        counts = self._last.counts or {}
        self._last.counts = counts | {channel: size // INDEX_ENTRY}

    def finish(self) -> None:
        """Look into the chunks that hold what is not known yet.

        Definitions in chunks have a checksum, those outside of them fill the gaps.
        """
        index, outside, looked = self.index, self.outside, 0
        for span in index.spans:
            sure = span.counts is not None and span.counts.keys() <= index.channels.keys()
            known = index.channels.keys() | outside.channels.keys()
            doubtful = span.counts is None or not span.counts.keys() <= known
            if doubtful or (not sure and looked < LOOKED_INTO):
                self._look_into(span)
                looked += 1
        index.schemas = outside.schemas | index.schemas
        index.channels = outside.channels | index.channels
        for span in index.spans:
            if span.counts and any(span.counts.values()):
                self._counts.update(span.counts)
                self._time(span.start_ns, span.end_ns)
        index.counts = dict.fromkeys(index.channels, 0) | dict(self._counts)

    def _look_into(self, span: ChunkEntry) -> None:
        """Take up definitions and counts; of a damaged chunk the definitions that are whole."""
        counts: Counter[int] = Counter()
        try:
            head = chunk_head(self._file, span.offset)
            for data, piece in pieces_of(self._file, head, {}, 0):
                self._define(data, piece)
                counts.update(entry.channel for entry in piece.entries)
        except BrokenBytesError:
            with suppress(BrokenBytesError):
                for data, piece in whole_records(self._file, head, {}, 0):
                    self._define(data, piece)
        if span.counts is None:
            span.counts = dict(counts)

    def _define(self, data: bytes, piece: Piece) -> None:
        for opcode, begin, end in piece.definitions:
            self.index.define(opcode, data[begin:end])
