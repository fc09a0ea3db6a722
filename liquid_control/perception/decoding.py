"""Decode raw and compressed pictures of any supported encoding to RGB."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError
from liquid_control.perception.encodings import (
    ENCODINGS,
    PICTURE_ENCODINGS,
    WITHOUT_COLOURS,
    convert_pixels,
    decode_raw,
    to_eight_bits,
    without_colours,
)
from liquid_control.perception.picture_files import PictureFile, inspect_picture
from liquid_control.types import Pixels

MAX_PIXELS = 64_000_000
"""A compressed picture that declares more pixels is rejected before memory is allocated."""
_DEPTH = ("16uc1", "16sc1", "32fc1", "64fc1")
"""Encodings of depth: distances, not brightness."""
_COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
_BGR = cv2.COLOR_BGR2RGB
_COLOUR_RGB: int | None = (
    cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    if hasattr(cv2, "IMREAD_COLOR_RGB")
    else None
)
_SWAPPED, _AS_STORED = "rgb8", "bgr8"


class DecodedPicture(NamedTuple):
    """A decoded picture.

    Attributes:
        pixels: uint8 [H, W, 3], RGB.
        surplus: number of bytes after the end of the file, which were ignored.
    """

    pixels: Pixels
    surplus: int = 0


def decode_picture(
    encoding: str,
    data: NDArray[np.uint8],
    height: int | None = None,
    width: int = 0,
    step: int = 0,
    is_bigendian: bool = False,
    read_as: str | None = None,
) -> Pixels:
    """Return a raw or compressed picture, uint8 [H, W, 3], RGB; rgb8 without copying.

    The arguments are the fields of `sensor_msgs/Image`, or `format` and `data` of
    `sensor_msgs/CompressedImage`.

    Args:
        encoding: encoding of raw pixels, one of `PICTURE_ENCODINGS`; or format of a compressed
            picture.
        data: bytes of the picture, uint8 [N].
        height: number of rows of a raw picture; None for a compressed one.
        width: number of columns of a raw picture.
        step: bytes per row of a raw picture, padding included.
        is_bigendian: byte order of a raw picture with values of several bytes.
        read_as: encoding that replaces the declared one; None to follow the picture.

    Raises:
        ObservationError: the encoding is unknown, the data has the wrong size, or a compressed
            picture is damaged.
    """
    if height is None:
        return decode_file(encoding, data, read_as).pixels
    return decode_raw(read_as or encoding, data, height, width, step, is_bigendian)


def decode_file(
    image_format: str, data: NDArray[np.uint8], read_as: str | None = None
) -> DecodedPicture:
    """Decode a compressed picture.

    A file labels its own channels, and its content decides where the format contradicts it: the
    colours of a colour file are as stored, whether the format ends in `compressed bgr8` or in
    `compressed rgb8`. The format counts where the file has no label: the pattern of a Bayer
    mosaic, and depth, which is stored as grey.

    Args:
        image_format: `jpeg`, `png`, or a format of image_transport: `rgb8; jpeg compressed bgr8`.
        data: bytes of the file, uint8 [N].
        read_as: encoding of the stored pixels in place of the format's; `rgb8` swaps red and blue
            of a colour file, for a publisher that passed RGB to an encoder for BGR.

    Raises:
        ObservationError: the data is not a complete JPEG or PNG picture, or is not a camera's.
    """
    if "compressedDepth" in image_format:
        raise ObservationError(f"expected a picture, got depth ({image_format})")
    file = inspect_picture(data.tobytes())
    if file.width * file.height > MAX_PIXELS:
        raise ObservationError(
            f"expected a picture, got one that declares {file.width}x{file.height} pixels"
        )
    if file.channels >= 3:
        return DecodedPicture(_colours(image_format, data, file.bits, read_as), file.surplus)
    name = _grey_encoding(image_format, file, read_as)
    if name is None:
        return DecodedPicture(_rgb(image_format, data), file.surplus)
    flags = _GREY | (cv2.IMREAD_ANYDEPTH if file.bits == 16 else 0)
    pixels = _decoded(image_format, data, flags)
    return DecodedPicture(convert_pixels(name, pixels), file.surplus)


def _colours(image_format: str, data: NDArray[np.uint8], bits: int, read_as: str | None) -> Pixels:
    """Decode a file of three or four channels."""
    if read_as not in (None, _AS_STORED, _SWAPPED):
        raise ObservationError(
            f"expected a picture of one channel to read it as {read_as}, got a file with colours "
            f"({image_format}); colours can be read as {_AS_STORED}, or as {_SWAPPED} to swap red "
            "and blue"
        )
    if bits != 16 and read_as != _SWAPPED:
        return _rgb(image_format, data)
    pixels: Any = _decoded(image_format, data, _COLOUR | cv2.IMREAD_ANYDEPTH)
    if bits == 16:
        pixels = to_eight_bits(pixels)
    return pixels if read_as == _SWAPPED else np.asarray(cv2.cvtColor(pixels, _BGR), np.uint8)


def _grey_encoding(image_format: str, file: PictureFile, read_as: str | None) -> str | None:
    """Return the encoding of a file's single channel; None for grey of 8 bits."""
    declared = image_format.partition(";")[0].strip()
    name = (read_as or declared).lower()
    if name in _DEPTH:
        raise ObservationError(
            f"expected a picture, got depth ({image_format}){without_colours(name)}"
        )
    if name.startswith("bayer_") and f"{name.rstrip('0123456789')}8" in ENCODINGS:
        return f"{name.rstrip('0123456789')}{16 if file.bits == 16 else 8}"
    if read_as and name not in ("mono8", "mono16", _AS_STORED, _SWAPPED):
        raise ObservationError(
            f"expected a picture in {read_as}, got a file of one channel ({image_format})"
        )
    return "mono16" if file.bits == 16 else None


def _rgb(image_format: str, data: NDArray[np.uint8]) -> Pixels:
    """Decode to eight bits in RGB, directly where OpenCV can (4.11 and later)."""
    if _COLOUR_RGB is not None:
        return _decoded(image_format, data, _COLOUR_RGB)
    return np.asarray(cv2.cvtColor(_decoded(image_format, data, _COLOUR), _BGR), np.uint8)


def _decoded(image_format: str, data: NDArray[np.uint8], flags: int) -> NDArray[Any]:
    try:
        picture = cv2.imdecode(data, flags)
    except cv2.error as error:
        raise ObservationError(_damaged(image_format, data)) from error
    if picture is None:
        raise ObservationError(_damaged(image_format, data))
    return picture


def _damaged(image_format: str, data: NDArray[np.uint8]) -> str:
    return f"a {image_format} picture of {len(data)} bytes is damaged"


__all__ = [
    "ENCODINGS",
    "MAX_PIXELS",
    "PICTURE_ENCODINGS",
    "WITHOUT_COLOURS",
    "DecodedPicture",
    "decode_file",
    "decode_picture",
    "decode_raw",
]
