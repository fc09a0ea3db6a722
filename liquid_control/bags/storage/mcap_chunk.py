"""Decompress and verify the chunks of an MCAP file.

A chunk of up to `MAX_WHOLE_BYTES` is read at once. A larger chunk is read twice in blocks, first
to verify it: memory use does not depend on the sizes that a file declares.
"""

from collections.abc import Iterator
from io import BytesIO, RawIOBase
from typing import IO, Any
from zlib import crc32

import lz4.frame  # type: ignore[import-untyped]
import zstandard

from liquid_control.bags.storage import mcap_format
from liquid_control.bags.storage.part import DamageError

MAX_WHOLE_BYTES = 2**25
"""Chunks up to this size are read at once, bytes."""

BLOCK_BYTES = 2**22
SMALL_LZ4_BYTES = 2**22
"""LZ4 data up to this size is decompressed without a limit: it grows at most 255-fold."""


def read_chunk(
    file: mcap_format.RecordFile,
    head: mcap_format.ChunkHead,
    routes: mcap_format.Routes,
    start_ns: int,
) -> Iterator[tuple[bytes, mcap_format.RecordBlock]]:
    """Yield the verified records of a chunk; of a truncated chunk, all complete records.

    Raises:
        DamageError: the chunk is damaged.
    """
    if head.stop > file.size:
        yield from complete_records(file, head, routes, start_ns)
    elif head.size > MAX_WHOLE_BYTES:
        verify(file, head)
        yield from complete_records(file, head, routes, start_ns)
    else:
        data = load(file, head)
        block = mcap_format.read_block(data, routes, start_ns)
        if block.broken or block.needed:
            raise DamageError(block.broken or "its last record is truncated")
        yield data, block


def load(file: mcap_format.RecordFile, head: mcap_format.ChunkHead) -> bytes:
    """Return the verified records of a chunk.

    Raises:
        DamageError: the chunk is truncated, does not decompress, or its checksum is wrong.
    """
    check_sizes(file, head)
    if head.compression:
        data = decompress(file.view(head.data_offset, head.data_size), head)
    else:
        data = file.at(head.data_offset, head.data_size)
    if len(data) != head.size:
        raise DamageError(f"{head.size} bytes expected, {len(data)} found")
    if head.crc and crc32(data) != head.crc:
        raise DamageError("its checksum is wrong")
    return data


def check_sizes(file: mcap_format.RecordFile, head: mcap_format.ChunkHead) -> None:
    """Raise on sizes that no recorder writes, before memory is allocated."""
    if head.compression not in ("", "lz4", "zstd"):
        raise DamageError(f"its compression {head.compression!r} is unknown")
    if head.size > mcap_format.MAX_CHUNK_BYTES:
        raise DamageError(
            f"it declares {head.size} bytes, more than {mcap_format.MAX_CHUNK_BYTES}"
        )
    if head.data_size > head.size + head.size // 64 + 2**16:
        raise DamageError(f"{head.data_size} compressed bytes of {head.size}")


def decompress(data: memoryview, head: mcap_format.ChunkHead) -> bytes:
    """Return the records of a compressed chunk.

    Raises:
        DamageError: the bytes do not decompress to the declared size.
    """
    try:
        if head.compression == "lz4":
            content_size = lz4.frame.get_frame_info(data)["content_size"]
            if content_size == head.size and len(data) <= SMALL_LZ4_BYTES:
                return bytes(lz4.frame.decompress(data))
            decompressor = lz4.frame.LZ4FrameDecompressor()
            return bytes(decompressor.decompress(data, max_length=head.size + 1))
        if zstandard.frame_content_size(data) not in (-1, head.size):
            raise DamageError(f"its compressed data declares a size other than {head.size} bytes")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=max(head.size, 1))
    except (RuntimeError, ValueError, EOFError, MemoryError, zstandard.ZstdError) as error:
        raise DamageError(f"it does not decompress ({error})") from error


class _FileRange(RawIOBase):
    """Byte range of a file as a stream."""

    def __init__(self, file: mcap_format.RecordFile, begin: int, end: int) -> None:
        super().__init__()
        self._file, self._at, self._end = file, begin, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.at(self._at, min(len(buffer), self._end - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def stream(file: mcap_format.RecordFile, head: mcap_format.ChunkHead) -> IO[bytes]:
    """Return the records of a chunk as a stream of bytes."""
    raw: Any = _FileRange(file, head.data_offset, min(head.stop, file.size))
    if head.compression == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(raw, read_size=2**17)
    opened: IO[bytes] = lz4.frame.LZ4FrameFile(raw)
    return opened


def blocks(file: mcap_format.RecordFile, head: mcap_format.ChunkHead) -> Iterator[bytes]:
    """Yield the records of a large or truncated chunk in blocks, as far as they decompress.

    Raises:
        DamageError: the data does not decompress.
    """
    if not head.compression:
        end = min(head.stop, file.size)
        for begin in range(head.data_offset, end, BLOCK_BYTES):
            yield file.at(begin, min(BLOCK_BYTES, end - begin))
        return
    left = head.size
    try:
        with stream(file, head) as source:
            while left > 0 and (data := source.read(min(BLOCK_BYTES, left))):
                left -= len(data)
                yield data
    except (RuntimeError, ValueError, EOFError, MemoryError, zstandard.ZstdError) as error:
        raise DamageError(f"it does not decompress ({error})") from error


def verify(file: mcap_format.RecordFile, head: mcap_format.ChunkHead) -> None:
    """Check the size and checksum of a large chunk.

    Raises:
        DamageError: the size or checksum is wrong.
    """
    check_sizes(file, head)
    crc = size = 0
    for data in blocks(file, head):
        crc, size = crc32(data, crc), size + len(data)
    if size != head.size:
        raise DamageError(f"{head.size} bytes expected, {size} found")
    if head.crc and crc != head.crc:
        raise DamageError("its checksum is wrong")


def complete_records(
    file: mcap_format.RecordFile,
    head: mcap_format.ChunkHead,
    routes: mcap_format.Routes,
    start_ns: int,
) -> Iterator[tuple[bytes, mcap_format.RecordBlock]]:
    """Yield blocks of complete records with their contents, as far as they are readable.

    Raises:
        DamageError: the data does not decompress, or holds invalid records.
    """
    rest = BytesIO()
    needed = 0
    for data in blocks(file, head):
        rest.write(data)
        if rest.tell() < needed:
            continue
        held = rest.getvalue() if rest.tell() > len(data) else data
        block = mcap_format.read_block(held, routes, start_ns)
        yield held, block
        if block.broken or block.needed > mcap_format.MAX_MESSAGE_BYTES:
            raise DamageError(block.broken or f"a record of {block.needed} bytes in it")
        rest, needed = BytesIO(), block.needed
        rest.write(held[block.stop :])
    if rest.tell():
        raise DamageError("its last record is truncated")
