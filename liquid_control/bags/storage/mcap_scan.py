"""The index of an MCAP file whose own is missing or damaged: made anew by walking over it."""

from collections import Counter
from contextlib import suppress
from struct import Struct

from mcap import records
from mcap.opcode import Opcode

from liquid_control.bags.losses import Loss
from liquid_control.bags.storage.mcap_chunk import pieces_of, whole_records
from liquid_control.bags.storage.mcap_format import (
    LARGEST_RECORD,
    MAGIC,
    MESSAGE,
    RECORD,
    RecordFile,
    chunk_head,
    parse,
)
from liquid_control.bags.storage.mcap_index import INDEX_ENTRY, Index, Span
from liquid_control.bags.storage.mcap_piece import Piece
from liquid_control.bags.storage.mcap_walk import Framed, Walk
from liquid_control.bags.storage.part import BrokenBytesError

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
        self._last: Span | None = None

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
        self._last = Span(head.offset, head.start_ns, head.end_ns, head.size)
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

    def _look_into(self, span: Span) -> None:
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
