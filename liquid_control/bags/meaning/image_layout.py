"""`sensor_msgs/Image` from its bytes without copying them: most of a bag's bytes are pictures."""

import struct
from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control.bags.meaning.stamps import ENCAPSULATION, is_little
from liquid_control.bags.topics.roles import IMAGE
from liquid_control.errors import BagError

AFTER_TIME = ENCAPSULATION + 8
"""Where the header's frame name stands."""
_NUMBER = {True: Struct("<I"), False: Struct(">I")}
_PAIR = {True: Struct("<II"), False: Struct(">II")}


class Image(NamedTuple):
    """The fields of a `sensor_msgs/Image` that make a picture; `data` lies in the message."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: NDArray[np.uint8]


def image_of(message: bytes) -> Image:
    """Read a serialised `sensor_msgs/Image`.

    Raises:
        BagError: the bytes do not fit.
    """
    little = is_little(message)
    number = _NUMBER[little]
    try:
        _, at = _text(message, number, AFTER_TIME)
        height, width = _PAIR[little].unpack_from(message, _aligned(at))
        encoding, at = _text(message, number, _aligned(at) + _PAIR[little].size)
        step, length = _PAIR[little].unpack_from(message, _aligned(at + 1))
        data_at = _aligned(at + 1) + _PAIR[little].size
        data = np.frombuffer(message, np.uint8, length, data_at)
        return Image(height, width, encoding.decode(), message[at], step, data)
    except (struct.error, IndexError, ValueError) as error:
        raise BagError(f"expected {IMAGE}, got {len(message)} bytes ({error})") from error


def _text(message: bytes, number: Struct, at: int) -> tuple[bytes, int]:
    """Return a text without its final zero, and where it ends."""
    (length,) = number.unpack_from(message, at)
    start = at + number.size
    return message[start : start + max(0, length - 1)], start + length


def _aligned(at: int) -> int:
    return at + (ENCAPSULATION - at) % 4
