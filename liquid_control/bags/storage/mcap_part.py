"""An MCAP file as part of a recording: whole, cut off, damaged, with an index or without."""

from collections.abc import Collection, Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.mcap_chunk import WHOLE, pieces_of
from liquid_control.bags.storage.mcap_format import MAGIC, ChunkHead, RecordFile, chunk_head
from liquid_control.bags.storage.mcap_index import ChunkEntry, Index, read_summary
from liquid_control.bags.storage.mcap_record_block import Routes
from liquid_control.bags.storage.mcap_recovery import scan
from liquid_control.bags.storage.mcap_unchunked import LooseReader
from liquid_control.bags.storage.ordering import WINDOW_BYTES, MessageRun, by_time, in_window
from liquid_control.bags.storage.part import (
    BrokenBytesError,
    Contents,
    Definition,
    RawMessage,
    Topic,
)

BY_TIME = itemgetter(0)


class McapPart:
    """An MCAP file.

    Args:
        name: what reports call it.
        path: where its bytes are.
    """

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._path = name, path
        with RecordFile(path) as file:
            self._index = index_of(file, name)
        self.contents = _contents(self._index)

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int
    ) -> Iterator[RawMessage]:
        """Yield messages by log time; see `Part`."""
        for loss, number in self._index.losses.counts.items():
            losses.count(loss, self._index.losses.reasons[loss], number)
        routes: Routes = {
            channel: (topic.name, topic.type) if topic.name in topics else None
            for channel, topic in _topics(self._index).items()
        }
        reader = _Reader(self._name, self._index, routes, losses, start_ns)
        with RecordFile(self._path) as file:
            yield from by_time(reader.stretches(file))


def index_of(file: RecordFile, name: str) -> Index:
    """Return the file's own index, or one made by walking over it."""
    reason = ""
    try:
        index = read_summary(file)
    except BrokenBytesError as error:
        index, reason = None, str(error)
    if index is None:
        index = scan(file)
        ended = file.at(file.size - len(MAGIC), len(MAGIC)) == MAGIC
        if not ended:
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
        found[channel.id] = Topic(channel.topic, kind, count, definition)
    return found


def _contents(index: Index) -> Contents:
    topics = tuple(_topics(index).values())
    return Contents(topics, index.metadata, index.start_ns, index.end_ns)


class _Reader:
    """One reading of a file."""

    def __init__(
        self, name: str, index: Index, routes: Routes, losses: Losses, start_ns: int
    ) -> None:
        self._name, self._index, self._routes = name, index, routes
        self._losses, self._start_ns = losses, start_ns
        self._wanted = {channel for channel, route in routes.items() if route is not None}

    def stretches(self, file: RecordFile) -> Iterator[MessageRun]:
        """Yield what of the file may hold wanted messages."""
        for span in self._index.spans:
            if span.end_ns >= self._start_ns and self._may_hold(span):
                size = min(span.size, WINDOW_BYTES)
                yield MessageRun(span.start_ns, size, partial(self._chunk, file, span))
        loose = LooseReader(self._name, self._routes, self._losses, self._start_ns)
        for begin, end in self._index.loose:
            start_ns = self._index.start_ns or 0
            yield MessageRun(start_ns, 0, partial(loose.messages, file, begin, end))

    def _may_hold(self, span: ChunkEntry) -> bool:
        if span.counts is None:
            return True
        return any(
            count and (channel in self._wanted or channel not in self._routes)
            for channel, count in span.counts.items()
        )

    def _chunk(self, file: RecordFile, span: ChunkEntry) -> Iterator[RawMessage]:
        try:
            head = chunk_head(file, span.offset)
        except BrokenBytesError as error:
            self._damaged(span, error)
            return iter(())
        cut_off = head.stop > file.size
        messages = self._messages(file, head, span, cut_off)
        return in_window(messages) if cut_off or head.size > WHOLE else messages

    def _messages(
        self, file: RecordFile, head: ChunkHead, span: ChunkEntry, cut_off: bool
    ) -> Iterator[RawMessage]:
        make, routes = RawMessage._make, self._routes
        try:
            for data, piece in pieces_of(file, head, routes, self._start_ns):
                entries = piece.entries
                if not piece.ordered:
                    entries.sort(key=BY_TIME)
                for log_ns, channel, begin, end in entries:
                    route = routes.get(channel)
                    if route is None:
                        self._undefined(channel)
                        continue
                    yield make((*route, log_ns, data[begin:end]))
        except BrokenBytesError as error:
            if not cut_off:
                self._damaged(span, error)

    def _damaged(self, span: ChunkEntry, error: BrokenBytesError) -> None:
        count = sum(span.counts.values()) if span.counts else 0
        held = f", with {count} messages" if count else ""
        reason = f"{self._name} at byte {span.offset}: {error}{held}"
        self._losses.count(Loss.DAMAGED_CHUNK, reason)

    def _undefined(self, channel: int) -> None:
        self._losses.count(Loss.NO_TYPE, f"{self._name}: channel {channel} is not defined")
