"""Texture pyramids and their cache.

A pyramid contains the picture at full size, half, a quarter, down to one row or column. A distant
or slanted surface is sampled at the level whose texels are about as large as a pixel, which
avoids flicker and aliasing.
"""

import functools
import hashlib
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.files import atomic_write
from liquid_control.types import Pixels
from liquid_control_sim.compiling import cache_folder


@dataclass(frozen=True)
class Texture:
    """Pyramid of a picture.

    Attributes:
        levels: uint8 [rows, columns, 3] each, RGB, from full size down; the first row is v = 1.
    """

    levels: tuple[Pixels, ...]

    @classmethod
    def of(cls, picture: Pixels) -> "Texture":
        """Build the pyramid of a picture, uint8 [rows, columns, 3], RGB."""
        levels = [np.ascontiguousarray(picture)]
        while min(levels[-1].shape[:2]) > 1:
            rows, columns = levels[-1].shape[:2]
            size = (max(columns // 2, 1), max(rows // 2, 1))
            levels.append(np.asarray(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA)))
        return cls(tuple(levels))


@dataclass(frozen=True)
class Texels:
    """Textures in one buffer, in the format of the kernels.

    Attributes:
        values: uint32 [B], all levels of all textures, row by row, red in the lowest byte.
        levels: int64 [L, 3], offset in `values`, rows and columns of each level.
        first: int64 [K + 1], first level of each texture, and the number of levels.
    """

    values: NDArray[np.uint32]
    levels: NDArray[np.int64]
    first: NDArray[np.int64]


def pack(textures: tuple[Texture, ...]) -> Texels:
    """Pack textures into one buffer."""
    pictures = [level for texture in textures for level in texture.levels]
    sizes = [picture.shape[0] * picture.shape[1] for picture in pictures]
    starts = np.cumsum([0, *sizes[:-1]])
    table = [(start, *picture.shape[:2]) for start, picture in zip(starts, pictures, strict=True)]
    return Texels(
        values=np.concatenate([_words(picture) for picture in pictures]),
        levels=np.array(table, dtype=np.int64),
        first=np.cumsum([0] + [len(texture.levels) for texture in textures]),
    )


def _words(picture: Pixels) -> NDArray[np.uint32]:
    """Return uint32 [rows * columns] with red, green and blue in the three lowest bytes."""
    four = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA))
    return four.reshape(-1).view("<u4").astype(np.uint32, copy=False)


KEEP = 300
_CHECKSUM_BYTES = 4
_QUALITY = (cv2.IMWRITE_JPEG_QUALITY, 92)


def texture_key(*parts: object) -> str:
    """Return a key for a picture, the hash of these values and of the painter's source."""
    digest = hashlib.sha256(_sources())
    for part in parts:
        content = part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()
        digest.update(content)
    return digest.hexdigest()[:32]


@functools.cache
def _sources() -> bytes:
    """Return the source of the painter: a changed painter invalidates the cache."""
    return (Path(__file__).parent / "ground_paint.py").read_bytes()


def cached(key: str, paint: Callable[[], Pixels]) -> Pixels:
    """Return a picture from the cache, uint8 [H, W, 3], RGB; paint it if it is missing.

    A new picture is also read back from its file: the JPEG losses are the same every time.
    """
    content = np.frombuffer(texture_file(key, paint).read_bytes(), np.uint8)
    decoded = np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def texture_file(key: str, paint: Callable[[], Pixels]) -> Path:
    """Return the JPEG file of a texture; paint it if the file is missing or damaged.

    Args:
        key: identifies the inputs of the picture, for instance by a hash.
        paint: returns uint8 [H, W, 3], RGB.
    """
    path = cache_folder() / f"{key}.jpg"
    if _is_whole(path):
        return path
    pixels = np.ascontiguousarray(paint()[..., ::-1])
    encoded = cv2.imencode(".jpg", pixels, _QUALITY)[1].tobytes()
    atomic_write(path, encoded + zlib.crc32(encoded).to_bytes(_CHECKSUM_BYTES, "big"))
    _prune(path.parent)
    return path


def _is_whole(path: Path) -> bool:
    """Return whether the file exists and its last bytes, ignored by decoders, are its checksum."""
    try:
        content = path.read_bytes()
        os.utime(path)
    except OSError:
        return False
    body, tail = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    return bool(body) and zlib.crc32(body) == int.from_bytes(tail, "big")


def _prune(folder: Path) -> None:
    """Remove the oldest textures beyond `KEEP`; other processes may do so at the same time."""
    with suppress(OSError):
        dated = [(path.stat().st_mtime, path) for path in folder.glob("*.jpg")]
        for _, path in sorted(dated, reverse=True)[KEEP:]:
            path.unlink(missing_ok=True)
