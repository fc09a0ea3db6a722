"""JPEG and PNG pictures: whole ones only, with their channels in the order they were made in."""

from struct import unpack_from
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError
from liquid_control.types import Pixels

MAX_PIXELS = 64_000_000
"""A picture that says it has more is damaged; it would take the memory of the whole reading."""
JPEG = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n"
PNG_FIRST = b"IHDR"
PNG_END = b"IEND"
NO_FRAME = (0xC4, 0xC8, 0xCC)
"""Markers among those of JPEG's frames that begin none."""
PNG_FRAME = 12
"""Bytes of a PNG chunk beside its data: length, name and checksum."""


def decompress(layout: str, data: NDArray[np.uint8]) -> Pixels:
    """Return a compressed picture, uint8 [H, W, 3], RGB.

    Files hold red, green and blue by name, so that the order does not matter; except where a
    publisher handed RGB to an encoder that takes BGR, and says so with `compressed rgb8`.

    Args:
        layout: `jpeg`, `png`, or as image_transport writes it: `rgb8; jpeg compressed bgr8`.
        data: the file's bytes.

    Raises:
        ObservationError: it is no whole JPEG or PNG picture.
    """
    if "compressedDepth" in layout:
        raise ObservationError(f"expected a picture, got depth ({layout})")
    width, height = _size(data.tobytes())
    if width * height > MAX_PIXELS:
        raise ObservationError(f"expected a picture, got one that claims {width}x{height} pixels")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(data, flags)
    except cv2.error as error:
        raise ObservationError(f"a {len(data)} bytes' {layout} picture is damaged") from error
    if picture is None:
        raise ObservationError(f"a {len(data)} bytes' {layout} picture is damaged")
    if "compressed rgb" in layout:
        return np.asarray(picture, np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _size(file: bytes) -> tuple[int, int]:
    """Return the width and height that a file claims; refuse what ends early or is none."""
    if file.startswith(JPEG):
        if not file.rstrip(b"\0").endswith(JPEG_END):
            raise ObservationError(f"a JPEG picture of {len(file)} bytes ends in the middle")
        return _jpeg_size(file)
    if file.startswith(PNG):
        return _png_size(file)
    raise ObservationError(
        f"expected a JPEG or PNG picture, got {len(file)} bytes beginning with {file[:4].hex(' ')}"
    )


def _jpeg_size(file: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(file) and file[at] == 0xFF:
        marker = file[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in NO_FRAME:
            height, width = unpack_from(">HH", file, at + 5)
            return int(width), int(height)
        if marker == 0xFF:
            at += 1
        else:
            at += 2 + int(unpack_from(">H", file, at + 2)[0])
    raise ObservationError(f"a JPEG picture of {len(file)} bytes has no size")


def _png_size(file: bytes) -> tuple[int, int]:
    """Return a PNG's size once every chunk is whole: decoders allocate what a chunk claims."""
    at, name = len(PNG), b""
    while name != PNG_END:
        if at + PNG_FRAME > len(file):
            raise ObservationError(f"a PNG picture of {len(file)} bytes ends in the middle")
        length, name = unpack_from(">I4s", file, at)
        end = at + PNG_FRAME + length
        if end > len(file):
            raise ObservationError(
                f"a PNG picture of {len(file)} bytes ends in the middle, or a chunk's length, "
                f"{length}, is damaged"
            )
        if unpack_from(">I", file, end - 4)[0] != crc32(memoryview(file)[at + 4 : end - 4]):
            raise ObservationError(f"a PNG picture of {len(file)} bytes has a wrong checksum")
        if at == len(PNG) and (name != PNG_FIRST or length < 8):
            raise ObservationError(f"a PNG picture of {len(file)} bytes has no size")
        at = end
    width, height = unpack_from(">II", file, len(PNG) + 8)
    return int(width), int(height)
