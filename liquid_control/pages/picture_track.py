"""Pictures of a flight as JPEG files within a budget of bytes, one for each camera frame.

A page shows single JPEG files and not a video: each frame has its own stamp, so that the picture
under the time cursor is exact, and every browser decodes it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError
from liquid_control.types import Floats, Pixels

LEVELS = ((92, 640), (85, 640), (75, 640), (70, 480), (60, 480), (50, 320), (40, 240), (30, 160))
"""JPEG quality and largest width in pixels, best first."""
PICTURE_BYTES = 9_000_000
"""Budget of the pictures of a page; base64 adds a third."""
SALIENCY_BYTES = 2_000_000
STRENGTH = 0.75
POSITIVE, NEGATIVE = (np.array(rgb, np.float32) for rgb in ((235, 45, 35), (40, 90, 245)))
"""Colours of saliency, RGB."""
QUANTILE = 99.0
"""Percentile of a saliency map's magnitude that has the full colour."""
_LEAST_BYTES = 1_500
"""Mean size of a picture below which every second, third… frame is kept instead."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureTrack:
    """Encoded pictures.

    Attributes:
        seconds: float64 [F], ascending, s of the flight.
        jpeg: uint8 [B], the files, one after the other.
        ends: uint32 [F], index of the byte after each file.
        size: width and height of the largest picture, pixels.
        stride: 1 if every frame is kept, n if every n-th is.
    """

    seconds: Floats
    jpeg: NDArray[np.uint8]
    ends: NDArray[np.uint32]
    size: tuple[int, int]
    stride: int = 1


class PictureEncoder:
    """Encodes pictures so that all of them fit into a budget.

    Quality only ever falls, so that neighbouring pictures look alike. The last level is used even
    where a picture is larger than its part of the budget.

    Args:
        frames: number of frames of the flight.
        budget: for all pictures, bytes.
    """

    def __init__(self, frames: int, budget: int = PICTURE_BYTES) -> None:
        self.stride = max(1, ceil(frames * _LEAST_BYTES / budget))
        self._share = budget / max(1, ceil(frames / self.stride))
        self._level = self._frame = 0
        self._seconds: list[float] = []
        self._ends: list[int] = []
        self._jpeg = bytearray()
        self._size = (0, 0)

    def add(self, seconds: float, picture: Pixels) -> None:
        """Encode the next picture, uint8 [H, W, 3] RGB or [H, W] grey; drop it by the stride."""
        self._frame += 1
        if (self._frame - 1) % self.stride:
            return
        encoded = self._encode(picture)
        while len(encoded) > self._share and self._level < len(LEVELS) - 1:
            self._level += 1
            encoded = self._encode(picture)
        self._seconds.append(seconds)
        self._jpeg += encoded
        self._ends.append(len(self._jpeg))

    def track(self) -> PictureTrack | None:
        """Return the pictures so far, by time; None if there are none."""
        if not self._ends:
            return None
        order = np.argsort(self._seconds, kind="stable")
        seconds = np.array(self._seconds, np.float64)
        jpeg = np.frombuffer(bytes(self._jpeg), np.uint8)
        ends = np.array(self._ends, np.uint32)
        if (np.diff(seconds) < 0).any():
            files = [jpeg[end:stop] for end, stop in zip([0, *ends[:-1]], ends, strict=True)]
            jpeg = np.concatenate([files[index] for index in order])
            ends = np.cumsum([len(files[index]) for index in order]).astype(np.uint32)
        return PictureTrack(seconds[order], jpeg, ends, self._size, self.stride)

    def _encode(self, picture: Pixels) -> bytes:
        quality, widest = LEVELS[self._level]
        height, width = picture.shape[:2]
        if width > widest:
            size = (widest, max(1, round(height * widest / width)))
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        height, width = picture.shape[:2]
        self._size = max(self._size, (width, height))
        bgr = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return encoded.tobytes()


def picture_track(seconds: Floats, pictures: Iterable[Pixels]) -> PictureTrack | None:
    """Return the pictures of a flight, uint8 [H, W, 3] RGB, one for each time in seconds [F]."""
    encoder = PictureEncoder(len(seconds))
    for time_s, picture in zip(seconds.tolist(), pictures, strict=True):
        encoder.add(time_s, picture)
    return encoder.track()


def saliency_track(seconds: Floats, maps: NDArray[np.floating]) -> PictureTrack | None:
    """Return saliency maps as grey pictures, each scaled to its own largest value.

    Args:
        seconds: of the frames, float64 [F], s.
        maps: not negative, [F, H, W]; of the picture's shape or coarser.

    Raises:
        ObservationError: the shapes do not fit, or a value is negative or not finite.
    """
    if maps.ndim != 3 or len(maps) != len(seconds):
        raise ObservationError(
            f"expected a saliency map for each of {len(seconds)} frames, [F, H, W], got shape "
            f"{list(maps.shape)}"
        )
    if maps.size and not (np.isfinite(maps).all() and maps.min() >= 0.0):
        raise ObservationError("saliency must be finite and not negative")
    encoder = PictureEncoder(len(seconds), SALIENCY_BYTES)
    for time_s, values in zip(seconds.tolist(), maps, strict=True):
        largest = float(values.max()) or 1.0
        encoder.add(time_s, np.round(values * (255.0 / largest)).astype(np.uint8))
    return encoder.track()


def saliency_overlay(picture: Pixels, saliency: NDArray[np.floating], scale: int) -> Pixels:
    """Return a picture under its map, enlarged.

    Red pixels add to the output and blue ones subtract; where a map has no sign, all are red. The
    colour is stronger where the magnitude is larger, and full at its 99th percentile.

    Args:
        picture: uint8 [H, W, 3] RGB.
        saliency: float32 [H, W].
        scale: pixels for each pixel.

    Returns:
        uint8 [scale H, scale W, 3] RGB.
    """
    size = picture.shape[1] * scale, picture.shape[0] * scale
    full = float(np.percentile(np.abs(saliency), QUANTILE)) or 1.0
    value = np.clip(saliency / np.float32(full), -1.0, 1.0)
    shown = cv2.resize(value, size, interpolation=cv2.INTER_LINEAR)
    positive, weight = shown > 0, STRENGTH * np.abs(shown)
    colours = picture.astype(np.float32).transpose(2, 0, 1)
    grey = colours.mean(axis=0) * 0.6
    blended = np.empty((size[1], size[0], 3), np.uint8)
    # One colour at a time: pixels of three values are slow.
    for index, colour in enumerate(colours):
        large = cv2.resize(grey + 0.4 * colour, size, interpolation=cv2.INTER_NEAREST)
        added = np.where(positive, POSITIVE[index], NEGATIVE[index])
        blended[:, :, index] = np.rint(large * (1.0 - weight) + added * weight)
    return blended
