"""Sums over commands, and the step that agrees with the integration of whole flights."""

import numpy as np
import pytest

from liquid_control.replay.disturbed import Movement, flown_on
from liquid_control.replay.open_loop import (
    ORIGIN,
    PlanarPose,
    hold_times,
    integrate,
    path_distance,
)
from liquid_control.types import HOVER, Command

pytestmark = pytest.mark.unit


def test_a_quarter_circle_ends_where_it_does():
    pose = flown_on(ORIGIN, Command(np.pi / 2, 0.0, 0.5, np.pi / 2), 1.0)
    assert (pose.x, pose.y, pose.z) == pytest.approx((1.0, 1.0, 0.5))
    assert pose.heading_rad == pytest.approx(np.pi / 2)


def test_left_is_left_of_the_heading():
    pose = flown_on(PlanarPose(1.0, 2.0, 3.0, np.pi / 2), Command(0.0, 2.0), 0.5)
    assert (pose.x, pose.y, pose.z) == pytest.approx((0.0, 2.0, 3.0))


def test_places_are_those_of_the_integration_of_the_whole_flight():
    rng = np.random.default_rng(4)
    stamps = np.cumsum(rng.integers(10_000_000, 90_000_000, 300))
    stamps[200:] += 5 * 10**9
    one, other = rng.normal(0.0, 1.0, (2, 300, 4))
    movement, before = Movement(), None
    for stamp, first, second in zip(stamps.tolist(), one, other, strict=True):
        elapsed_s = 0.0 if before is None else (stamp - before) / 1e9
        movement.add(Command(*first.tolist()), Command(*second.tolist()), elapsed_s)
        before = stamp
    held = hold_times(stamps)
    apart = path_distance(integrate(one, held), integrate(other, held))
    assert movement.final_position_l1_m == pytest.approx(apart.final_l1_m, rel=1e-9)
    assert movement.rmse == pytest.approx(np.sqrt(((one - other) ** 2).mean(axis=0)))
    assert movement.mae == pytest.approx(np.abs(one - other).mean(axis=0))
    assert movement.largest == pytest.approx(np.abs(one - other).max(axis=0))
    assert movement.frames == 300


def test_the_last_command_is_not_followed_and_nothing_compared_is_nothing():
    movement = Movement()
    assert movement.rmse.tolist() == [0.0] * 4
    moved = movement.add(HOVER, Command(1.0, -2.0, 0.5), 0.05)
    assert moved.tolist() == [1.0, -2.0, 0.5, 0.0]
    assert movement.final_position_l1_m == 0.0
    movement.add(HOVER, HOVER, 0.1)
    assert movement.final_position_l1_m == pytest.approx(0.35)
