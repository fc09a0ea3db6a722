"""Structure of JPEG and PNG files: size, channels, bits and end, before they are decoded."""

import re
from struct import unpack_from
from typing import NamedTuple
from zlib import crc32

from liquid_control.errors import ObservationError

JPEG = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n"
PNG_FIRST = b"IHDR"
PNG_END = b"IEND"
PNG_CHUNK_OVERHEAD = 12
"""Bytes of a PNG chunk in addition to its data: length, name and checksum."""
PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""Channels by the colour type of a PNG header; palettes (3) hold colours."""
_NOT_FRAME_MARKERS = (0xC4, 0xC8, 0xCC)
"""Markers in the range of JPEG frame markers that do not start a frame."""
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8))
"""JPEG markers without a length: TEM and RST0 to RST7."""
_FILL, _START_OF_SCAN, _END = 0xFF, 0xDA, 0xD9
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""A marker within compressed data, except stuffed bytes and restarts."""


class PictureFile(NamedTuple):
    """Structure of a picture file.

    Attributes:
        kind: JPEG or PNG.
        width: pixels.
        height: pixels.
        channels: values per pixel.
        bits: bits per value.
        surplus: number of bytes after the end of the picture; zeros after a JPEG are padding and
            do not count.
    """

    kind: str
    width: int
    height: int
    channels: int
    bits: int
    surplus: int


def inspect_picture(file: bytes) -> PictureFile:
    """Return the structure of a complete JPEG or PNG file.

    Raises:
        ObservationError: the bytes are neither, or are truncated or damaged.
    """
    if file.startswith(JPEG):
        return _jpeg(file)
    if file.startswith(PNG):
        return _png(file)
    raise ObservationError(
        f"expected a JPEG or PNG picture, got {len(file)} bytes beginning with {file[:4].hex(' ')}"
    )


def _jpeg(file: bytes) -> PictureFile:
    surplus = 0
    if not file.endswith(JPEG_END) and not file.rstrip(b"\0").endswith(JPEG_END):
        surplus = len(file) - _jpeg_end(file)
    at = 2
    while at + 10 <= len(file) and file[at] == 0xFF:
        marker = file[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAME_MARKERS:
            bits, height, width, channels = unpack_from(">BHHB", file, at + 4)
            return PictureFile("JPEG", width, height, channels, bits, surplus)
        at = _after(file, at)
    raise ObservationError(f"a JPEG picture of {len(file)} bytes has no size")


def _jpeg_end(file: bytes) -> int:
    """Return the offset after the end-of-image marker, found by walking the segments.

    Compressed data can contain the bytes of any marker within a segment, such as the thumbnail of
    an Exif segment, which the walk skips.
    """
    at = 2
    while at + 2 <= len(file) and file[at] == 0xFF:
        marker = file[at + 1]
        if marker == _END:
            return at + 2
        at = _after(file, at)
        if marker == _START_OF_SCAN:
            found = _NEXT_MARKER.search(file, at)
            at = len(file) if found is None else found.start()
    raise ObservationError(f"a JPEG picture of {len(file)} bytes is truncated")


def _after(file: bytes, at: int) -> int:
    """Return the offset after the marker or segment at an offset."""
    marker = file[at + 1]
    if marker == _FILL:
        return at + 1
    if marker in _WITHOUT_LENGTH or at + 4 > len(file):
        return at + 2
    return at + 2 + int(unpack_from(">H", file, at + 2)[0])


def _png(file: bytes) -> PictureFile:
    """Check all chunks of a PNG: decoders trust the declared lengths."""
    at, name = len(PNG), b""
    while name != PNG_END:
        if at + PNG_CHUNK_OVERHEAD > len(file):
            raise ObservationError(f"a PNG picture of {len(file)} bytes is truncated")
        length, name = unpack_from(">I4s", file, at)
        end = at + PNG_CHUNK_OVERHEAD + length
        if end > len(file):
            raise ObservationError(
                f"a PNG picture of {len(file)} bytes is truncated, or the length of a chunk, "
                f"{length}, is damaged"
            )
        if unpack_from(">I", file, end - 4)[0] != crc32(memoryview(file)[at + 4 : end - 4]):
            raise ObservationError(f"a PNG picture of {len(file)} bytes has a wrong checksum")
        if at == len(PNG) and (name != PNG_FIRST or length < 10):
            raise ObservationError(f"a PNG picture of {len(file)} bytes has no size")
        at = end
    width, height, bits, colour = unpack_from(">IIBB", file, len(PNG) + 8)
    return PictureFile("PNG", width, height, PNG_CHANNELS.get(colour, 3), bits, len(file) - at)
