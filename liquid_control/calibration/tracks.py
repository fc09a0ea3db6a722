"""Feature tracks: positions of the same points in two pictures a fraction of a second apart."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import BagError
from liquid_control.types import NANOSECONDS, Floats, Pixels

SPAN_S = 0.25
"""Time between the two pictures of a pair."""
STRIDE_S = 0.125
"""Time between the first pictures of two pairs."""
LOST_S = 0.6
"""A longer gap between two pictures ends all tracks."""
MAX_WIDTH, MIN_WIDTH = 640, 288
"""Wider pictures are reduced before tracking, smaller ones are enlarged."""
MAX_POINTS = 150
MIN_POINTS = 12
"""Smallest number of tracks of a pair that is used."""
RETURN_PX = 0.5
"""Largest distance from the start after tracking there and back, pixels."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Points that were seen in both pictures of a pair, of all pairs of a recording.

    Attributes:
        times_s: float64 [P, 2], stamps of the two pictures of each pair.
        pair: int64 [N], index of the pair of each point, not decreasing.
        first: float64 [N, 2], column and row in the first picture; the centre of the first pixel
            is (0, 0).
        last: float64 [N, 2], in the second picture.
    """

    times_s: Floats
    pair: NDArray[np.int64]
    first: Floats
    last: Floats

    def of_pairs(self, kept: NDArray[np.bool_]) -> "Matches":
        """Return the matches of some of the pairs, bool [P]."""
        points = kept[self.pair]
        number = np.cumsum(kept) - 1
        pair = number[self.pair[points]]
        return Matches(self.times_s[kept], pair, self.first[points], self.last[points])


@dataclass(slots=True)
class _Open:
    """Points of a picture that are being followed."""

    stamp_s: float
    image: Pixels
    start: NDArray[np.float32]
    now: NDArray[np.float32]


@dataclass
class FeatureTracker:
    """Follows corners by the pyramidal method of Lucas and Kanade (OpenCV), there and back.

    Attributes:
        origin_ns: stamp of the first picture, which becomes 0 s.
        size: width and height of the pictures; None before the first.
    """

    origin_ns: int = 0
    size: tuple[int, int] | None = None
    _before: Pixels | None = None
    _before_s: float = 0.0
    _scale: Floats = field(default_factory=lambda: np.ones(2))
    _open: list[_Open] = field(default_factory=list)
    _times: list[tuple[float, float]] = field(default_factory=list)
    _points: list[tuple[Floats, Floats]] = field(default_factory=list)
    _example: tuple[float, Pixels, float] = (-1.0, np.zeros((1, 1), np.uint8), 0.0)

    def add(self, stamp_ns: int, image: Pixels) -> None:
        """Add the next picture, uint8 [H, W, 3] RGB.

        Raises:
            BagError: its size differs from that of the first one.
        """
        size = image.shape[1], image.shape[0]
        if self.size is None:
            self.size, self.origin_ns = size, stamp_ns
        if size != self.size:
            raise BagError(
                f"expected pictures of one size, got {self.size[0]}x{self.size[1]} and "
                f"{size[0]}x{size[1]}"
            )
        stamp_s = (stamp_ns - self.origin_ns) / NANOSECONDS
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        height, width = grey.shape
        used = min(max(width, MIN_WIDTH), MAX_WIDTH)
        if used != width:
            how = cv2.INTER_AREA if used < width else cv2.INTER_CUBIC
            size = (used, round(height * used / width))
            grey = np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)
        self._scale = np.array([width / grey.shape[1], height / grey.shape[0]])
        before = self._before
        if before is None or not 0.0 < stamp_s - self._before_s < LOST_S:
            self._open = []
        elif self._open:
            self._follow(before, grey)
            self._complete(stamp_s, grey)
        if not self._open or stamp_s - self._open[-1].stamp_s >= STRIDE_S - 1e-3:
            self._begin(stamp_s, grey)
        self._before, self._before_s = grey, stamp_s

    def _begin(self, stamp_s: float, grey: Pixels) -> None:
        apart = max(3, grey.shape[1] // 50)
        corners = cv2.goodFeaturesToTrack(grey, MAX_POINTS, 0.01, apart)
        if corners is not None and len(corners) >= MIN_POINTS:
            points = np.asarray(corners, np.float32)
            self._open.append(_Open(stamp_s, grey, points, points))

    def _follow(self, before: Pixels, grey: Pixels) -> None:
        for one in self._open:
            one.now, found = _tracked(before, grey, one.now, one.now)
            one.start, one.now = one.start[found], one.now[found]
        self._open = [one for one in self._open if len(one.now) >= MIN_POINTS]

    def _complete(self, stamp_s: float, grey: Pixels) -> None:
        """Close the pairs that are old enough; their points are matched again directly."""
        for one in [one for one in self._open if stamp_s - one.stamp_s >= SPAN_S - 1e-3]:
            self._open.remove(one)
            last, found = _tracked(one.image, grey, one.start, one.now)
            if int(found.sum()) >= MIN_POINTS:
                self._times.append((one.stamp_s, stamp_s))
                kept = one.start[found], last[found]
                self._points.append((self._full(kept[0]), self._full(kept[1])))
                moved = float(np.median(np.linalg.norm(kept[1] - kept[0], axis=-1)))
                if moved * len(kept[0]) > self._example[0]:
                    self._example = moved * len(kept[0]), one.image, one.stamp_s

    def example(self) -> tuple[Pixels, float]:
        """Return a grey picture whose points moved far, uint8 [H, W], and its time, s."""
        return self._example[1:]

    def _full(self, points: NDArray[np.float32]) -> Floats:
        """Return positions in the picture before it was reduced."""
        return (points.reshape(-1, 2).astype(np.float64) + 0.5) * self._scale - 0.5

    def matches(self) -> Matches:
        """Return the matches of all complete pairs."""
        numbers = [np.full(len(first), index) for index, (first, _) in enumerate(self._points)]
        none = np.empty((0, 2))
        return Matches(
            np.array(self._times).reshape(-1, 2),
            np.concatenate([np.empty(0, np.int64), *numbers]),
            np.concatenate([none, *(first for first, _ in self._points)]),
            np.concatenate([none, *(last for _, last in self._points)]),
        )


def _tracked(
    before: Pixels, after: Pixels, points: NDArray[np.float32], guess: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the positions in the picture after, and which of them lead back to their start."""
    side = 21 if before.shape[1] >= 320 else 11
    options: Any = {
        "winSize": (side, side),
        "maxLevel": 3 if side == 21 else 2,
        "criteria": (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 0.005),
        "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
    }
    to, seen, _ = cv2.calcOpticalFlowPyrLK(before, after, points, guess.copy(), **options)
    moved = np.asarray(to, np.float32)
    start = moved - (guess - points)
    back, found, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, start, **options)
    distance = np.linalg.norm((back - points).reshape(-1, 2), axis=1)
    inside = _inside(moved, after.shape, side // 2)
    kept = (seen.ravel() == 1) & (found.ravel() == 1) & (distance < RETURN_PX) & inside
    return moved, kept


def _inside(points: NDArray[np.float32], shape: tuple[int, ...], border: int) -> NDArray[np.bool_]:
    """Return which points have a whole window in the picture: others are drawn to its edge."""
    x, y = points.reshape(-1, 2).T
    height, width = shape[:2]
    border = min(border, 3)
    return np.asarray((x >= border) & (x < width - border) & (y >= border) & (y < height - border))
