"""Geometry of the trail: curvature, self-distance, projection."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.config import Scenario, TrailSettings
from liquid_control_sim.place.trail import STEP_M, TrailCurve, draw_half_widths, generate_trail

pytestmark = pytest.mark.sim

SEEDS = st.integers(0, 10_000)
DIFFICULTIES = st.floats(0.0, 1.0)


class Closest(NamedTuple):
    along_m: float
    distance_m: float


def brute_force(trail: TrailCurve, x: float, y: float) -> Closest:
    """Return the closest point of the whole polyline, segment by segment."""
    start, step = trail.samples[:-1], np.diff(trail.samples, axis=0)
    part = ((np.array([x, y]) - start) * step).sum(axis=1) / (step**2).sum(axis=1)
    part = np.clip(part, 0.0, 1.0)
    gap = np.array([x, y]) - (start + part[:, None] * step)
    distance = np.hypot(gap[:, 0], gap[:, 1])
    best = int(distance.argmin())
    side = step[best, 0] * gap[best, 1] - step[best, 1] * gap[best, 0]
    return Closest(STEP_M * (best + part[best]), math.copysign(distance[best], side))


@pytest.mark.parametrize(
    ("difficulty", "radius_m"), [(0.0, 15.0), (0.3, 9.0), (1.0, 4.0), (3.0, 3.0), (5.0, 2.0)]
)
def test_sharpest_bend_follows_difficulty(difficulty, radius_m):
    for seed in range(20):
        trail = generate_trail(TrailSettings(difficulty=difficulty), seed)
        turn = np.abs(np.diff(trail.headings)).max() / STEP_M
        assert radius_m * 0.995 <= 1.0 / turn <= radius_m * 1.6


def test_the_sharpest_bend_can_be_set():
    trail = generate_trail(TrailSettings(min_radius_m=6.0), 3)
    assert 5.97 <= STEP_M / np.abs(np.diff(trail.headings)).max() <= 9.6


@given(seed=SEEDS, difficulty=DIFFICULTIES)
@settings(max_examples=20, deadline=None)
def test_trail_starts_at_the_origin_due_east_without_self_intersection(seed, difficulty):
    trail = generate_trail(TrailSettings(difficulty=difficulty), seed)
    assert trail.point(0.0) == (0.0, 0.0)
    assert trail.heading(0.0) == 0.0
    points = trail.samples[::5]
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    index = np.arange(len(points))
    far_along = np.abs(index[:, None] - index) * 5 * STEP_M >= 16.0
    assert apart[far_along].min() >= 8.0


@given(
    seed=SEEDS,
    difficulty=DIFFICULTIES,
    along=st.floats(0.0, 60.0),
    aside=st.floats(-2.5, 2.5),
    error=st.floats(-2.0, 2.0),
)
@settings(max_examples=60, deadline=None)
def test_projection_equals_brute_force(seed, difficulty, along, aside, error):
    trail = generate_trail(TrailSettings(difficulty=difficulty), seed)
    x, y = trail.point(along)
    heading = trail.heading(along)
    x, y = x - aside * math.sin(heading), y + aside * math.cos(heading)
    expected = brute_force(trail, x, y)
    found_along, found_distance = trail.project(x, y, along + error)
    if 0.0 < expected.along_m < trail.length_m:
        assert found_distance == pytest.approx(expected.distance_m, abs=1e-9)
        assert found_along == pytest.approx(expected.along_m, abs=1e-6)


def test_trail_is_extended_straight_beyond_both_ends():
    trail = generate_trail(TrailSettings(), 4)
    assert trail.point(-3.0) == pytest.approx((-3.0, 0.0), abs=1e-3)
    assert trail.project(-2.0, 0.5, 0.0) == pytest.approx((-2.0, 0.5), abs=2e-3)
    end, heading = trail.point(trail.length_m), trail.heading(trail.length_m)
    beyond = trail.point(trail.length_m + 5.0)
    assert math.dist(end, beyond) == pytest.approx(5.0)
    direction = math.atan2(beyond[1] - end[1], beyond[0] - end[0])
    assert direction == pytest.approx(heading, abs=0.02)
    along, distance = trail.project(*beyond, trail.length_m)
    assert (along, distance) == pytest.approx((trail.length_m + 5.0, 0.0), abs=1e-9)


def test_left_of_the_trail_is_positive():
    trail = generate_trail(TrailSettings(), 1)
    assert trail.project(1.0, 0.4, 1.0)[1] == pytest.approx(0.4, abs=0.02)
    assert trail.project(1.0, -0.4, 1.0)[1] == pytest.approx(-0.4, abs=0.02)


def test_trails_are_reproducible_and_depend_on_the_seed():
    settings_ = TrailSettings()
    first = generate_trail(settings_, 7).samples
    assert np.array_equal(first, generate_trail(settings_, 7).samples)
    assert np.abs(first - generate_trail(settings_, 8).samples).max() > 1.0


def test_curve_from_points_passes_through_them():
    points = np.array([(1.0, 2.0), (5.0, 2.0), (5.0, 5.0)])
    curve = TrailCurve.from_points(points)
    assert curve.length_m == pytest.approx(7.0)
    assert curve.point(0.0) == pytest.approx((1.0, 2.0))
    assert curve.point(4.0) == pytest.approx((5.0, 2.0))
    assert curve.point(7.0) == pytest.approx((5.0, 5.0))
    assert curve.heading(2.0) == pytest.approx(0.0)
    assert curve.heading(6.0) == pytest.approx(math.pi / 2)
    assert curve.project(4.7, 4.0, 6.0) == pytest.approx((6.0, 0.3))


@pytest.mark.parametrize(("difficulty", "mean"), [(0.0, 0.95), (1.0, 0.81), (5.0, 0.40)])
def test_half_widths_decrease_with_difficulty(difficulty, mean):
    graded = Scenario(trail=TrailSettings(difficulty=difficulty)).graded().trail
    widths = [draw_half_widths(graded, np.random.default_rng(seed)) for seed in range(200)]
    # Means of 200 uniform draws over 0.3 m or less deviate by 6 mm: 3 cm is above 4 deviations.
    assert np.mean(widths) == pytest.approx(mean, abs=0.03)
    assert np.ptp(widths[0]) > 0.03


def test_a_given_half_width_is_approximately_the_mean():
    widths = draw_half_widths(TrailSettings(half_width_m=0.5), np.random.default_rng(1))
    assert widths.mean() == pytest.approx(0.5, rel=0.2)
