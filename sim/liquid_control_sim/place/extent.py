"""Part of the map that is painted, and its resolution."""

from dataclasses import dataclass

import numpy as np

from liquid_control.types import Floats
from liquid_control_sim.place.forest import Forest
from liquid_control_sim.place.trail import visible_course

_MARGIN_M = 14.0


MOST_PIXELS = 2048
_FINEST_M = 0.05


@dataclass(frozen=True)
class Extent:
    """The rectangle of the map that is painted.

    Attributes:
        west_m, south_m: its lower left corner, m, map.
        pixel_m: size of a pixel.
        columns, rows: size in pixels.
    """

    west_m: float
    south_m: float
    pixel_m: float
    columns: int
    rows: int

    @property
    def east_m(self) -> float:
        """Its right edge."""
        return self.west_m + self.columns * self.pixel_m

    @property
    def north_m(self) -> float:
        """Its upper edge."""
        return self.south_m + self.rows * self.pixel_m

    def pixels(self, points: Floats, scale: float = 1.0) -> Floats:
        """Return (column, row) of points [..., 2], in a picture `scale` times as fine."""
        column = (points[..., 0] - self.west_m) / self.pixel_m
        row = (self.north_m - points[..., 1]) / self.pixel_m
        return np.stack([column, row], axis=-1) * scale


def ground_extent(forest: Forest) -> Extent:
    """Return the rectangle of what is painted and 14 m around it.

    That is the trail with lead-in and run-out and all side trails, or the course between targets;
    at 5 cm or what 2048 pixels allow.
    """
    course = visible_course(forest.trail)[1] if forest.painted else forest.trail.samples
    points = np.concatenate([course, *(side.points for side in forest.side_trails)])
    low, high = points.min(axis=0) - _MARGIN_M, points.max(axis=0) + _MARGIN_M
    size = high - low
    pixel = max(_FINEST_M, float(size.max()) / MOST_PIXELS)
    columns, rows = (int(v) for v in np.floor(size / pixel))
    return Extent(float(low[0]), float(low[1]), pixel, columns, rows)
