"""The winding line through the forest: a planar curve by arc length, drawn from a seed.

The heading is a sum of a few sine waves of random phase, bounded to +-60 degrees about east. That
bound is what keeps the trail from meeting itself: two points d apart along it are at least d/2
apart on the ground.
"""

import math

import numpy as np

from liquid_control.config.scenario import TrailSettings
from liquid_control.config.scenario.place import at_difficulty
from liquid_control.seeding import stream
from liquid_control.types import Floats

STEP_M = 0.1
MAX_HEADING_RAD = math.radians(60.0)
LEAD_IN_M = 8.0
"""How far the trail is shown, straight, before the start."""
RUN_OUT_M = 26.0
"""How far the trail is shown, straight, beyond the finish."""
HALF_WIDTH_STEP_M = 1.0
_STRAIGHT_START_M = 6.0
"""Over this length the heading leaves due east smoothly."""
_WAVES = (0.6, 1.0, 1.5)
"""Wave numbers of the heading, relative to the one at which radius and swing agree."""
_COARSE = 5
"""Samples between two looks of the coarse search in `project`."""
_WINDOW = 40
"""Samples searched on either side of the expected place, a multiple of `_COARSE`."""


class TrailCurve:
    """A polyline with a vertex every 0.1 m of arc, going straight on beyond both ends.

    Attributes:
        length_m: arc length from start to finish, m.
        samples: float64 [S, 2], the vertices, m, map.
        headings: float64 [S], rad, counter-clockwise from east.
    """

    def __init__(self, samples: Floats, headings: Floats) -> None:
        """Take vertices [S, 2], 0.1 m apart, and the headings [S] there."""
        self.samples = samples
        self.headings = headings
        self.length_m = STEP_M * (len(headings) - 1)
        self._last = len(headings) - 1
        self._x: list[float] = self.samples[:, 0].tolist()
        self._y: list[float] = self.samples[:, 1].tolist()
        self._heading: list[float] = headings.tolist()

    @classmethod
    def of_headings(cls, headings: Floats) -> "TrailCurve":
        """Integrate headings given every 0.1 m, starting at the origin."""
        middle = 0.5 * (headings[1:] + headings[:-1])
        steps = STEP_M * np.stack([np.cos(middle), np.sin(middle)], axis=1)
        return cls(np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]), headings)

    @classmethod
    def through(cls, points: Floats) -> "TrailCurve":
        """Resample a polyline [K, 2] of at least 0.2 m every 0.1 m of its arc.

        The last vertex stays within 0.05 m of the last point; consecutive points differ.
        """
        legs = np.linalg.norm(np.diff(points, axis=0), axis=1)
        arc = np.concatenate([[0.0], np.cumsum(legs)])
        along = STEP_M * np.arange(round(float(arc[-1]) / STEP_M) + 1)
        samples = np.stack([np.interp(along, arc, points[:, axis]) for axis in (0, 1)], axis=1)
        step = np.gradient(samples, axis=0)
        return cls(samples, np.unwrap(np.arctan2(step[:, 1], step[:, 0])))

    def point(self, along_m: float) -> tuple[float, float]:
        """Return (x, y) in the map at an arc length; straight on beyond the ends."""
        place = along_m / STEP_M
        index = min(max(int(place), 0), self._last - 1)
        part = place - index
        x, y = self._x, self._y
        return (
            x[index] + part * (x[index + 1] - x[index]),
            y[index] + part * (y[index + 1] - y[index]),
        )

    def heading(self, along_m: float) -> float:
        """Return the trail's heading in rad, counter-clockwise from east."""
        place = min(max(along_m / STEP_M, 0.0), float(self._last))
        index = min(int(place), self._last - 1)
        start = self._heading[index]
        return start + (place - index) * (self._heading[index + 1] - start)

    def project(self, x: float, y: float, near_m: float) -> tuple[float, float]:
        """Return (arc length, signed distance, left positive) of the closest point near `near_m`.

        Only 4 m on either side of `near_m` are searched, so that a far bend cannot capture it.
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
        return min(indices, key=lambda i: (xs[i] - x) ** 2 + (ys[i] - y) ** 2)

    def _on_segment(self, x: float, y: float, index: int) -> tuple[float, float]:
        """Return (arc length, signed distance) on a segment; the outermost have no outer end."""
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
    """Draw a trail whose sharpest bend has `min_radius_m` or up to 15 % more.

    Args:
        settings: with `min_radius_m` filled in (`Scenario.graded`). Difficulty up to 1 also widens
            the swings; beyond it, bends only grow sharper.
        seed: the flight's; drawn from the stream "forest.trail".
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
    return TrailCurve.of_headings(heading * scale)


def draw_half_widths(settings: TrailSettings, rng: np.random.Generator) -> Floats:
    """Draw the trail's half width along it, slowly varying; 0.6 to 1.2 m up to difficulty 1.

    Args:
        settings: with `half_width_m` filled in (`Scenario.graded`), which is about the mean.
        rng: of the stream "forest.colours".

    Returns:
        float64 [K], every `HALF_WIDTH_STEP_M` from -LEAD_IN_M to RUN_OUT_M beyond the finish.
    """
    length_m = STEP_M * round(settings.length_m / STEP_M)
    places = np.arange(-LEAD_IN_M, length_m + RUN_OUT_M + HALF_WIDTH_STEP_M, HALF_WIDTH_STEP_M)
    easy = min(settings.difficulty, 1.0)
    mean = rng.uniform(0.8, 1.1) - 0.2 * max(easy - 0.3, 0.0)
    wave = 2.0 * math.pi / rng.uniform(12.0, 25.0)
    sway = 0.08 * np.sin(wave * places + rng.uniform(0.0, 2.0 * math.pi))
    usual = at_difficulty("half_width_m", easy)
    scale = 1.0 if settings.half_width_m is None else settings.half_width_m / usual
    return np.asarray(np.clip(mean + sway, 0.6, 1.2) * scale)


def visible_course(trail: TrailCurve, step_m: float = 0.5) -> tuple[Floats, Floats, Floats]:
    """Return (along [K], points [K, 2], headings [K]) of the trail with lead-in and run-out."""
    along = np.arange(-LEAD_IN_M, trail.length_m + RUN_OUT_M + step_m, step_m)
    points = np.array([trail.point(float(s)) for s in along])
    headings = np.array([trail.heading(float(s)) for s in along])
    return along, points, headings
