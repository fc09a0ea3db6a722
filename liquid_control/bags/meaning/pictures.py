"""Pictures of any encoding as RGB: what drivers deliver is not what a policy learned from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from liquid_control.bags.meaning.compressed_pictures import decompress
from liquid_control.bags.topics import roles
from liquid_control.errors import ObservationError
from liquid_control.types import Pixels

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
    if kind == roles.COMPRESSED_IMAGE:
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
