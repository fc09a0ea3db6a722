"""Framing of MCAP files (mcap.dev/spec): magic bytes, records and chunk headers.

`read_block`, which finds the messages in a block of records, is the hot loop of reading.
"""

import errno
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeVar

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode

from liquid_control.bags.storage.part import DamageError

MAGIC = b"\x89MCAP0\r\n"
RECORD = struct.Struct("<BQ")
"""Header of a record: opcode and length of its content."""

MESSAGE = struct.Struct("<BQHIQQ")
"""Header of a message record: also channel, sequence, log time and publish time."""

MESSAGE_HEAD = MESSAGE.size - RECORD.size
CHUNK = struct.Struct("<QQQII")
"""First and last log time of a chunk, size, checksum, and length of the compression name."""

MAX_CHUNK_BYTES = 2**30
MAX_RECORD_BYTES = 2**26
"""Limit for all records except chunks, messages and attachments."""

MAX_MESSAGE_BYTES = 2**28

MIN_LENGTHS = {
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
"""Smallest length of a record of each kind."""

UNLIMITED = {Opcode.CHUNK, Opcode.MESSAGE, Opcode.ATTACHMENT}
LIMITS: dict[int, tuple[int, int]] = {
    int(opcode): (least, 2**62 if opcode in UNLIMITED else MAX_RECORD_BYTES)
    for opcode, least in MIN_LENGTHS.items()
}
"""Smallest and largest valid length of a record by opcode."""


class RecordClass(Protocol):
    """Protocol of a record class of the `mcap` library."""

    @staticmethod
    def read(stream: ReadDataStream) -> Any:
        """Parse a record."""
        ...


Record = TypeVar("Record")


def parse(kind: type[Record], payload: bytes) -> Record:
    """Parse a payload with the `mcap` library.

    Raises:
        DamageError: the payload does not fit the record.
    """
    stream = ReadDataStream(BytesIO(payload))
    try:
        record: Record = kind.read(stream)  # type: ignore[attr-defined]
    except (McapError, struct.error, ValueError, OverflowError, MemoryError) as error:
        raise DamageError(f"not a {kind.__name__.lower()} record ({error})") from error
    return record


class RecordFile:
    """File that is read at offsets; small adjacent reads come from one buffered block.

    Args:
        path: path of the file.
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
        """Return `count` bytes at an offset: fewer at the end of the file, none outside it."""
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

    def after_hole(self, offset: int) -> int:
        """Return the first offset from `offset` on that is not in a hole of a sparse file."""
        try:
            return os.lseek(self._fd, offset, os.SEEK_DATA)
        except OSError as error:  # ENXIO: nothing but a hole follows
            return self.size if error.errno == errno.ENXIO else offset

    def view(self, offset: int, count: int) -> memoryview:
        """Return the same as `at` in a buffer that the next call overwrites, without a copy."""
        count = max(0, min(count, self.size - offset))
        if len(self._buffer) < count:
            self._buffer = bytearray(count)
        view = memoryview(self._buffer)[:count]
        return view[: os.preadv(self._fd, [view], offset)]


class RecordSpan(NamedTuple):
    """Byte range of a record; `stop` is beyond the end of the file if it is truncated."""

    opcode: int
    offset: int
    stop: int


def record_at(file: RecordFile, offset: int) -> RecordSpan | None:
    """Return the record at an offset if its opcode and length are valid."""
    head = file.at(offset, RECORD.size)
    if len(head) < RECORD.size:
        return None
    opcode, length = RECORD.unpack(head)
    least, most = LIMITS.get(opcode, (1, 0))
    if not least <= length <= most:
        return None
    return RecordSpan(opcode, offset, offset + RECORD.size + length)


@dataclass(frozen=True, slots=True)
class ChunkHead:
    """Header of a chunk.

    Attributes:
        offset: offset of the chunk record in the file.
        stop: offset of the next record.
        start_ns: first log time.
        end_ns: last log time.
        size: uncompressed size of the records, bytes.
        crc: CRC-32 of the uncompressed records; 0 if there is none.
        compression: name of the compression; empty for none.
        data_offset: offset of the compressed records in the file.
        data_size: compressed size of the records, bytes.
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
    """Return the header of the chunk at an offset.

    Raises:
        DamageError: there is no chunk with consistent lengths.
    """
    head = file.at(offset, RECORD.size + CHUNK.size + 24)
    if len(head) < RECORD.size + CHUNK.size + 8:
        raise DamageError("the file ends in its header")
    opcode, length = RECORD.unpack_from(head)
    start_ns, end_ns, size, crc, name = CHUNK.unpack_from(head, RECORD.size)
    begin = RECORD.size + CHUNK.size
    if opcode != Opcode.CHUNK or name > 16 or begin + name + 8 > len(head):
        raise DamageError("its header is damaged")
    compression = head[begin : begin + name].decode("ascii", "replace")
    data_size = int.from_bytes(head[begin + name : begin + name + 8], "little")
    if data_size != length - CHUNK.size - name - 8:
        raise DamageError("its lengths contradict one another")
    stop = offset + RECORD.size + length
    return ChunkHead(
        offset, stop, start_ns, end_ns, size, crc, compression, stop - data_size, data_size
    )


RECORD_OR_MESSAGE = struct.Struct("<BQH4xQ")
"""Opcode and length of a record; also channel and log time if it is a message."""

MESSAGE_OPCODE = int(Opcode.MESSAGE)
DEFINITIONS = (int(Opcode.SCHEMA), int(Opcode.CHANNEL))
APPLICATION = 0x80
"""Opcodes from this value on are application-specific and are skipped."""

UNDEFINED = ("", "")
Routes = Mapping[int, "tuple[str, str] | None"]
"""Topic and type by channel; None for channels that are not requested."""


class RecordEntry(NamedTuple):
    """Position of a message in a block of records."""

    log_ns: int
    channel: int
    begin: int
    end: int


class RecordBlock(NamedTuple):
    """Contents of a block of records.

    Attributes:
        entries: messages on requested or undefined channels.
        definitions: opcode, start and end of the content of schemas and channels.
        last: start of the last complete record.
        stop: start of the first incomplete record.
        needed: size of that record, bytes; 0 if there is none.
        ordered: whether the entries are in order of log time.
        broken: why reading stopped at an invalid record; empty if there is none.
    """

    entries: list[RecordEntry]
    definitions: list[tuple[int, int, int]]
    last: int
    stop: int
    needed: int
    ordered: bool
    broken: str


def read_block(data: bytes, routes: Routes, start_ns: int) -> RecordBlock:
    """Find the records in bytes that start with a record."""
    entries: list[RecordEntry] = []
    entry, unpack, head = RecordEntry._make, RECORD_OR_MESSAGE.unpack_from, RECORD_OR_MESSAGE.size
    definitions: list[tuple[int, int, int]] = []
    latest, ordered, needed = 0, True, 0
    last = position = 0
    end = len(data)
    while position < end:
        if end - position >= head:
            opcode, length, channel, log_ns = unpack(data, position)
        elif end - position >= RECORD.size:
            (opcode, length), channel, log_ns = RECORD.unpack_from(data, position), 0, 0
        else:
            needed = RECORD.size
            break
        stop = position + RECORD.size + length
        if stop > end:
            needed = stop - position
            break
        if opcode == MESSAGE_OPCODE and length >= MESSAGE_HEAD:
            if log_ns >= start_ns and routes.get(channel, UNDEFINED) is not None:
                entries.append(entry((log_ns, channel, position + MESSAGE.size, stop)))
                ordered = ordered and log_ns >= latest
                latest = log_ns
        elif opcode in DEFINITIONS:
            definitions.append((opcode, position + RECORD.size, stop))
        elif opcode < APPLICATION:
            reason = f"a record of opcode {opcode} and {length} bytes in it"
            return RecordBlock(entries, definitions, last, position, 0, ordered, reason)
        last, position = position, stop
    return RecordBlock(entries, definitions, last, position, needed, ordered, "")
