"""Wakes and gaps: what the drag takes is what the air lacks, and what lacks goes around."""

import math

import numpy as np
import pytest

from liquid_control_sim.air.lee import CROWN_DRAG, PLANE_M, ROUGHNESS, TRUNK_DRAG, bent

pytestmark = pytest.mark.sim

TRUNK = np.array([[0.0, 0.0, 0.2]])
BARE = np.array([[1e-3, 90.0, 91.0]])
"""A crown too small and too high to matter."""


def along_line(xs, ys, trunks=TRUNK, crowns=BARE, height_m=1.5):
    points = np.stack(np.broadcast_arrays(xs, ys), axis=-1)
    return bent(points, trunks, crowns, height_m)


@pytest.mark.parametrize("distance", [2.0, 10.0, 40.0])
def test_a_trunk_takes_the_momentum_of_its_drag(distance):
    """Integral of u (U - u) over the wake's breadth = C_D d U^2 / 2."""
    y = np.linspace(-40.0, 40.0, 160_001)
    deficit = along_line(distance, y)[:, 2] / ROUGHNESS
    taken = np.sum(deficit * (1.0 - deficit)) * (y[1] - y[0])
    assert taken == pytest.approx(0.5 * TRUNK_DRAG * 0.4, rel=1e-3)


def test_a_crown_takes_the_momentum_of_its_drag():
    """Integral of u (U - u) over the wake's section = C_T A U^2 / 2, A an ellipse."""
    crown = np.array([[4.0, 4.0, 10.0]])
    thin = np.array([[0.0, 0.0, 1e-6]])
    y, heights = np.linspace(-30.0, 30.0, 601), np.linspace(-30.0, 45.0, 376)
    taken = 0.0
    for height in heights:
        deficit = along_line(20.0, y, thin, crown, height)[:, 2] / ROUGHNESS
        taken += np.sum(deficit * (1.0 - deficit)) * 0.1 * 0.2
    area = 0.25 * math.pi * 4.0 * 6.0
    assert taken == pytest.approx(0.5 * CROWN_DRAG * area, rel=2e-3)


def test_far_upwind_and_far_aside_the_wind_is_undisturbed():
    assert along_line(-30.0, np.array([0.0])) == pytest.approx(
        np.array([[1.0, 0.0, 0.0]]), abs=1e-4
    )
    assert along_line(0.0, np.array([30.0])) == pytest.approx(
        np.array([[1.0, 0.0, 0.0]]), abs=1e-4
    )


def test_beside_a_trunk_the_air_is_faster_as_around_a_cylinder():
    """U (1 + a^2 / y^2) in the plane flow, which fades over `PLANE_M`."""
    for y in (0.25, 0.5, 1.0):
        speed = along_line(0.0, np.array([y, -y]))[:, 0]
        assert speed == pytest.approx(1.0 + math.exp(-y / PLANE_M) * 0.04 / y**2, rel=1e-12)


def test_between_two_trunks_it_is_faster_than_beside_one():
    pair = np.array([[0.0, -0.6, 0.2], [0.0, 0.6, 0.2]])
    gap = along_line(0.0, np.array([0.0]), pair, np.repeat(BARE, 2, axis=0))[0]
    assert gap[0] == pytest.approx(1.0 + 2.0 * math.exp(-0.6 / PLANE_M) * 0.04 / 0.36, rel=1e-12)
    assert gap[1] == pytest.approx(0.0, abs=1e-15)
    lee = along_line(3.0, np.array([0.6]), pair, np.repeat(BARE, 2, axis=0))[0]
    assert lee[0] < 0.85
    assert lee[2] > 0.05


def test_the_wind_parts_in_front_of_a_trunk():
    left, right = along_line(-0.4, np.array([0.3, -0.3]))[:, 1]
    assert left > 0.05
    assert right == pytest.approx(-left, rel=1e-12)


def test_wakes_add_as_root_of_squares():
    row = np.array([[0.0, 0.0, 0.2], [5.0, 0.0, 0.2]])
    both = along_line(10.0, np.array([0.0]), row, np.repeat(BARE, 2, axis=0))[0, 2]
    near, far = (along_line(x, np.array([0.0]))[0, 2] for x in (5.0, 10.0))
    assert both == pytest.approx(math.hypot(near, far), rel=1e-9)
