"""MCAP file as part of a recording: complete, truncated or damaged, with or without an index.

Messages outside chunks are read in blocks as long as each record leads to the next. From the first
that does not, every record is checked against the records that follow it. A large message is read
when it is delivered, so a waiting large message costs no memory.
"""

from collections.abc import Collection, Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from mcap.opcode import Opcode

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage import mcap_format, ordering
from liquid_control.bags.storage.mcap_chunk import MAX_WHOLE_BYTES, read_chunk
from liquid_control.bags.storage.mcap_index import ChunkEntry, Index, read_summary
from liquid_control.bags.storage.mcap_recovery import RecordScanner, scan
from liquid_control.bags.storage.part import (
    CDR,
    Contents,
    DamageError,
    Definition,
    RawMessage,
    Topic,
    topic_of,
)

BY_TIME = itemgetter(0)


class McapPart:
    """An MCAP file.

    Args:
        name: name of the file in messages.
        path: path of the file to read.
    """

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._path = name, path
        with mcap_format.RecordFile(path) as file:
            self._index = index_of(file, name)
        self.contents = _contents(self._index)

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int
    ) -> Iterator[RawMessage]:
        """Yield messages by log time; see `Part`."""
        losses.add(self._index.losses)
        routes: mcap_format.Routes = {
            channel: (topic.name, topic.type) if topic.name in topics else None
            for channel, topic in _topics(self._index).items()
        }
        reader = _Reader(self._name, self._index, routes, losses, start_ns)
        with mcap_format.RecordFile(self._path) as file:
            yield from ordering.by_time(reader.runs(file))


def index_of(file: mcap_format.RecordFile, name: str) -> Index:
    """Return the index of the file's summary, or one built by scanning the file."""
    reason = ""
    try:
        index = read_summary(file)
    except DamageError as error:
        index, reason = None, str(error)
    if index is None:
        index = scan(file)
        complete = (
            file.at(file.size - len(mcap_format.MAGIC), len(mcap_format.MAGIC))
            == mcap_format.MAGIC
        )
        if not complete:
            index.losses.count(Loss.ENDS_EARLY, f"{name} at byte {file.size}")
        elif reason:
            index.losses.count(Loss.NO_INDEX, f"{name}: {reason}")
    return index


def _topics(index: Index) -> dict[int, Topic]:
    found = {}
    for channel in index.channels.values():
        schema = index.schemas.get(channel.schema_id)
        definition = Definition("", "")
        if schema is not None:
            text = schema.data.decode("utf-8", "replace")
            definition = Definition(schema.encoding, text)
        count = index.counts.get(channel.id, 0) if index.counts is not None else None
        kind = schema.name if schema is not None else ""
        encoding = channel.message_encoding or CDR
        found[channel.id] = topic_of(channel.topic, kind, count, definition, encoding)
    return found


def _contents(index: Index) -> Contents:
    topics = tuple(_topics(index).values())
    return Contents(topics, index.metadata, index.start_ns, index.end_ns)


class _Reader:
    """Reads the messages of a file once."""

    def __init__(
        self, name: str, index: Index, routes: mcap_format.Routes, losses: Losses, start_ns: int
    ) -> None:
        self._name, self._index, self._routes = name, index, routes
        self._losses, self._start_ns = losses, start_ns
        self._requested = {channel for channel, route in routes.items() if route is not None}

    def runs(self, file: mcap_format.RecordFile) -> Iterator[ordering.MessageRun]:
        """Yield the parts of the file that may hold requested messages."""
        for chunk in self._index.chunks:
            if chunk.end_ns >= self._start_ns and self._may_hold(chunk):
                size = min(chunk.size, ordering.WINDOW_BYTES)
                yield ordering.MessageRun(chunk.start_ns, size, partial(self._chunk, file, chunk))
        reader = UnchunkedReader(self._name, self._routes, self._losses, self._start_ns)
        for begin, end in self._index.unchunked:
            start_ns = self._index.start_ns or 0
            yield ordering.MessageRun(start_ns, 0, partial(reader.messages, file, begin, end))

    def _may_hold(self, chunk: ChunkEntry) -> bool:
        if chunk.counts is None:
            return True
        return any(
            count and (channel in self._requested or channel not in self._routes)
            for channel, count in chunk.counts.items()
        )

    def _chunk(self, file: mcap_format.RecordFile, chunk: ChunkEntry) -> Iterator[RawMessage]:
        try:
            head = mcap_format.chunk_head(file, chunk.offset)
        except DamageError as error:
            self._damaged(chunk, error)
            return iter(())
        truncated = head.stop > file.size
        messages = self._messages(file, head, chunk, truncated)
        return (
            ordering.in_window(messages) if truncated or head.size > MAX_WHOLE_BYTES else messages
        )

    def _messages(
        self,
        file: mcap_format.RecordFile,
        head: mcap_format.ChunkHead,
        chunk: ChunkEntry,
        truncated: bool,
    ) -> Iterator[RawMessage]:
        make, routes = RawMessage._make, self._routes
        try:
            for data, block in read_chunk(file, head, routes, self._start_ns):
                entries = block.entries
                if not block.ordered:
                    entries.sort(key=BY_TIME)
                for log_ns, channel, begin, end in entries:
                    route = routes.get(channel)
                    if route is None:
                        self._undefined(channel)
                        continue
                    yield make((*route, log_ns, data[begin:end]))
        except DamageError as error:
            if not truncated:
                self._damaged(chunk, error)

    def _damaged(self, chunk: ChunkEntry, error: DamageError) -> None:
        count = sum(chunk.counts.values()) if chunk.counts else 0
        content = f", with {count} messages" if count else ""
        reason = f"{self._name} at byte {chunk.offset}: {error}{content}"
        self._losses.count(Loss.DAMAGED_CHUNK, reason)

    def _undefined(self, channel: int) -> None:
        self._losses.count(Loss.NO_TYPE, f"{self._name}: channel {channel} is not defined")


BLOCK = 2**18
FIRST_BLOCK = 2**13
"""Block size after a large message; block sizes then double up to `BLOCK`."""

LARGE = 2**14
"""Messages of at least this size stay in the file while they wait, bytes."""


class UnchunkedMessage(NamedTuple):
    """A message on a requested or undefined channel; `data` is None for a large message."""

    log_ns: int
    channel: int
    begin: int
    end: int
    data: bytes | None


class UnchunkedReader:
    """Reads messages outside chunks from byte ranges of a file.

    Args:
        name: name of the file in messages.
        routes: topic and type by channel.
        losses: counts lost messages and bytes.
        start_ns: log time of the first message to read.
    """

    def __init__(
        self, name: str, routes: mcap_format.Routes, losses: Losses, start_ns: int
    ) -> None:
        self._name, self._routes = name, routes
        self._losses, self._start_ns = losses, start_ns

    def messages(self, file: mcap_format.RecordFile, begin: int, end: int) -> Iterator[RawMessage]:
        """Yield the messages between two offsets, sorted by log time within a window."""
        routes, make = self._routes, RawMessage._make
        for found in ordering.windowed(self._waiting(self._found(file, begin, end))):
            route = routes[found.channel]
            data = found.data
            if data is None:
                data = file.at(found.begin, found.end - found.begin)
            if route is not None and len(data) == found.end - found.begin:
                yield make((*route, found.log_ns, data))

    def _waiting(
        self, found: Iterator[UnchunkedMessage]
    ) -> Iterator[ordering.Waiting[UnchunkedMessage]]:
        for item in found:
            if item.channel not in self._routes:
                reason = f"{self._name}: channel {item.channel} is not defined"
                self._losses.count(Loss.NO_TYPE, reason)
            elif item.end - item.begin > mcap_format.MAX_MESSAGE_BYTES:
                size = item.end - item.begin
                reason = f"{self._name} at byte {item.begin}: a message of {size} bytes"
                self._losses.count(Loss.UNREADABLE_BYTES, reason, size)
            else:
                held = ordering.MESSAGE_BYTES + (0 if item.data is None else len(item.data))
                yield item.log_ns, held, item

    def _found(
        self, file: mcap_format.RecordFile, begin: int, end: int
    ) -> Iterator[UnchunkedMessage]:
        position, block = begin, BLOCK
        while position < end:
            data = file.at(position, min(block, end - position))
            block = min(2 * block, BLOCK)
            found = mcap_format.read_block(data, self._routes, self._start_ns)
            last = found.last
            followed = self._is_record(file, position + found.stop, end)
            entries = found.entries
            if not followed and entries and entries[-1].begin == last + mcap_format.MESSAGE.size:
                entries = entries[:-1]
            for log_ns, channel, first, stop in entries:
                large = stop - first >= LARGE
                yield UnchunkedMessage(
                    log_ns,
                    channel,
                    position + first,
                    position + stop,
                    None if large else data[first:stop],
                )
            if not followed:
                yield from self._checked(file, position + last, end)
                return
            position += found.stop
            if found.stop == 0:
                opcode, length = mcap_format.RECORD.unpack_from(data)
                stop = position + mcap_format.RECORD.size + length
                if not self._is_record(file, stop, end):
                    yield from self._checked(file, position, end)
                    return
                if opcode == Opcode.MESSAGE:
                    yield from self._one(file, position, stop)
                position, block = stop, FIRST_BLOCK

    def _is_record(self, file: mcap_format.RecordFile, offset: int, end: int) -> bool:
        """Return whether a record starts at an offset, or the byte range ends there."""
        record = mcap_format.record_at(file, offset)
        return offset == end or (record is not None and record.stop <= end)

    def _checked(
        self, file: mcap_format.RecordFile, begin: int, end: int
    ) -> Iterator[UnchunkedMessage]:
        for record in RecordScanner(file, begin, end, self._losses, self._routes.keys()):
            if record.opcode == Opcode.MESSAGE and record.stop <= end:
                yield from self._one(file, record.offset, record.stop)

    def _one(
        self, file: mcap_format.RecordFile, offset: int, stop: int
    ) -> Iterator[UnchunkedMessage]:
        _, _, channel, _, log_ns, _ = mcap_format.MESSAGE.unpack(
            file.at(offset, mcap_format.MESSAGE.size)
        )
        requested = self._routes.get(channel, ()) is not None
        if requested and log_ns >= self._start_ns:
            first = offset + mcap_format.MESSAGE.size
            data = file.at(first, stop - first) if stop - first < LARGE else None
            yield UnchunkedMessage(log_ns, channel, first, stop, data)
