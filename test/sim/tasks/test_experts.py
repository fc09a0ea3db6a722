"""Experts: single commands on a trail and to targets, and whole flights."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquid_control.config import Scenario, TaskSettings, load_scenario
from liquid_control.frames import quaternion_from_euler
from liquid_control.types import Command, VehicleState
from liquid_control_sim import Expert, fly
from liquid_control_sim.place.objects import ForestObject, Obstacles, Shape
from liquid_control_sim.place.terrain import FLAT, Terrain

pytestmark = pytest.mark.sim


class East:
    """A trail straight to the east."""

    length_m = 60.0

    def point(self, along_m):
        return along_m, 0.0

    def heading(self, along_m):
        return 0.0

    def project(self, x, y, near_m):
        return x, y


def trail_command(
    position=(5.0, 0.0, 1.5), yaw=0.0, trunks=(), capsules=(), ground=FLAT
) -> Command:
    obstacles = Obstacles(
        np.array(trunks, float).reshape(-1, 3), np.array(capsules, float).reshape(-1, 7)
    )
    expert = Expert()
    expert.start(
        SimpleNamespace(
            scenario=Scenario(),
            trail=East(),
            trunks=obstacles.trunks,
            obstacles=obstacles,
            ground=ground,
            targets=(),
        )
    )
    quaternion = quaternion_from_euler(0.0, 0.0, yaw)
    return expert.command(
        None, VehicleState(np.array(position), quaternion, np.zeros(3), np.zeros(3))
    )


def test_trail_expert_flies_ahead_at_cruise_speed_on_the_trail():
    assert trail_command().values == pytest.approx((2.0, 0.0, 0.0, 0.0), abs=1e-12)


def test_trail_expert_corrects_a_lateral_offset():
    command = trail_command((5.0, 1.0, 1.5))
    assert command.left_mps == pytest.approx(-0.8)
    assert command.yaw_rate_radps < 0.0


def test_trail_expert_corrects_its_heading_while_flying_along_the_trail():
    command = trail_command(yaw=0.4)
    assert command.yaw_rate_radps == pytest.approx(-0.8)
    speed = 2.0 * (1.0 - 0.8 * 0.4)
    assert command.forward_mps == pytest.approx(speed * math.cos(0.4))
    assert command.left_mps == pytest.approx(-speed * math.sin(0.4))


@pytest.mark.parametrize(("altitude", "climb"), [(1.0, 0.5), (2.0, -0.5), (5.0, -0.7)])
def test_trail_expert_returns_to_the_altitude(altitude, climb):
    assert trail_command((5.0, 0.0, altitude)).up_mps == pytest.approx(climb)


def test_trail_expert_climbs_with_the_terrain():
    # Near the origin this long wave is a slope of 0.1.
    slope = Terrain(np.array([(1e-4, 0.0, 0.0, 1e3)]))
    assert trail_command((5.0, 0.0, 2.0), ground=slope).up_mps == pytest.approx(0.2, abs=1e-4)


def test_near_trunks_repel_and_far_trunks_do_not():
    # Beside the vehicle, 0.3 of the repulsion is left.
    near = trail_command(trunks=[(5.0, 0.9, 0.2)])
    assert near.left_mps == pytest.approx(-0.3 * 1.5 * (0.9 - 0.4))
    assert trail_command(trunks=[(5.0, 2.0, 0.2)]).left_mps == pytest.approx(0.0, abs=1e-12)


def test_trunks_ahead_repel_more_than_trunks_behind():
    ahead, behind = (trail_command(trunks=[(5.0 + dx, 0.6, 0.1)]) for dx in (0.8, -0.8))
    assert ahead.left_mps == pytest.approx(-1.5 * (0.9 - (1.0 - 0.4)) * 0.6)
    assert behind.left_mps == pytest.approx(0.0, abs=1e-12)


def test_branches_repel_at_flight_height_only():
    def branch(z):
        return [(5.0, 0.9, z, 5.0, 4.0, z, 0.2)]

    near = trail_command(capsules=branch(1.5))
    assert near.left_mps == pytest.approx(-0.3 * 1.5 * (0.9 - 0.4))
    assert trail_command(capsules=branch(4.0)).left_mps == pytest.approx(0.0, abs=1e-12)


def test_command_before_start_is_an_error():
    with pytest.raises(RuntimeError, match="before start"):
        Expert().command(None, VehicleState(*(np.zeros(n) for n in (3, 4, 3, 3))))


SECOND = 1_000_000_000
AHEAD = ForestObject(Shape.BALL, "red", (12.0, 0.0, 1.5), 1.0, 0.0, 1.0)
BEHIND = ForestObject(Shape.BALL, "red", (-12.0, 0.0, 1.5), 1.0, 0.0, 1.0)


def visit_expert(targets=(AHEAD,), trunks=()):
    capsules = np.concatenate([target.capsules for target in targets])
    obstacles = Obstacles(np.array(trunks, float).reshape(-1, 3), capsules)
    expert = Expert()
    expert.start(
        SimpleNamespace(
            scenario=Scenario(task=TaskSettings(kind="hike")),
            obstacles=obstacles,
            ground=FLAT,
            targets=targets,
        )
    )
    return expert


def visit_command(expert, x=0.0, y=0.0, yaw=0.0, stamp_s=0.0):
    state = VehicleState(
        np.array([x, y, 1.5]), quaternion_from_euler(0.0, 0.0, yaw), np.zeros(3), np.zeros(3)
    )
    return expert.command(SimpleNamespace(stamp_ns=round(stamp_s * SECOND)), state)


def test_visit_expert_approaches_at_cruise_speed():
    assert visit_command(visit_expert()).values == pytest.approx((2.0, 0.0, 0.0, 0.0), abs=1e-12)


def test_visit_expert_creeps_in_front_of_the_target():
    # The surface is at x = 11.5; arrival counts from 10 m on, the expert leaves at 10.6 m.
    assert visit_command(visit_expert(), x=9.0).forward_mps == pytest.approx(0.7)
    assert visit_command(visit_expert(), x=10.1).forward_mps == pytest.approx(0.2)
    assert visit_command(visit_expert(), x=10.6).forward_mps == pytest.approx(0.2)
    assert visit_command(visit_expert(), x=10.9).forward_mps == pytest.approx(0.0, abs=1e-9)
    assert visit_command(visit_expert(), x=11.1).forward_mps < 0.0


@pytest.mark.parametrize("yaw", [0.5, -0.5])
def test_visit_expert_turns_to_a_visible_target(yaw):
    command = visit_command(visit_expert(), yaw=yaw)
    assert command.yaw_rate_radps == pytest.approx(-2.0 * yaw)


@pytest.mark.parametrize("yaw", [1.0, -1.0, 3.0])
def test_visit_expert_searches_by_turning_left(yaw):
    command = visit_command(visit_expert(), yaw=yaw)
    assert command.values == pytest.approx((0.0, 0.0, 0.0, 1.0), abs=1e-12)


def test_visit_expert_turns_back_to_a_target_that_left_the_view():
    expert = visit_expert()
    assert visit_command(expert, yaw=0.2).yaw_rate_radps < 0.0
    assert visit_command(expert, yaw=1.0).yaw_rate_radps == pytest.approx(-1.4)


@given(y=st.floats(-0.6, 0.6))
def test_visit_expert_avoids_an_obstacle_on_its_way(y):
    command = visit_command(visit_expert(trunks=[(1.5, y, 0.2)]))
    assert math.copysign(1.0, command.left_mps) == (-1.0 if y >= 0.0 else 1.0)
    clear = visit_command(visit_expert(trunks=[(1.5, 2.5, 0.2)]))
    assert clear.left_mps == pytest.approx(0.0, abs=1e-12)


def visited(stay_s=1.0):
    """Return an expert that has been at the first of two targets for some time."""
    expert = visit_expert(targets=(AHEAD, BEHIND))
    visit_command(expert, x=10.3, stamp_s=5.0)
    visit_command(expert, x=10.3, stamp_s=5.0 + stay_s)
    return expert


def test_visit_expert_leaves_a_target_by_distance_and_not_by_time():
    assert visit_command(visited(), x=10.55, stamp_s=60.0).forward_mps == pytest.approx(0.2)
    leaving = visit_command(visited(), x=10.65, stamp_s=6.1)
    assert leaving.values == pytest.approx((0.0, 0.0, 0.0, 1.0), abs=1e-12)


def test_a_target_that_was_left_repels_only_from_very_near():
    expert = visited()
    visit_command(expert, x=10.65, stamp_s=6.1)
    assert visit_command(expert, x=10.85, stamp_s=6.2).forward_mps == pytest.approx(0.0, abs=1e-12)
    # The object itself pushes with 0.975 m/s; its post below adds to that.
    near = visit_command(expert, x=10.95, stamp_s=6.3)
    assert near.forward_mps < -1.5 * (0.9 - (0.55 - 0.3))


def test_visit_expert_does_not_leave_before_the_stay_counts():
    staying = visit_command(visited(stay_s=0.9), x=10.65, stamp_s=5.95)
    assert staying.yaw_rate_radps == pytest.approx(0.0)


@pytest.mark.parametrize(("stay_s", "yaw_rate"), [(0.95, -1.4), (1.0, 1.0)])
def test_visit_expert_goes_on_from_a_target_that_was_left_after_the_stay(stay_s, yaw_rate):
    left = visit_command(visited(stay_s), x=10.3, yaw=0.8, stamp_s=5.1 + stay_s)
    assert left.yaw_rate_radps == pytest.approx(yaw_rate)


def test_a_gust_at_a_target_does_not_make_the_expert_leave():
    expert = visited()
    state = VehicleState(
        np.array([10.3, 0.0, 1.5]),
        quaternion_from_euler(0.0, 0.0, 0.0),
        np.array([0.5, 0.0, 0.0]),
        np.zeros(3),
    )
    command = expert.command(SimpleNamespace(stamp_ns=7 * SECOND), state)
    assert command.yaw_rate_radps == pytest.approx(0.0)


def test_visit_expert_stays_at_the_last_target():
    expert = visit_expert()
    visit_command(expert, x=10.3, stamp_s=5.0)
    assert visit_command(expert, x=10.3, stamp_s=20.0).yaw_rate_radps == pytest.approx(0.0)


LIGHT = {
    "camera.rate_hz": 10.0,
    "camera.width": 16,
    "camera.height": 16,
    "forest.trees": 40,
}
"""Settings of cheap flights; the expert does not use images."""


def flown(name, seed=1, **keys):
    overrides = LIGHT | {key.replace("__", "."): value for key, value in keys.items()}
    return fly(load_scenario(name, overrides), seed, Expert())


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("trail_hard", {"trail__length_m": 20.0}),
        ("target", {"target__range_m": 6.0}),
        ("rotation", {"target__range_m": 6.0}),
        ("occlusion", {"target__range_m": 6.0}),
        ("hike", {"hike__targets": 2, "hike__leg_m": 5.0}),
        ("hike", {"hike__targets": 2, "hike__leg_m": 8.0, "target__stop_m": 0.5}),
        ("hike", {"hike__targets": 2, "hike__leg_m": 8.0, "target__stop_m": 3.0}),
    ],
)
def test_expert_completes_the_task(name, keys):
    result = flown(name, **keys).result
    assert result.reason == "completed"
    assert result.min_clearance_m > 0.05


def test_target_flight_ends_at_the_target():
    record = flown("target", target__range_m=6.0)
    assert record.result.distance_m == pytest.approx(6.0)
    assert np.linalg.norm(record.position[-1, :2]) == pytest.approx(6.0 - 0.5 - 1.2, abs=0.2)
    assert np.linalg.norm(record.velocity[-1]) < 0.3


def test_expert_flights_are_reproducible():
    first, again = (flown("target", target__range_m=5.0) for _ in range(2))
    assert np.array_equal(first.position, again.position)
    assert np.array_equal(first.command, again.command)
