"""Distances to trunks and capsules against hand-computed geometry."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control_sim.place.objects import (
    ForestObject,
    Obstacles,
    Post,
    Shape,
    capsule_gaps,
    capsule_offsets,
)

pytestmark = pytest.mark.sim
BRANCH = (0.0, 2.0, 1.5, 4.0, 2.0, 1.5, 0.1)
NUMBERS = st.floats(-5.0, 5.0)


@pytest.mark.parametrize(
    ("point", "gap"),
    [
        ((2.0, 0.0, 1.5), 1.9),
        ((-3.0, 2.0, 1.5), 2.9),
        ((7.0, 6.0, 1.5), 4.9),
        ((2.0, 2.0, 3.5), 1.9),
        ((2.0, 2.0, 1.5), -0.1),
    ],
)
def test_distance_to_a_capsule(point, gap):
    assert capsule_gaps(np.array([BRANCH]), np.array(point))[0] == pytest.approx(gap)


@given(ends=st.tuples(*[NUMBERS] * 6), point=st.tuples(*[NUMBERS] * 3))
@settings(max_examples=60, deadline=None)
def test_capsule_distance_equals_that_of_its_nearest_sphere(ends, point):
    capsule = np.array([(*ends, 0.2)])
    parts = np.linspace(0.0, 1.0, 2001)[:, None]
    axis = capsule[0, :3] + parts * (capsule[0, 3:6] - capsule[0, :3])
    nearest = np.linalg.norm(np.array(point) - axis, axis=1).min() - 0.2
    assert capsule_gaps(capsule, np.array(point))[0] == pytest.approx(nearest, abs=1e-2)


def test_capsule_distances_of_many_points():
    capsules = np.array([BRANCH, (1.0, 0.0, 0.0, 1.0, 0.0, 2.0, 0.3)])
    points = np.random.default_rng(0).normal(size=(3, 4, 3))
    gaps = capsule_gaps(capsules, points)
    assert gaps.shape == (3, 4, 2)
    np.testing.assert_allclose(gaps[1, 2], capsule_gaps(capsules, points[1, 2]))
    assert capsule_offsets(capsules, points).shape == (3, 4, 2, 3)


def test_clearance_is_the_distance_to_the_nearest_obstacle():
    both = Obstacles(np.array([(0.0, 0.0, 0.2)]), np.array([BRANCH]))
    assert both.clearance(1.0, 0.0, 9.0) == pytest.approx(0.8)
    assert both.clearance(2.0, 1.5, 1.5) == pytest.approx(0.4)
    assert Obstacles().clearance(0.0, 0.0, 0.0) == math.inf


def test_an_object_consists_of_a_sphere_and_a_post():
    forest_object = ForestObject(Shape.CONE, "red", (1.0, 2.0, 1.5), 1.0, 0.0, 1.0)
    on_ground = ForestObject(Shape.BOX, "blue", (1.0, 2.0, 0.5), 1.0, 0.0, 0.0)
    assert capsule_gaps(forest_object.capsules, np.array([4.0, 2.0, 1.5])).min() == pytest.approx(
        2.5
    )
    assert capsule_gaps(forest_object.capsules, np.array([2.0, 2.0, 0.0])).min() == pytest.approx(
        0.94
    )
    assert len(on_ground.capsules) == 1


def test_a_post_is_upright():
    post = Post((1.0, 2.0, 0.5), 2.0, 0.1)
    gaps = capsule_gaps(np.array([post.capsule]), np.array([(2.0, 2.0, 1.5), (1.0, 2.0, 3.5)]))
    assert gaps[:, 0] == pytest.approx([0.9, 0.9])
