"""The map beside the picture: trail, trunks and the path so far."""

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.evaluation.figures.flight_map import TRAIL_WIDTH_M
from liquid_control.evaluation.figures.speed import speed_colours
from liquid_control.evaluation.story import FlightStory
from liquid_control.pages.screen import INK, MARGIN, PANEL_WIDTH, RED, TRAIL, TRUNK
from liquid_control.types import Floats, Pixels

BOX = (MARGIN, 54, PANEL_WIDTH - MARGIN, 236)
"""Left, top, right and bottom of the map in its panel, pixels."""

_SHIFT = 4
_UNIT = 1 << _SHIFT
_STRIDE = 4
_LARGE = 4
_COURSE_M = 0.1
"""Width of the line through targets, where there is no trail."""
_LEAST_RADIUS = 22
"""In units: a little more than a pixel."""


class MapInset:
    """Draws one flight's map into panels; north is up."""

    def __init__(self, story: FlightStory) -> None:
        self._offset, self._scale = _fit(story)
        self._story = story
        self._path = self._pixels(story.record.position[:, :2])
        speed = np.linalg.norm(story.record.velocity[:, :2], axis=1)
        self._colours = speed_colours(speed)

    def ground(self, panel: Pixels) -> None:
        """Draw what does not move, drawn large and averaged down: trunks are only pixels wide."""
        height, width = panel.shape[:2]
        size = (width * _LARGE, height * _LARGE)
        large: Pixels = np.asarray(cv2.resize(panel, size), dtype=np.uint8)
        way_m = _COURSE_M if self._story.map.lateral_limit_m is None else TRAIL_WIDTH_M
        thickness = max(2, round(way_m * self._scale)) * _LARGE
        trail = self._pixels(self._story.map.trail) * _LARGE
        cv2.polylines(large, [trail], False, TRAIL, thickness, cv2.LINE_AA, _SHIFT)
        self._discs(large, self._story.map.trunks, TRUNK)
        self._discs(large, self._story.map.targets, RED)
        panel[:] = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)

    def path(self, panel: Pixels, begin: int, end: int) -> int:
        """Draw the path of whole strides from tick `begin` to `end`; return where it got to."""
        for tick in range(begin, end - _STRIDE + 1, _STRIDE):
            colour = tuple(self._colours[tick].tolist())
            ends = self._path[tick].tolist(), self._path[tick + _STRIDE].tolist()
            cv2.line(panel, ends[0], ends[1], colour, 2, cv2.LINE_AA, _SHIFT)
        return begin + max(0, end - begin) // _STRIDE * _STRIDE

    def vehicle(self, panel: Pixels, tick: int) -> None:
        """Draw where the vehicle is."""
        cv2.circle(panel, self._path[tick].tolist(), 5 * _UNIT, INK, -1, cv2.LINE_AA, _SHIFT)

    def _discs(self, large: Pixels, places: Floats, colour: tuple[int, int, int]) -> None:
        """Draw x, y and radius [N, 3] where they are inside the box."""
        left, top, right, bottom = (edge * _UNIT for edge in BOX)
        for (x, y), radius_m in zip(self._pixels(places[:, :2]), places[:, 2], strict=True):
            if left <= x <= right and top <= y <= bottom:
                radius = max(round(radius_m * self._scale * _UNIT), _LEAST_RADIUS) * _LARGE
                at = (int(x) * _LARGE, int(y) * _LARGE)
                cv2.circle(large, at, radius, colour, -1, cv2.LINE_AA, _SHIFT)

    def _pixels(self, points: Floats) -> NDArray[np.int32]:
        """Return map points [N, 2] as panel pixels times `_UNIT`, int32 [N, 2]."""
        at = self._offset + self._scale * points * np.array([1.0, -1.0])
        return np.asarray(np.round(at * _UNIT), dtype=np.int32)


def _fit(story: FlightStory) -> tuple[Floats, float]:
    """Return the offset [2] and the pixels per metre that fit trail and path into the box."""
    points = np.concatenate([story.map.trail, story.record.position[:, :2]])
    low, high = points.min(axis=0) - 1.0, points.max(axis=0) + 1.0
    left, top, right, bottom = BOX
    scale = float(min((right - left) / (high[0] - low[0]), (bottom - top) / (high[1] - low[1])))
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    return middle - scale * (low + high) / 2 * np.array([1.0, -1.0]), scale
