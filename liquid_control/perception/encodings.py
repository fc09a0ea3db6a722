"""Encodings of raw pictures: memory layout and conversion to RGB."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError
from liquid_control.types import Pixels

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Encoding:
    """Memory layout of an encoding that stores all values of a pixel together.

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


@dataclass(frozen=True, slots=True)
class PlanarEncoding:
    """Memory layout of an encoding with a plane of brightness, followed by colour at half size.

    Each plane of the colours has half the rows. Its rows have the length of a row of brightness
    if U and V alternate, and half of it if they are two planes.

    Attributes:
        code: conversion of OpenCV from all planes, uint8 [3 H / 2, W], to RGB.
        planes: number of colour planes: 1 if U and V alternate, else 2.
    """

    code: int
    planes: int = 1


def _by(code: int) -> Convert:
    return lambda pixels: cv2.cvtColor(pixels, code)


def to_eight_bits(pixels: Any) -> Any:
    """Scale 16 bits to the nearest of 256 values: 65535 becomes 255."""
    native = pixels.astype(np.uint16, copy=False)
    return cv2.convertScaleAbs(native, alpha=255 / 65535)


def _sixteen_bits(code: int | None) -> Convert:
    if code is None:
        return to_eight_bits
    return lambda pixels: cv2.cvtColor(to_eight_bits(pixels), code)


def _mosaic(code: int) -> Convert:
    """Interpolate the colours with all 16 bits, then scale them."""
    return lambda pixels: to_eight_bits(cv2.cvtColor(pixels.astype(np.uint16, copy=False), code))


_UYVY = Encoding(2, _by(cv2.COLOR_YUV2RGB_UYVY), even=True)
_YUYV = Encoding(2, _by(cv2.COLOR_YUV2RGB_YUY2), even=True)
# ROS names a pattern by its first two rows, OpenCV by its second row and column.
_PATTERNS = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}

ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding(3, lambda pixels: pixels),
    "bgr8": Encoding(3, _by(cv2.COLOR_BGR2RGB)),
    "rgba8": Encoding(4, _by(cv2.COLOR_RGBA2RGB)),
    "bgra8": Encoding(4, _by(cv2.COLOR_BGRA2RGB)),
    "rgb16": Encoding(3, _sixteen_bits(None), bytes_each=2),
    "bgr16": Encoding(3, _sixteen_bits(cv2.COLOR_BGR2RGB), bytes_each=2),
    "rgba16": Encoding(4, _sixteen_bits(cv2.COLOR_RGBA2RGB), bytes_each=2),
    "bgra16": Encoding(4, _sixteen_bits(cv2.COLOR_BGRA2RGB), bytes_each=2),
    "mono8": Encoding(1, _by(cv2.COLOR_GRAY2RGB)),
    "mono16": Encoding(1, _sixteen_bits(cv2.COLOR_GRAY2RGB), bytes_each=2),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    **{f"bayer_{name}8": Encoding(1, _by(code)) for name, code in _PATTERNS.items()},
    **{
        f"bayer_{name}16": Encoding(1, _mosaic(code), bytes_each=2)
        for name, code in _PATTERNS.items()
    },
}
"""Supported encodings by their name in `sensor_msgs/Image`."""

PLANAR: dict[str, PlanarEncoding] = {
    "nv12": PlanarEncoding(cv2.COLOR_YUV2RGB_NV12),
    "nv21": PlanarEncoding(cv2.COLOR_YUV2RGB_NV21),
    "yuv420": PlanarEncoding(cv2.COLOR_YUV2RGB_I420, planes=2),
    "i420": PlanarEncoding(cv2.COLOR_YUV2RGB_I420, planes=2),
}
"""Supported encodings with separate planes, with two rows and two columns to a colour."""

PICTURE_ENCODINGS = (*ENCODINGS, *PLANAR)
WITHOUT_COLOURS: Mapping[str, str] = {
    "8uc1": "mono8 or bayer_rggb8",
    "8uc2": "yuv422",
    "8uc3": "bgr8 or rgb8",
    "8uc4": "bgra8 or rgba8",
    "16uc1": "mono16",
    "16uc3": "bgr16 or rgb16",
    "16uc4": "bgra16 or rgba16",
}
"""Encodings that do not state their colours (16UC1 is usually depth), and what they may be."""


def without_colours(name: str) -> str:
    """Return advice for an encoding that does not state its colours; empty for another name."""
    likely = WITHOUT_COLOURS.get(name.lower())
    if likely is None:
        return ""
    example = likely.partition(" ")[0]
    return (
        f"; it does not state its colours: if this is a camera's picture in {likely}, name that "
        f"(bags: --topic camera=/name,{example})"
    )


def convert_pixels(name: str, pixels: NDArray[Any]) -> Pixels:
    """Return packed pixels of an encoding of `ENCODINGS` as uint8 [H, W, 3], RGB."""
    try:
        converted: Pixels = ENCODINGS[name].convert(pixels)
    except cv2.error as error:
        raise ObservationError(
            f"expected {pixels.shape[1]}x{pixels.shape[0]} {name}, OpenCV cannot convert it "
            f"({error.err})"
        ) from error
    return converted


def decode_raw(
    encoding: str,
    data: NDArray[np.uint8],
    height: int,
    width: int,
    step: int,
    is_bigendian: bool = False,
) -> Pixels:
    """Return a raw picture, uint8 [H, W, 3], RGB; rgb8 without copying.

    Args:
        encoding: a key of `ENCODINGS` or `PLANAR`, in any case.
        data: bytes of the picture, uint8 [N].
        height: number of rows.
        width: number of columns.
        step: bytes per row, padding included; of the brightness if planes are separate.
        is_bigendian: byte order of values of several bytes.

    Raises:
        ObservationError: the encoding is unknown, or the data has the wrong size.
    """
    name = encoding.lower()
    if (planar := PLANAR.get(name)) is not None:
        return _planar(name, planar, data, height, width, step)
    packed = ENCODINGS.get(name)
    if packed is None:
        raise ObservationError(
            f"expected one of the encodings {', '.join(PICTURE_ENCODINGS)}, got {encoding!r}"
            f"{without_colours(name)}"
        )
    row = width * packed.channels * packed.bytes_each
    _check_size(name, data, height, width, step, row, height * step)
    if packed.even and width % 2:
        raise ObservationError(f"expected an even width for {name}, got {width}")
    value = np.dtype(f"{'>' if is_bigendian else '<'}u{packed.bytes_each}")
    rows = data.reshape(height, step)[:, :row]
    shape = (height, width, packed.channels) if packed.channels > 1 else (height, width)
    pixels = rows if packed.bytes_each == 1 else np.ascontiguousarray(rows).view(value)
    return convert_pixels(name, pixels.reshape(shape))


def _planar(
    name: str,
    planar: PlanarEncoding,
    data: NDArray[np.uint8],
    height: int,
    width: int,
    step: int,
) -> Pixels:
    if height % 2 or width % 2 or step % planar.planes:
        raise ObservationError(
            f"expected an even size for {name}, got {width}x{height} in rows of {step} bytes"
        )
    _check_size(name, data, height, width, step, width, height * step * 3 // 2)
    bright = data[: height * step].reshape(height, step)[:, :width]
    # A row of colours is as long as one of brightness if U and V alternate, else half as long.
    colours = data[height * step :].reshape(-1, step // planar.planes)[:, : width // planar.planes]
    planes = np.concatenate([bright.ravel(), colours.ravel()])
    converted: Any = cv2.cvtColor(planes.reshape(height * 3 // 2, width), planar.code)
    return np.asarray(converted, np.uint8)


def _check_size(
    name: str,
    data: NDArray[np.uint8],
    height: int,
    width: int,
    step: int,
    row: int,
    size: int,
) -> None:
    if height * width == 0 or step < row or len(data) != size:
        raise ObservationError(
            f"expected {height} rows of {step} bytes for {width}x{height} {name}, "
            f"got {len(data)} bytes"
        )
