"""MCAP's framing: a magic, records of opcode and length, chunks of them (mcap.dev/spec)."""

import os
import struct
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode

from liquid_control.bags.storage.part import BrokenBytesError

MAGIC = b"\x89MCAP0\r\n"
RECORD = struct.Struct("<BQ")
"""Opcode and length of what follows."""

MESSAGE = struct.Struct("<BQHIQQ")
"""The same of a message, with channel, sequence, log time and publish time."""

MESSAGE_HEAD = MESSAGE.size - RECORD.size
CHUNK = struct.Struct("<QQQII")
"""A chunk's first and last log time, size, checksum and the length of its compression's name."""

COMPRESSIONS = {"", "lz4", "zstd"}
LARGEST_CHUNK = 2**30
LARGEST_RECORD = 2**26
"""Of anything but a chunk, a message or an attachment."""

LARGEST_MESSAGE = 2**28

LEAST = {
    Opcode.HEADER: 8,
    Opcode.FOOTER: 20,
    Opcode.SCHEMA: 14,
    Opcode.CHANNEL: 16,
    Opcode.MESSAGE: 22,
    Opcode.CHUNK: 40,
    Opcode.MESSAGE_INDEX: 6,
    Opcode.CHUNK_INDEX: 64,
    Opcode.ATTACHMENT: 36,
    Opcode.ATTACHMENT_INDEX: 48,
    Opcode.STATISTICS: 46,
    Opcode.METADATA: 8,
    Opcode.METADATA_INDEX: 20,
    Opcode.SUMMARY_OFFSET: 17,
    Opcode.DATA_END: 4,
}
"""Length of the shortest record of each kind."""

LARGE = {Opcode.CHUNK, Opcode.MESSAGE, Opcode.ATTACHMENT}
LIMITS: dict[int, tuple[int, int]] = {
    int(opcode): (least, 2**62 if opcode in LARGE else LARGEST_RECORD)
    for opcode, least in LEAST.items()
}
"""Lengths that a record of each opcode may have."""


class RecordClass(Protocol):
    """A record of the `mcap` library."""

    @staticmethod
    def read(stream: ReadDataStream) -> Any:
        """Parse it."""
        ...


Record = TypeVar("Record")


def parse(kind: type[Record], payload: bytes) -> Record:
    """Return a record of the `mcap` library.

    Raises:
        BrokenBytesError: the payload does not fit it.
    """
    stream = ReadDataStream(BytesIO(payload))
    try:
        record: Record = kind.read(stream)  # type: ignore[attr-defined]
    except (McapError, struct.error, ValueError, OverflowError, MemoryError) as error:
        raise BrokenBytesError(f"no {kind.__name__.lower()} record ({error})") from error
    return record


class RecordFile:
    """A file read at offsets; small neighbouring reads come from one block.

    Args:
        path: of the file.
    """

    BLOCK = 2**18
    DIRECT = 2**16
    FIRST = 2**13

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb", buffering=0)
        self._fd = self._stream.fileno()
        self._block = b""
        self._block_at = 0
        self._buffer = bytearray()
        self.size = os.fstat(self._fd).st_size

    def __enter__(self) -> "RecordFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def at(self, offset: int, count: int) -> bytes:
        """Return `count` bytes, fewer at the end of the file, none outside of it."""
        if not 0 <= offset < self.size or count <= 0:
            return b""
        begin = offset - self._block_at
        if begin >= 0 and begin + count <= len(self._block):
            return self._block[begin : begin + count]
        if count > self.DIRECT:
            return os.pread(self._fd, min(count, self.size - offset), offset)
        onwards = 0 <= begin <= len(self._block)
        ahead = min(2 * len(self._block), self.BLOCK) if onwards else 0
        self._block = os.pread(self._fd, max(count, ahead, self.FIRST), offset)
        self._block_at = offset
        return self._block[:count]

    def view(self, offset: int, count: int) -> memoryview:
        """Return the same in memory that the next call overwrites: no allocation, no copy."""
        count = max(0, min(count, self.size - offset))
        if len(self._buffer) < count:
            self._buffer = bytearray(count)
        view = memoryview(self._buffer)[:count]
        return view[: os.preadv(self._fd, [view], offset)]


@dataclass(frozen=True, slots=True)
class ChunkHead:
    """What a chunk says about itself.

    Attributes:
        offset: of its record in the file.
        stop: where the next record begins.
        start_ns: first log time.
        end_ns: last log time.
        size: of its records, uncompressed, bytes.
        crc: CRC-32 of them; 0 where it has none.
        compression: its name.
        data_offset: where its compressed records lie in the file.
        data_size: compressed, bytes.
    """

    offset: int
    stop: int
    start_ns: int
    end_ns: int
    size: int
    crc: int
    compression: str
    data_offset: int
    data_size: int


def chunk_head(file: RecordFile, offset: int) -> ChunkHead:
    """Return the head of the chunk at an offset.

    Raises:
        BrokenBytesError: there is no chunk whose lengths fit one another.
    """
    head = file.at(offset, RECORD.size + CHUNK.size + 24)
    if len(head) < RECORD.size + CHUNK.size + 8:
        raise BrokenBytesError("the file ends in its head")
    opcode, length = RECORD.unpack_from(head)
    start_ns, end_ns, size, crc, name = CHUNK.unpack_from(head, RECORD.size)
    begin = RECORD.size + CHUNK.size
    if opcode != Opcode.CHUNK or name > 16 or begin + name + 8 > len(head):
        raise BrokenBytesError("its head is damaged")
    compression = head[begin : begin + name].decode("ascii", "replace")
    data_size = int.from_bytes(head[begin + name : begin + name + 8], "little")
    if data_size != length - CHUNK.size - name - 8:
        raise BrokenBytesError("its lengths contradict one another")
    stop = offset + RECORD.size + length
    return ChunkHead(
        offset, stop, start_ns, end_ns, size, crc, compression, stop - data_size, data_size
    )
