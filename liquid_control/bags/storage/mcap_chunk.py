"""The messages of a chunk: decompressed and checked before any of it is believed.

A chunk of common size is read whole. A large one is read twice in pieces, first to check it, so
that memory does not follow what a file says about itself.
"""

from collections.abc import Iterator
from io import BytesIO, RawIOBase
from typing import IO, Any
from zlib import crc32

import lz4.frame  # type: ignore[import-untyped]
import zstandard

from liquid_control.bags.storage.mcap_format import (
    LARGEST_CHUNK,
    LARGEST_MESSAGE,
    ChunkHead,
    RecordFile,
)
from liquid_control.bags.storage.mcap_record_block import Piece, Routes, read_piece
from liquid_control.bags.storage.part import BrokenBytesError

WHOLE = 2**25
"""Chunks up to this size are read whole, bytes."""

PIECE = 2**22
SMALL = 2**22
"""Of LZ4, which grows to 255 times at most, so much is decompressed without a bound."""


def pieces_of(
    file: RecordFile, head: ChunkHead, routes: Routes, start_ns: int
) -> Iterator[tuple[bytes, Piece]]:
    """Yield the records of a chunk, checked; of one that the file ends in, all that are whole.

    Raises:
        BrokenBytesError: the chunk is damaged.
    """
    if head.stop > file.size:
        yield from whole_records(file, head, routes, start_ns)
    elif head.size > WHOLE:
        verify(file, head)
        yield from whole_records(file, head, routes, start_ns)
    else:
        data = load(file, head)
        piece = read_piece(data, routes, start_ns)
        if piece.broken or piece.needed:
            raise BrokenBytesError(piece.broken or "its last record is cut off")
        yield data, piece


def load(file: RecordFile, head: ChunkHead) -> bytes:
    """Return a chunk's records, checked.

    Raises:
        BrokenBytesError: it is cut off, does not decompress, or its checksum is wrong.
    """
    check_sizes(file, head)
    if head.compression:
        data = decompress(file.view(head.data_offset, head.data_size), head)
    else:
        data = file.at(head.data_offset, head.data_size)
    if len(data) != head.size:
        raise BrokenBytesError(f"{head.size} bytes expected, {len(data)} found")
    if head.crc and crc32(data) != head.crc:
        raise BrokenBytesError("its checksum is wrong")
    return data


def check_sizes(file: RecordFile, head: ChunkHead) -> None:
    """Refuse sizes that no recorder writes, before anything is allocated."""
    if head.compression not in ("", "lz4", "zstd"):
        raise BrokenBytesError(f"its compression {head.compression!r} is not known")
    if head.size > LARGEST_CHUNK:
        raise BrokenBytesError(f"it claims {head.size} bytes, more than {LARGEST_CHUNK}")
    if head.data_size > head.size + head.size // 64 + 2**16:
        raise BrokenBytesError(f"{head.data_size} compressed bytes of {head.size}")


def decompress(data: memoryview, head: ChunkHead) -> bytes:
    """Return a whole chunk's records.

    Raises:
        BrokenBytesError: the bytes do not decompress to the size that it claims.
    """
    try:
        if head.compression == "lz4":
            told = lz4.frame.get_frame_info(data)["content_size"]
            if told == head.size and len(data) <= SMALL:
                return bytes(lz4.frame.decompress(data))
            machine = lz4.frame.LZ4FrameDecompressor()
            return bytes(machine.decompress(data, max_length=head.size + 1))
        if zstandard.frame_content_size(data) not in (-1, head.size):
            raise BrokenBytesError(f"its compression speaks of other than {head.size} bytes")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=max(head.size, 1))
    except (RuntimeError, ValueError, EOFError, MemoryError, zstandard.ZstdError) as error:
        raise BrokenBytesError(f"it does not decompress ({error})") from error


class _Window(RawIOBase):
    """A stretch of a file as a stream."""

    def __init__(self, file: RecordFile, begin: int, end: int) -> None:
        super().__init__()
        self._file, self._at, self._end = file, begin, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.at(self._at, min(len(buffer), self._end - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def stream(file: RecordFile, head: ChunkHead) -> IO[bytes]:
    """Return a chunk's records as a stream of bytes."""
    raw: Any = _Window(file, head.data_offset, min(head.stop, file.size))
    if head.compression == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(raw, read_size=2**17)
    opened: IO[bytes] = lz4.frame.LZ4FrameFile(raw)
    return opened


def pieces(file: RecordFile, head: ChunkHead) -> Iterator[bytes]:
    """Yield the records of a large or cut off chunk in pieces, as far as they decompress.

    Raises:
        BrokenBytesError: they do not decompress.
    """
    if not head.compression:
        end = min(head.stop, file.size)
        for begin in range(head.data_offset, end, PIECE):
            yield file.at(begin, min(PIECE, end - begin))
        return
    left = head.size
    try:
        with stream(file, head) as source:
            while left > 0 and (data := source.read(min(PIECE, left))):
                left -= len(data)
                yield data
    except (RuntimeError, ValueError, EOFError, MemoryError, zstandard.ZstdError) as error:
        raise BrokenBytesError(f"it does not decompress ({error})") from error


def verify(file: RecordFile, head: ChunkHead) -> None:
    """Check the size and checksum of a large chunk.

    Raises:
        BrokenBytesError: they are wrong.
    """
    check_sizes(file, head)
    crc = size = 0
    for data in pieces(file, head):
        crc, size = crc32(data, crc), size + len(data)
    if size != head.size:
        raise BrokenBytesError(f"{head.size} bytes expected, {size} found")
    if head.crc and crc != head.crc:
        raise BrokenBytesError("its checksum is wrong")


def whole_records(
    file: RecordFile, head: ChunkHead, routes: Routes, start_ns: int
) -> Iterator[tuple[bytes, Piece]]:
    """Yield pieces of whole records, with what is in them, as far as they go.

    Raises:
        BrokenBytesError: they do not decompress, or are no records.
    """
    rest = BytesIO()
    needed = 0
    for data in pieces(file, head):
        rest.write(data)
        if rest.tell() < needed:
            continue
        held = rest.getvalue() if rest.tell() > len(data) else data
        piece = read_piece(held, routes, start_ns)
        yield held, piece
        if piece.broken or piece.needed > LARGEST_MESSAGE:
            raise BrokenBytesError(piece.broken or f"a record of {piece.needed} bytes in it")
        rest, needed = BytesIO(), piece.needed
        rest.write(held[piece.stop :])
    if rest.tell():
        raise BrokenBytesError("its last record is cut off")
