"""The messages of an MCAP file that lie outside of chunks.

They are read in blocks as long as one record leads to the next; from the first that does not,
every record is checked against what follows it. A large message is read when its turn comes, so
that one that waits for its turn costs nothing.
"""

from collections.abc import Iterator
from typing import NamedTuple

from mcap.opcode import Opcode

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.mcap_format import (
    LARGEST_MESSAGE,
    LIMITS,
    MESSAGE,
    RECORD,
    RecordFile,
)
from liquid_control.bags.storage.mcap_record_block import Routes, read_piece
from liquid_control.bags.storage.mcap_recovery import Walk
from liquid_control.bags.storage.ordering import MESSAGE_BYTES, Waiting, windowed
from liquid_control.bags.storage.part import RawMessage

BLOCK = 2**18
FIRST_BLOCK = 2**13
"""Behind a large message small ones may be few, so blocks begin small and double."""

LARGE = 2**14
"""Messages from this size on are left in the file while they wait, bytes."""


class Found(NamedTuple):
    """A message on a wanted or undefined channel; its data, if it is not large."""

    log_ns: int
    channel: int
    begin: int
    end: int
    data: bytes | None


class LooseReader:
    """Reads stretches of a file.

    Args:
        name: what reports call the file.
        routes: topic and type of each channel.
        losses: counts what is lost.
        start_ns: earlier messages are left out.
    """

    def __init__(self, name: str, routes: Routes, losses: Losses, start_ns: int) -> None:
        self._name, self._routes = name, routes
        self._losses, self._start_ns = losses, start_ns

    def messages(self, file: RecordFile, begin: int, end: int) -> Iterator[RawMessage]:
        """Yield the messages between two offsets by log time as far as a window allows."""
        routes, make = self._routes, RawMessage._make
        for found in windowed(self._waiting(self._found(file, begin, end))):
            route = routes[found.channel]
            data = found.data
            if data is None:
                data = file.at(found.begin, found.end - found.begin)
            if route is not None and len(data) == found.end - found.begin:
                yield make((*route, found.log_ns, data))

    def _waiting(self, found: Iterator[Found]) -> Iterator[Waiting[Found]]:
        for item in found:
            if item.channel not in self._routes:
                reason = f"{self._name}: channel {item.channel} is not defined"
                self._losses.count(Loss.NO_TYPE, reason)
            elif item.end - item.begin > LARGEST_MESSAGE:
                size = item.end - item.begin
                reason = f"{self._name} at byte {item.begin}: a message of {size} bytes"
                self._losses.count(Loss.UNREADABLE_BYTES, reason, size)
            else:
                held = MESSAGE_BYTES + (0 if item.data is None else len(item.data))
                yield item.log_ns, held, item

    def _found(self, file: RecordFile, begin: int, end: int) -> Iterator[Found]:
        position, block = begin, BLOCK
        while position < end:
            data = file.at(position, min(block, end - position))
            block = min(2 * block, BLOCK)
            piece = read_piece(data, self._routes, self._start_ns)
            last = piece.last
            followed = self._leads_on(file, position + piece.stop, end)
            entries = piece.entries
            if not followed and entries and entries[-1].begin == last + MESSAGE.size:
                entries = entries[:-1]
            for log_ns, channel, first, stop in entries:
                large = stop - first >= LARGE
                yield Found(
                    log_ns,
                    channel,
                    position + first,
                    position + stop,
                    None if large else data[first:stop],
                )
            if not followed:
                yield from self._checked(file, position + last, end)
                return
            position += piece.stop
            if piece.stop == 0:
                opcode, length = RECORD.unpack_from(data)
                stop = position + RECORD.size + length
                if not self._leads_on(file, stop, end):
                    yield from self._checked(file, position, end)
                    return
                if opcode == Opcode.MESSAGE:
                    yield from self._one(file, position, stop)
                position, block = stop, FIRST_BLOCK

    def _leads_on(self, file: RecordFile, offset: int, end: int) -> bool:
        """Return whether a record begins at an offset, or the stretch ends there."""
        if offset == end:
            return True
        head = file.at(offset, RECORD.size)
        if offset > end or len(head) < RECORD.size:
            return False
        opcode, length = RECORD.unpack(head)
        least, most = LIMITS.get(opcode, (1, 0))
        return bool(least <= length <= most and offset + RECORD.size + length <= end)

    def _checked(self, file: RecordFile, begin: int, end: int) -> Iterator[Found]:
        for record in Walk(file, begin, end, self._losses, self._routes.keys()):
            if record.opcode == Opcode.MESSAGE and record.stop <= end:
                yield from self._one(file, record.offset, record.stop)

    def _one(self, file: RecordFile, offset: int, stop: int) -> Iterator[Found]:
        _, _, channel, _, log_ns, _ = MESSAGE.unpack(file.at(offset, MESSAGE.size))
        wanted = self._routes.get(channel, ()) is not None
        if wanted and log_ns >= self._start_ns:
            first = offset + MESSAGE.size
            data = file.at(first, stop - first) if stop - first < LARGE else None
            yield Found(log_ns, channel, first, stop, data)
