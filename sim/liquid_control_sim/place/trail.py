"""Trail through a forest: a planar curve by arc length, drawn from a seed.

The heading is a sum of sine waves of random phase, bounded to +-60 degrees about east. The bound
prevents self-intersection: two points that are d apart along the trail are at least d/2 apart on
the ground.
"""

import math

import numpy as np

from liquid_control.config import TrailSettings
from liquid_control.config.scenario import at_difficulty
from liquid_control.seeding import stream
from liquid_control.types import Floats

STEP_M = 0.1
MAX_HEADING_RAD = math.radians(60.0)
LEAD_IN_M = 8.0
"""Length of the straight visible part before the start."""
RUN_OUT_M = 26.0
"""Length of the straight visible part beyond the finish."""
HALF_WIDTH_STEP_M = 1.0
_STRAIGHT_START_M = 6.0
"""Length over which the heading blends from due east into the waves."""
_WAVES = (0.6, 1.0, 1.5)
"""Wave numbers of the heading, relative to the one at which radius and amplitude agree."""
_COARSE = 5
"""Step of the coarse search in `project`, samples."""
_WINDOW = 40
"""Samples searched on either side of the expected position, a multiple of `_COARSE`."""


class TrailCurve:
    """A polyline with a vertex every 0.1 m of arc length, extended straight beyond both ends.

    Attributes:
        length_m: arc length from start to finish, m.
        samples: float64 [S, 2], vertices, m, map.
        headings: float64 [S], rad, counter-clockwise from east.
    """

    def __init__(self, samples: Floats, headings: Floats) -> None:
        """Store vertices [S, 2], 0.1 m apart, and their headings [S]."""
        self.samples = samples
        self.headings = headings
        self.length_m = STEP_M * (len(headings) - 1)
        self._last = len(headings) - 1
        self._x: list[float] = self.samples[:, 0].tolist()
        self._y: list[float] = self.samples[:, 1].tolist()
        self._heading: list[float] = headings.tolist()

    @classmethod
    def from_headings(cls, headings: Floats) -> "TrailCurve":
        """Integrate headings, one every 0.1 m, from the origin."""
        middle = 0.5 * (headings[1:] + headings[:-1])
        steps = STEP_M * np.stack([np.cos(middle), np.sin(middle)], axis=1)
        return cls(np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]), headings)

    @classmethod
    def from_points(cls, points: Floats) -> "TrailCurve":
        """Resample a polyline [K, 2] of at least 0.2 m every 0.1 m of its arc length.

        The last vertex is within 0.05 m of the last point. Consecutive points must differ.
        """
        legs = np.linalg.norm(np.diff(points, axis=0), axis=1)
        arc = np.concatenate([[0.0], np.cumsum(legs)])
        along = STEP_M * np.arange(round(float(arc[-1]) / STEP_M) + 1)
        samples = np.stack([np.interp(along, arc, points[:, axis]) for axis in (0, 1)], axis=1)
        step = np.gradient(samples, axis=0)
        return cls(samples, np.unwrap(np.arctan2(step[:, 1], step[:, 0])))

    def point(self, along_m: float) -> tuple[float, float]:
        """Return (x, y), m, map, at an arc length; the ends are extended straight."""
        place = along_m / STEP_M
        index = min(max(int(place), 0), self._last - 1)
        part = place - index
        x, y = self._x, self._y
        return (
            x[index] + part * (x[index + 1] - x[index]),
            y[index] + part * (y[index + 1] - y[index]),
        )

    def heading(self, along_m: float) -> float:
        """Return the heading at an arc length, rad, counter-clockwise from east."""
        place = min(max(along_m / STEP_M, 0.0), float(self._last))
        index = min(int(place), self._last - 1)
        start = self._heading[index]
        return start + (place - index) * (self._heading[index + 1] - start)

    def project(self, x: float, y: float, near_m: float) -> tuple[float, float]:
        """Return arc length and signed distance, left positive, of the closest point.

        The search covers 4 m on either side of `near_m`, which excludes other bends of the trail.
        """
        centre = min(max(round(near_m / STEP_M), 0), self._last)
        low, high = max(centre - _WINDOW, 0), min(centre + _WINDOW, self._last)
        best = self._nearest(x, y, range(low, high + 1, _COARSE))
        best = self._nearest(x, y, range(max(best - _COARSE, low), min(best + _COARSE, high) + 1))
        before = self._on_segment(x, y, max(best - 1, 0))
        after = self._on_segment(x, y, min(best, self._last - 1))
        return before if abs(before[1]) < abs(after[1]) else after

    def _nearest(self, x: float, y: float, indices: range) -> int:
        xs, ys = self._x, self._y
        best, least = indices[0], math.inf
        for index in indices:
            east, north = xs[index] - x, ys[index] - y
            square = east * east + north * north
            if square < least:
                best, least = index, square
        return best

    def _on_segment(self, x: float, y: float, index: int) -> tuple[float, float]:
        """Return arc length and signed distance on a segment; the outermost are half-lines."""
        x0, y0 = self._x[index], self._y[index]
        tx, ty = (self._x[index + 1] - x0) / STEP_M, (self._y[index + 1] - y0) / STEP_M
        dx, dy = x - x0, y - y0
        along = dx * tx + dy * ty
        if along < 0.0 and index > 0:
            along = 0.0
        elif along > STEP_M and index < self._last - 1:
            along = STEP_M
        distance = math.hypot(dx - along * tx, dy - along * ty)
        return index * STEP_M + along, math.copysign(distance, tx * dy - ty * dx)


def generate_trail(settings: TrailSettings, seed: int) -> TrailCurve:
    """Draw a trail whose sharpest bend has a radius of `min_radius_m` to 15 % more.

    Args:
        settings: with `min_radius_m` set (`Scenario.graded`). Difficulty up to 1 also increases
            the heading amplitude; beyond 1, only the bends become sharper.
        seed: seed of the flight; the stream is "forest.trail".
    """
    rng = stream(seed, "forest.trail")
    given = settings.min_radius_m
    least = at_difficulty("min_radius_m", settings.difficulty) if given is None else given
    radius = least * rng.uniform(1.0, 1.15)
    swing = 0.5 + 0.45 * min(settings.difficulty, 1.0)
    along = STEP_M * np.arange(round(settings.length_m / STEP_M) + 1)
    heading = np.zeros_like(along)
    for factor in _WAVES:
        wave = factor * rng.uniform(0.85, 1.15) / (radius * swing)
        heading += rng.uniform(0.5, 1.0) * np.sin(wave * along + rng.uniform(0.0, 2.0 * math.pi))
    start = np.clip(along / _STRAIGHT_START_M, 0.0, 1.0)
    heading *= start * start * (3.0 - 2.0 * start)
    sharpest = float(np.abs(np.gradient(heading, STEP_M)).max())
    widest = float(np.abs(heading).max())
    scale = min(1.0 / (radius * sharpest), MAX_HEADING_RAD / widest)
    return TrailCurve.from_headings(heading * scale)


def draw_half_widths(settings: TrailSettings, rng: np.random.Generator) -> Floats:
    """Draw the slowly varying half width of the trail: 0.6 to 1.2 m up to difficulty 1.

    Args:
        settings: with `half_width_m` set (`Scenario.graded`), approximately the mean.
        rng: generator of the stream "forest.colours".

    Returns:
        float64 [K], every `HALF_WIDTH_STEP_M` from -LEAD_IN_M to RUN_OUT_M beyond the finish.
    """
    length_m = STEP_M * round(settings.length_m / STEP_M)
    places = np.arange(-LEAD_IN_M, length_m + RUN_OUT_M + HALF_WIDTH_STEP_M, HALF_WIDTH_STEP_M)
    easy = min(settings.difficulty, 1.0)
    mean = rng.uniform(0.8, 1.1) - 0.2 * max(easy - 0.3, 0.0)
    wave = 2.0 * math.pi / rng.uniform(12.0, 25.0)
    sway = 0.08 * np.sin(wave * places + rng.uniform(0.0, 2.0 * math.pi))
    nominal = at_difficulty("half_width_m", easy)
    scale = 1.0 if settings.half_width_m is None else settings.half_width_m / nominal
    return np.asarray(np.clip(mean + sway, 0.6, 1.2) * scale)


def visible_course(trail: TrailCurve, step_m: float = 0.5) -> tuple[Floats, Floats, Floats]:
    """Return arc lengths [K], points [K, 2] and headings [K], lead-in and run-out included."""
    along = np.arange(-LEAD_IN_M, trail.length_m + RUN_OUT_M + step_m, step_m)
    points = np.array([trail.point(float(s)) for s in along])
    headings = np.array([trail.heading(float(s)) for s in along])
    return along, points, headings
