"""The judge of targets: arriving takes nearness, facing, slowness and a second; every ending."""

import math
from dataclasses import replace

import numpy as np
import pytest

from liquid_control.frames import quaternion_from_euler
from liquid_control.types import HOVER, Command, VehicleState
from liquid_control_sim.place.objects import ForestObject, Shape
from liquid_control_sim.place.obstacles import Obstacles
from liquid_control_sim.place.terrain import FLAT
from liquid_control_sim.tasks.completion import Arrival, VisitTask, bearing_to, surface_distance
from liquid_control_sim.tasks.rules import Rules, TaskStatus

pytestmark = pytest.mark.sim
SECOND = 1_000_000_000
MOVING = Command(1.0)
FIRST = ForestObject(Shape.BALL, "red", (10.0, 0.0, 1.5), 1.0, 0.0, 1.0)
SECOND_THING = ForestObject(Shape.BOX, "red", (10.0, 8.0, 1.5), 1.0, 0.0, 1.0)
ARRIVAL = Arrival(stop_m=1.5, centred_rad=math.radians(10.0))
START = TaskStatus()


def state(x, y, z=1.5, yaw=0.0, speed=0.0):
    quaternion = quaternion_from_euler(0.0, 0.0, yaw)
    return VehicleState(np.array([x, y, z]), quaternion, np.array([0, speed, 0]), np.zeros(3))


def task(targets=(FIRST, SECOND_THING)):
    capsules = np.concatenate([forest_object.capsules for forest_object in targets])
    obstacles = Obstacles(np.array([(5.0, 3.0, 0.2)]), capsules)
    return VisitTask(targets, ARRIVAL, Rules(obstacles, FLAT, 0.3, 60.0))


def judge(at, stamp_s=1.0, before=START, command=MOVING, **given):
    return task(**given).judge(before, round(stamp_s * SECOND), at, command)


def test_on_the_way_progress_and_distance_are_those_of_the_leg():
    status = judge(state(4.0, 1.0))
    assert (status.progress_m, status.cross_track_m) == pytest.approx((4.0, 1.0))
    assert status.reason is None
    second = judge(state(9.0, 3.0), before=TaskStatus(reached=1))
    assert (second.progress_m, second.cross_track_m) == pytest.approx((13.0, 1.0))
    assert task().length_m == pytest.approx(18.0)


@pytest.mark.parametrize(
    ("at", "there"),
    [
        (state(8.01, 0.0), True),
        (state(7.99, 0.0), False),
        (state(8.5, 0.0, yaw=math.radians(9.9)), True),
        (state(8.5, 0.0, yaw=math.radians(-10.1)), False),
        (state(8.5, 0.0, speed=0.29), True),
        (state(8.5, 0.0, speed=0.3), False),
    ],
)
def test_being_there_is_near_centred_and_slow(at, there):
    assert ARRIVAL.is_there(FIRST, at) is there
    assert (judge(at).there_since_ns is not None) is there


def test_a_second_there_is_an_arrival_and_the_last_one_completes():
    at = state(8.5, 0.0)
    first = judge(at, 3.0)
    assert (first.there_since_ns, first.reached) == (3 * SECOND, 0)
    almost = judge(at, 3.999, before=first)
    assert almost.reached == 0
    arrived = judge(at, 4.0, before=almost)
    assert (arrived.reached, arrived.there_since_ns, arrived.reason) == (1, None, None)
    assert arrived.progress_m == pytest.approx(10.0)
    alone = judge(at, 4.0, before=almost, targets=(FIRST,))
    assert (alone.reason, alone.progress_m) == ("completed", pytest.approx(10.0))


def test_a_moment_away_starts_the_second_anew():
    first = judge(state(8.5, 0.0), 3.0)
    away = judge(state(8.5, 0.0, speed=0.4), 3.5, before=first)
    assert away.there_since_ns is None
    assert judge(state(8.5, 0.0), 4.2, before=away).reached == 0


def test_the_second_target_does_not_count_before_the_first():
    at = state(10.0, 6.5, yaw=math.pi / 2)
    assert ARRIVAL.is_there(SECOND_THING, at)
    assert judge(at).there_since_ns is None
    assert judge(at, before=TaskStatus(reached=1)).there_since_ns == SECOND


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (state(5.0, 2.6), "collision"),
        (state(9.3, 0.0), "collision"),
        (state(10.0, 0.35, 0.5), "collision"),
        (state(4.0, 0.0, 0.2), "altitude"),
        (state(4.0, 0.0, 5.1), "altitude"),
        (state(4.0, -10.1), "left_area"),
        (state(-10.1, 0.0), "left_area"),
        (state(20.2, 0.0), "left_area"),
        (state(4.0, -9.9), None),
    ],
)
def test_each_ending_has_its_reason(at, reason):
    assert judge(at).reason == reason


def test_time_runs_out():
    assert judge(state(4.0, 0.0), 60.0).reason is None
    assert judge(state(4.0, 0.0), 60.1).reason == "timeout"


def test_a_hover_on_the_way_is_a_guard_stop_and_at_the_target_it_is_not():
    on_way = judge(state(4.0, 0.0), 1.0, command=HOVER)
    assert on_way.held_since_ns == SECOND
    assert judge(state(4.0, 0.0), 4.1, before=on_way, command=HOVER).reason == "guard_stop"
    held = replace(START, held_since_ns=SECOND)
    at_target = judge(state(7.6, 0.0), 30.0, before=held, command=HOVER)
    assert (at_target.held_since_ns, at_target.reason) == (None, None)


@pytest.mark.parametrize(
    ("yaw", "bearing"), [(0.0, 0.0), (0.3, -0.3), (-0.3, 0.3), (math.pi, -math.pi)]
)
def test_bearing_is_left_positive(yaw, bearing):
    assert bearing_to(FIRST, state(5.0, 0.0, yaw=yaw)) == pytest.approx(bearing)


def test_distance_is_to_the_surface():
    assert surface_distance(FIRST, state(7.0, 4.0, 1.5)) == pytest.approx(4.5)
