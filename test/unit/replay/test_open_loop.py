"""Integration of commands, and the running statistics that agree with it."""

import math

import numpy as np
import pytest

from liquid_control.replay.open_loop import (
    MAX_HOLD_S,
    ORIGIN,
    Movement,
    PlanarPose,
    hold_times,
    integrate,
    integrate_as_published,
    path_distance,
    poses_at,
    step,
)
from liquid_control.replay.tracks import Series
from liquid_control.types import HOVER, Command

pytestmark = pytest.mark.unit


def commands(*rows):
    return np.array([*rows, (0.0, 0.0, 0.0, 0.0)])


def test_a_constant_twist_is_a_circle_for_any_steps():
    steps = np.random.default_rng(1).uniform(0.01, 0.9, 40)
    held = np.tile([2.0, 0.0, 0.25, 0.5], (41, 1))
    path = integrate(held, steps)
    angle = 0.5 * np.concatenate([[0.0], np.cumsum(steps)])
    np.testing.assert_allclose(path[:, 0], 4.0 * np.sin(angle), atol=1e-12)
    np.testing.assert_allclose(path[:, 1], 4.0 * (1.0 - np.cos(angle)), atol=1e-12)
    np.testing.assert_allclose(path[:, 2], 0.5 * angle, atol=1e-12)
    np.testing.assert_allclose(path[:, 3], angle, atol=1e-12)


def test_left_moves_left_of_the_heading_and_the_heading_accumulates():
    quarter = math.pi / 2
    path = integrate(
        commands((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, quarter), (3.0, 1.0, 0.0, 0.0)),
        np.ones(3),
    )
    np.testing.assert_allclose(path[-1], [0.0, 3.0, 0.0, quarter], atol=1e-12)


def test_it_is_the_limit_of_small_euler_steps():
    rng = np.random.default_rng(2)
    rows, held = rng.normal(0.0, 1.0, (20, 4)), rng.uniform(0.02, 0.2, 19)
    start = PlanarPose(1.0, -2.0, 3.0, 0.7)
    path = integrate(rows, held, start)
    x, y, z, heading = 1.0, -2.0, 3.0, 0.7
    parts = 4000
    for (forward, left, up, turn), dt in zip(rows, held, strict=False):
        for _ in range(parts):
            middle = heading + 0.5 * turn * dt / parts
            x += (forward * math.cos(middle) - left * math.sin(middle)) * dt / parts
            y += (forward * math.sin(middle) + left * math.cos(middle)) * dt / parts
            z += up * dt / parts
            heading += turn * dt / parts
    np.testing.assert_allclose(path[-1], [x, y, z, heading], atol=1e-7)


def test_the_published_code_does_not_rotate():
    """Worked out by hand for a turn of 1 rad/s over two steps of half a second."""
    path = integrate_as_published(
        commands((2.0, 1.0, 0.1, 1.0), (2.0, 1.0, 0.1, 1.0)), np.full(2, 0.5)
    )
    expected = np.array([2.0 * math.cos(0.25), math.sin(0.25), 0.1])
    np.testing.assert_allclose(path, [0.0 * expected, 0.5 * expected, expected], atol=1e-15)
    right = integrate(commands((2.0, 1.0, 0.1, 1.0), (2.0, 1.0, 0.1, 1.0)), np.full(2, 0.5))
    turned = 2.0 * (1.0 - math.cos(1.0)) + math.sin(1.0)
    assert right[-1, 1] == pytest.approx(turned, abs=1e-12)


def test_a_command_is_held_until_the_next_stamp_but_not_over_a_jump():
    stamps = np.array([0, 50_000_000, 1_050_000_000, 9_000_000_000, 8_000_000_000], np.int64)
    np.testing.assert_array_equal(hold_times(stamps), [0.05, MAX_HOLD_S, 0.0, 0.0])


def test_distances_of_paths():
    one = np.array([[0.0, 0.0, 0.0, 9.0], [1.0, 2.0, 2.0, 9.0]])
    distance = path_distance(one, np.zeros((2, 3)))
    assert (distance.final_l1_m, distance.final_l2_m) == (5.0, 3.0)
    assert (distance.mean_l1_m, distance.mean_l2_m, distance.max_l2_m) == (2.5, 1.5, 3.0)


def test_poses_are_interpolated_and_not_extrapolated():
    stamps = np.array([0, 1_000_000_000], np.int64)
    poses = Series(stamps, np.array([[0.0, 0.0, 0.0, 3.0], [2.0, 4.0, 0.0, -3.0]]), stamps)
    (found,) = poses_at(poses, np.array([500_000_000]))
    np.testing.assert_allclose(found, [1.0, 2.0, 0.0, math.pi], atol=1e-12)
    assert poses_at(poses, np.array([0, 1_200_000_000])) is None
    assert poses_at(Series(stamps[:0], np.empty((0, 4)), stamps[:0]), stamps) is None


def test_without_commands_there_is_no_path():
    assert integrate(np.empty((0, 4)), np.empty(0)).shape == (0, 4)
    assert integrate_as_published(np.empty((0, 4)), np.empty(0)).shape == (0, 3)


def test_a_quarter_circle_ends_where_it_does():
    pose = step(ORIGIN, Command(np.pi / 2, 0.0, 0.5, np.pi / 2), 1.0)
    assert (pose.x, pose.y, pose.z) == pytest.approx((1.0, 1.0, 0.5))
    assert pose.heading_rad == pytest.approx(np.pi / 2)


def test_left_is_left_of_the_heading():
    pose = step(PlanarPose(1.0, 2.0, 3.0, np.pi / 2), Command(0.0, 2.0), 0.5)
    assert (pose.x, pose.y, pose.z) == pytest.approx((0.0, 2.0, 3.0))


def test_steps_agree_with_the_integration_of_the_whole_flight():
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


def test_the_last_command_is_not_integrated_and_no_frames_give_zeros():
    movement = Movement()
    assert movement.rmse.tolist() == [0.0] * 4
    moved = movement.add(HOVER, Command(1.0, -2.0, 0.5), 0.05)
    assert moved.tolist() == [1.0, -2.0, 0.5, 0.0]
    assert movement.final_position_l1_m == 0.0
    movement.add(HOVER, HOVER, 0.1)
    assert movement.final_position_l1_m == pytest.approx(0.35)
