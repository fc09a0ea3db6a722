"""Pictures of any encoding as RGB: what drivers deliver is not what a policy learned from."""

from collections.abc import Callable
from dataclasses import dataclass
from struct import unpack_from
from typing import Any
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control import message_types
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


Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How pixels lie in a message.

    Attributes:
        channels: numbers a pixel; 1 gives the converter an array [H, W].
        convert: to uint8 [H, W, 3], RGB.
        bytes_each: bytes a number.
        even: whether two neighbouring columns share their colour.
    """

    channels: int
    convert: Convert
    bytes_each: int = 1
    even: bool = False


def _by(code: int) -> Convert:
    return lambda pixels: cv2.cvtColor(pixels, code)


def _sixteen_bits(pixels: Any) -> Any:
    """Return the nearest of 256 greys: 65535 becomes 255."""
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
    # ROS names the first two rows from their first pixel, OpenCV from their second row and column.
    "bayer_rggb8": Encoding(1, _by(cv2.COLOR_BayerBG2RGB)),
    "bayer_bggr8": Encoding(1, _by(cv2.COLOR_BayerRG2RGB)),
    "bayer_gbrg8": Encoding(1, _by(cv2.COLOR_BayerGR2RGB)),
    "bayer_grbg8": Encoding(1, _by(cv2.COLOR_BayerGB2RGB)),
}
"""By the name that `sensor_msgs/Image` gives them."""


def picture_of(kind: str, message: Any) -> Pixels:
    """Return a message's picture, uint8 [H, W, 3], RGB; rgb8 without copying.

    Args:
        kind: `sensor_msgs/msg/Image` or `sensor_msgs/msg/CompressedImage`.
        message: its content.

    Raises:
        ObservationError: the encoding is not known, the data does not fill the picture, or is no
            picture.
    """
    if kind == message_types.COMPRESSED_IMAGE:
        return decompress(message.format, message.data)
    return _raw(message)


def _raw(message: Any) -> Pixels:
    encoding = ENCODINGS.get(message.encoding.lower())
    if encoding is None:
        raise ObservationError(
            f"expected one of the encodings {', '.join(ENCODINGS)}, got {message.encoding!r}"
        )
    height, width, step = int(message.height), int(message.width), int(message.step)
    row = width * encoding.channels * encoding.bytes_each
    if height * width == 0 or step < row or len(message.data) != height * step:
        raise ObservationError(
            f"expected {height} rows of {step} bytes for {width}x{height} {message.encoding}, "
            f"got {len(message.data)} bytes"
        )
    if encoding.even and width % 2:
        raise ObservationError(f"expected an even width for {message.encoding}, got {width}")
    number = np.dtype(f"{'>' if message.is_bigendian else '<'}u{encoding.bytes_each}")
    rows = message.data.reshape(height, step)[:, :row]
    shape = (height, width, encoding.channels) if encoding.channels > 1 else (height, width)
    pixels = rows if encoding.bytes_each == 1 else np.ascontiguousarray(rows).view(number)
    try:
        converted: Pixels = encoding.convert(pixels.reshape(shape))
    except cv2.error as error:
        raise ObservationError(
            f"expected {width}x{height} {message.encoding}, OpenCV cannot use it ({error.err})"
        ) from error
    return converted
