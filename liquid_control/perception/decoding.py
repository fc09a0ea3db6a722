"""Decode raw and compressed pictures of any supported encoding to RGB."""

from collections.abc import Callable
from dataclasses import dataclass
from struct import unpack_from
from typing import Any
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError
from liquid_control.types import Pixels

MAX_PIXELS = 64_000_000
"""A compressed picture that declares more pixels is rejected before memory is allocated."""
JPEG = b"\xff\xd8\xff"
JPEG_END = b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n"
PNG_FIRST = b"IHDR"
PNG_END = b"IEND"
NOT_FRAME_MARKERS = (0xC4, 0xC8, 0xCC)
"""Markers in the range of JPEG frame markers that do not start a frame."""
PNG_CHUNK_OVERHEAD = 12
"""Bytes of a PNG chunk in addition to its data: length, name and checksum."""


def decompress(image_format: str, data: NDArray[np.uint8]) -> Pixels:
    """Return a compressed picture, uint8 [H, W, 3], RGB.

    Files label their channels, so channel order does not matter. The exception is a publisher that
    passes RGB to an encoder for BGR; it marks this with the format `compressed rgb8`.

    Args:
        image_format: `jpeg`, `png`, or a format of image_transport: `rgb8; jpeg compressed bgr8`.
        data: bytes of the file, uint8 [N].

    Raises:
        ObservationError: the data is not a complete JPEG or PNG picture.
    """
    if "compressedDepth" in image_format:
        raise ObservationError(f"expected a picture, got depth ({image_format})")
    width, height = _size(data.tobytes())
    if width * height > MAX_PIXELS:
        raise ObservationError(
            f"expected a picture, got one that declares {width}x{height} pixels"
        )
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(data, flags)
    except cv2.error as error:
        raise ObservationError(_damaged(image_format, data)) from error
    if picture is None:
        raise ObservationError(_damaged(image_format, data))
    if "compressed rgb" in image_format:
        return np.asarray(picture, np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _damaged(image_format: str, data: NDArray[np.uint8]) -> str:
    return f"a {image_format} picture of {len(data)} bytes is damaged"


def _size(file: bytes) -> tuple[int, int]:
    """Return the width and height in the header of a complete JPEG or PNG file."""
    if file.startswith(JPEG):
        if not file.rstrip(b"\0").endswith(JPEG_END):
            raise ObservationError(f"a JPEG picture of {len(file)} bytes is truncated")
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
        if 0xC0 <= marker <= 0xCF and marker not in NOT_FRAME_MARKERS:
            height, width = unpack_from(">HH", file, at + 5)
            return int(width), int(height)
        if marker == 0xFF:
            at += 1
        else:
            at += 2 + int(unpack_from(">H", file, at + 2)[0])
    raise ObservationError(f"a JPEG picture of {len(file)} bytes has no size")


def _png_size(file: bytes) -> tuple[int, int]:
    """Return the size of a PNG after checking all chunks: decoders trust the declared lengths."""
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
        if at == len(PNG) and (name != PNG_FIRST or length < 8):
            raise ObservationError(f"a PNG picture of {len(file)} bytes has no size")
        at = end
    width, height = unpack_from(">II", file, len(PNG) + 8)
    return int(width), int(height)


Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Encoding:
    """Memory layout of the pixels of an encoding.

    Attributes:
        channels: values per pixel; for 1, the converter receives an array [H, W].
        convert: conversion to uint8 [H, W, 3], RGB.
        bytes_each: bytes per value.
        even: whether pairs of columns share their colour.
    """

    channels: int
    convert: Convert
    bytes_each: int = 1
    even: bool = False


def _by(code: int) -> Convert:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _sixteen_bits(pixels: Any) -> Any:
    """Scale 16 bits to the nearest of 256 grey values: 65535 becomes 255."""
    native = pixels.astype(np.uint16, copy=False)
    return cv2.cvtColor(cv2.convertScaleAbs(native, alpha=255 / 65535), cv2.COLOR_GRAY2RGB)


_UYVY = Encoding(2, _by(cv2.COLOR_YUV2RGB_UYVY), even=True)
_YUYV = Encoding(2, _by(cv2.COLOR_YUV2RGB_YUY2), even=True)

ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding(3, lambda pixels: pixels),
    "bgr8": Encoding(3, _by(cv2.COLOR_BGR2RGB)),
    "rgba8": Encoding(4, _by(cv2.COLOR_RGBA2RGB)),
    "bgra8": Encoding(4, _by(cv2.COLOR_BGRA2RGB)),
    "mono8": Encoding(1, _by(cv2.COLOR_GRAY2RGB)),
    "mono16": Encoding(1, _sixteen_bits, bytes_each=2),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    # ROS names a pattern by its first two rows, OpenCV by its second row and column.
    "bayer_rggb8": Encoding(1, _by(cv2.COLOR_BayerBG2RGB)),
    "bayer_bggr8": Encoding(1, _by(cv2.COLOR_BayerRG2RGB)),
    "bayer_gbrg8": Encoding(1, _by(cv2.COLOR_BayerGR2RGB)),
    "bayer_grbg8": Encoding(1, _by(cv2.COLOR_BayerGB2RGB)),
}
"""Supported encodings by their name in `sensor_msgs/Image`."""


def decode_picture(
    encoding: str,
    data: NDArray[np.uint8],
    height: int | None = None,
    width: int = 0,
    step: int = 0,
    is_bigendian: bool = False,
) -> Pixels:
    """Return a raw or compressed picture, uint8 [H, W, 3], RGB; rgb8 without copying.

    The arguments are the fields of `sensor_msgs/Image`, or `format` and `data` of
    `sensor_msgs/CompressedImage`.

    Args:
        encoding: encoding of raw pixels, a key of `ENCODINGS`; or format of a compressed picture.
        data: bytes of the picture, uint8 [N].
        height: number of rows of a raw picture; None for a compressed one.
        width: number of columns of a raw picture.
        step: bytes per row of a raw picture, padding included.
        is_bigendian: byte order of a raw picture with values of several bytes.

    Raises:
        ObservationError: the encoding is unknown, the data has the wrong size, or a compressed
            picture is damaged.
    """
    if height is None:
        return decompress(encoding, data)
    return _decode_raw(encoding, data, height, width, step, is_bigendian)


def _decode_raw(
    name: str, data: NDArray[np.uint8], height: int, width: int, step: int, is_bigendian: bool
) -> Pixels:
    encoding = ENCODINGS.get(name.lower())
    if encoding is None:
        raise ObservationError(
            f"expected one of the encodings {', '.join(ENCODINGS)}, got {name!r}"
        )
    row = width * encoding.channels * encoding.bytes_each
    if height * width == 0 or step < row or len(data) != height * step:
        raise ObservationError(
            f"expected {height} rows of {step} bytes for {width}x{height} {name}, "
            f"got {len(data)} bytes"
        )
    if encoding.even and width % 2:
        raise ObservationError(f"expected an even width for {name}, got {width}")
    value = np.dtype(f"{'>' if is_bigendian else '<'}u{encoding.bytes_each}")
    rows = data.reshape(height, step)[:, :row]
    shape = (height, width, encoding.channels) if encoding.channels > 1 else (height, width)
    pixels = rows if encoding.bytes_each == 1 else np.ascontiguousarray(rows).view(value)
    try:
        converted: Pixels = encoding.convert(pixels.reshape(shape))
    except cv2.error as error:
        raise ObservationError(
            f"expected {width}x{height} {name}, OpenCV cannot convert it ({error.err})"
        ) from error
    return converted
