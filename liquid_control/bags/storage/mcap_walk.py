"""The records of an MCAP file one after the other, found again where the framing is broken.

A record is believed when its length leads to another record, or to the end.
"""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from mcap.opcode import Opcode

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.mcap_format import (
    LIMITS,
    MESSAGE,
    RECORD,
    ChunkHead,
    RecordFile,
    chunk_head,
)
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
