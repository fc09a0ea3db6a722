"""What happens to a finished picture on its way: compression, gaps.

These steps take and give uint8 [H, W, 3], RGB. The published changes, which come after
compression, are in `liquid_control.perception.deltas`.
"""

import cv2
import numpy as np

from liquid_control.config.scenario import CameraSettings
from liquid_control.perception.deltas import PixelStep
from liquid_control.seeding import stream
from liquid_control.types import Pixels

BLACKOUT_WITHIN_S = 20.0
"""A blackout whose time is not given begins within these first seconds."""


class Jpeg:
    """Compresses and decompresses, as a camera that streams does."""

    def __init__(self, quality: int) -> None:
        self._options = [cv2.IMWRITE_JPEG_QUALITY, quality]

    def __call__(self, pixels: Pixels, frame_index: int) -> Pixels:
        """Return the picture as it arrives."""
        _, coded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), self._options)
        decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


class Freezer:
    """Decides which frames repeat the one before.

    Each frame's lot is drawn from a stream of its own, "camera.freeze.<number>"; the first is
    always fresh.
    """

    def __init__(self, rate: float, seed: int) -> None:
        self._rate = rate
        self._seed = seed

    def freezes(self, frame_index: int) -> bool:
        """Return whether a frame repeats the one before."""
        if frame_index == 0 or self._rate == 0.0:
            return False
        draw = stream(self._seed, f"camera.freeze.{frame_index}").random()
        return bool(draw < self._rate)


class Blackout:
    """One stretch of black frames; its beginning is drawn from the stream "camera.blackout"."""

    def __init__(self, from_s: float | None, length_s: float, seed: int) -> None:
        drawn = stream(seed, "camera.blackout").uniform(0.0, BLACKOUT_WITHIN_S)
        self.from_s = drawn if from_s is None else from_s
        self.until_s = self.from_s + length_s

    def covers(self, time_s: float) -> bool:
        """Return whether the picture is black at a time: beginning included, end not."""
        return self.from_s <= time_s < self.until_s


def compression(settings: CameraSettings) -> tuple[PixelStep, ...]:
    """Return the step that compresses, or none."""
    return () if settings.jpeg_quality is None else (Jpeg(settings.jpeg_quality),)
