"""Arrays and metadata of a flight as one checked block of text inside a page.

A block is a script element that no browser runs. Its text is base64 of: the magic number, the
length of the header as uint32, the header as JSON, then the arrays, each at a multiple of eight
bytes so that a browser reads them in place. All numbers are little-endian. The element states the
number of bytes and their CRC-32, which covers header and arrays.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import OutputError
from liquid_control.files import read_limited

MAGIC = b"LCF1"
TYPES = ("float64", "float32", "uint32", "uint8", "int8")
MAX_PAGE_BYTES = 1 << 28
_ALIGNMENT = 8
_ELEMENT = re.compile(
    r'<script type="application/octet-stream" class="flight-data" data-bytes="(\d*)" '
    r'data-crc32="([0-9a-f]*)">([^<]*)</script>'
)
_OPENING = 'class="flight-data"'


def encode_block(content: Mapping[str, Any], arrays: Sequence[NDArray[Any]]) -> str:
    """Return the script element of a block; equal arrays are stored once.

    Args:
        content: JSON data; it refers to an array by its index.
        arrays: of a type in `TYPES`.

    Raises:
        OutputError: an array has another type, or the content has a number that JSON lacks.
    """
    parts: list[bytes] = []
    places: dict[tuple[str, bytes], int] = {}
    listed, end = [], 0
    for array in arrays:
        kind = array.dtype.name
        if kind not in TYPES:
            raise OutputError(f"expected an array of {', '.join(TYPES)}, got {kind}")
        raw = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        if (kind, raw) not in places:
            places[kind, raw] = end
            parts.append(raw + bytes(-len(raw) % _ALIGNMENT))
            end += len(parts[-1])
        listed.append({"type": kind, "shape": list(array.shape), "at": places[kind, raw]})
    try:
        header = json.dumps({"content": content, "arrays": listed}, allow_nan=False).encode()
    except ValueError as error:
        raise OutputError(f"expected finite numbers in a page's metadata ({error})") from error
    header += b" " * (-(len(MAGIC) + 4 + len(header)) % _ALIGNMENT)
    whole = b"".join([MAGIC, len(header).to_bytes(4, "little"), header, *parts])
    return (
        f'<script type="application/octet-stream" class="flight-data" data-bytes="{len(whole)}" '
        f'data-crc32="{zlib.crc32(whole):08x}">{base64.b64encode(whole).decode()}</script>'
    )


def decode_block(element: str) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Return content and arrays of a block.

    Args:
        element: the script element, from `encode_block`.

    Raises:
        OutputError: the block is damaged; the message states what was expected.
    """
    found = _ELEMENT.fullmatch(element.strip())
    if found is None:
        raise OutputError(
            f"expected a block of flight data, got {element[:40]!r}: not one, or damaged"
        )
    size, checksum, text = found.groups()
    try:
        whole = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise OutputError(f"the block of flight data is damaged: not base64 ({error})") from error
    if str(len(whole)) != size or f"{zlib.crc32(whole):08x}" != checksum:
        raise OutputError(
            f"the block of flight data is damaged: expected {size} bytes with checksum "
            f"{checksum}, got {len(whole)} with {zlib.crc32(whole):08x}"
        )
    if whole[:4] != MAGIC:
        raise OutputError(
            f"expected flight data of format {MAGIC.decode()}, got {whole[:4]!r}: written by "
            "another version"
        )
    start = len(MAGIC) + 4
    begin = start + int.from_bytes(whole[4:start], "little")
    header = json.loads(whole[start:begin])
    arrays = []
    for entry in header["arrays"]:
        kind = np.dtype(entry["type"]).newbyteorder("<")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        flat = np.frombuffer(whole, kind, count, begin + entry["at"])
        arrays.append(flat.reshape(entry["shape"]))
    return header["content"], arrays


def read_blocks(path: Path) -> list[str]:
    """Return the blocks of a page, each checked.

    Raises:
        OutputError: the file cannot be read, has no block, or a block is damaged.
    """
    try:
        text = read_limited(path, MAX_PAGE_BYTES).decode()
    except UnicodeDecodeError as error:
        raise OutputError(f"{path}: expected a page of a flight, got another file") from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be read ({error.strerror})") from error
    blocks = [found.group() for found in _ELEMENT.finditer(text)]
    expected = text.count(_OPENING)
    if not expected:
        raise OutputError(f"{path}: expected a page of a flight (flight.html), found no data")
    if len(blocks) != expected:
        raise OutputError(f"{path}: the block of flight data is damaged: it has no end")
    try:
        list(map(decode_block, blocks))
    except OutputError as error:
        raise OutputError(f"{path}: {error}") from error
    return blocks
