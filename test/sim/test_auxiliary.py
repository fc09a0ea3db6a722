"""Auxiliary targets and optional readings of real flights."""

import math

import numpy as np
import pytest
import torch

from liquid_control.config import load_scenario
from liquid_control.frames import quaternion_from_euler
from liquid_control.training.auxiliary import (
    AUXILIARY_SIZE,
    DEPTH_SHAPE,
    ROUTE_DISTANCES_M,
    SCALARS,
    AuxiliaryMeter,
)
from liquid_control.training.frame_batches import mirrored_auxiliary
from liquid_control.types import HOVER, VehicleState
from liquid_control_sim import Expert
from liquid_control_sim.flight import Flight

pytestmark = pytest.mark.sim


def first_frame(name, seed=3, **overrides):
    with Flight(load_scenario(name, overrides), seed) as flight:
        tick = flight.advance()
        assert tick is not None
        yield flight.world, tick


def measured(world, truth):
    values = AuxiliaryMeter(world).measure(truth)
    assert values.shape == (AUXILIARY_SIZE,)
    return dict(zip(SCALARS, values.tolist(), strict=False)), values[len(SCALARS) :]


def at(x, y, z, heading):
    still = np.zeros(3)
    return VehicleState(
        np.array([x, y, z]), quaternion_from_euler(0.0, 0.0, heading), still, still
    )


def test_trail_targets_are_those_of_the_trail():
    for world, _ in first_frame("trail", **{"trail.difficulty": 0.0}):
        found, _ = measured(world, at(0.0, 0.5, 1.7, 0.2))
        for ahead_m in (2.0, 5.0, 10.0):
            x, y = world.trail.point(ahead_m)
            left = (y - 0.5) * math.cos(0.2) - x * math.sin(0.2)
            assert found[f"trail_lateral_{ahead_m:g}m"] == pytest.approx(left / 2.0, abs=1e-3)
            heading = world.trail.heading(ahead_m) - 0.2
            assert found[f"trail_heading_{ahead_m:g}m"] == pytest.approx(heading, abs=1e-3)
        assert found["altitude"] == pytest.approx(0.2, abs=1e-6)
        assert math.isnan(found["target_visible"])


def test_the_route_of_the_expert_is_measured_in_the_heading_frame():
    expert = Expert()
    for world, tick in first_frame("trail", **{"trail.difficulty": 3.0}):
        expert.start(world)
        truth = at(0.0, 0.5, 1.7, 0.2)
        expert.command(tick.observation, truth)
        route = expert._task.route
        offsets = expert.route_ahead(truth, ROUTE_DISTANCES_M)
        progress_m, _ = route.line.project(0.0, 0.5, 0.0)
        for ahead_m, left_m in zip(ROUTE_DISTANCES_M, offsets, strict=True):
            x, y = route.line.point(progress_m + ahead_m)
            assert left_m == pytest.approx((y - 0.5) * math.cos(0.2) - x * math.sin(0.2), abs=1e-6)
        names = dict(zip(SCALARS, AuxiliaryMeter(world).measure(truth, offsets), strict=False))
        assert names["route_lateral_3m"] == pytest.approx(offsets[1])
    for world, tick in first_frame("target"):
        expert.start(world)
        expert.command(tick.observation, tick.truth)
        assert expert.route_ahead(tick.truth, ROUTE_DISTANCES_M) is None
        found, _ = measured(world, tick.truth)
        assert math.isnan(found["route_lateral_3m"])


def test_target_is_visible_only_in_view():
    keys = {"target.range_m": 8.0, "target.distractors": 0, "forest.trees": 0}
    for world, tick in first_frame("target", **keys):
        target = world.targets[0]
        found, _ = measured(world, tick.truth)
        away = np.array(target.centre)[:2] - tick.truth.position[:2]
        heading = math.atan2(away[1], away[0])
        assert found["target_visible"] == float(found["target_cosine"] > math.cos(math.pi / 4))
        turned, _ = measured(world, at(*tick.truth.position, heading + math.pi))
        assert turned["target_visible"] == 0.0
        assert turned["target_cosine"] == pytest.approx(-1.0, abs=1e-3)
        distance_m = np.linalg.norm(np.array(target.centre) - tick.truth.position)
        expected = math.exp(-(distance_m - target.radius_m) / 8.0)
        assert found["target_nearness"] == pytest.approx(expected, rel=0.02)
        assert math.isnan(found["trail_heading_2m"])


def test_depth_is_that_of_the_picture():
    for world, tick in first_frame("trail"):
        _, depth = measured(world, tick.truth)
        near = 1.0 / (1.0 + world.picture_range_m)
        rows, columns = (
            size // cells for size, cells in zip(near.shape, DEPTH_SHAPE, strict=True)
        )
        assert depth[0] == pytest.approx(near[:rows, :columns].max(), abs=1e-6)
        assert depth[-1] == pytest.approx(near[-rows:, -columns:].max(), abs=1e-6)
        assert depth[-1] > depth[0], "the ground is nearer than the sky"


def test_mirrored_twice_is_unchanged():
    values = np.random.default_rng(0).normal(size=(5, AUXILIARY_SIZE)).astype(np.float32)
    once = mirrored_auxiliary(torch.from_numpy(values)).numpy()
    np.testing.assert_array_equal(mirrored_auxiliary(torch.from_numpy(once)), values)
    row = dict(zip(SCALARS, once[0], strict=False))
    assert row["trail_lateral_2m"] == -values[0, 0]
    assert row["altitude"] == values[0, SCALARS.index("altitude")]
    assert once[0, len(SCALARS)] == values[0, len(SCALARS) + DEPTH_SHAPE[1] - 1]


def test_observations_hold_the_optional_readings():
    keys = {"speed_mps": 1.25, "camera.pitch_down_deg": 20.0, "imu.tilt_noise_deg": 0.0}
    for _, tick in first_frame("trail", **keys):
        assert tick.observation.cruise_mps == 1.25
        assert tick.observation.mount == (90.0, 20.0)
        np.testing.assert_allclose(tick.observation.orientation, tick.truth.quaternion, atol=1e-12)


def test_attitude_noise_tilts_and_does_not_turn():
    with Flight(load_scenario("trail", {"imu.tilt_noise_deg": 2.0}), 3) as flight:
        tilts = []
        while (tick := flight.advance()) is not None and len(tilts) < 200:
            flight.apply_command(HOVER)
            if tick.observation is not None:
                dot = abs(float(tick.observation.orientation @ tick.truth.quaternion))
                tilts.append(2.0 * math.degrees(math.acos(min(1.0, dot))))
        # The angle of two independent deviations of 2 degrees has the mean 2 sqrt(pi / 2).
        assert np.mean(tilts) == pytest.approx(2.0 * math.sqrt(math.pi / 2.0), rel=0.25)
