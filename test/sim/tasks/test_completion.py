"""Tasks: progress, arrival and every end of a flight."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from liquid_control.frames import quaternion_from_euler
from liquid_control.types import HOVER, Command, VehicleState
from liquid_control_sim.place.objects import ForestObject, Obstacles, Shape
from liquid_control_sim.place.terrain import FLAT, Terrain
from liquid_control_sim.tasks.completion import (
    HOLD_LIMIT_S,
    Arrival,
    Rules,
    TaskStatus,
    TrailTask,
    VisitTask,
    bearing_to,
    surface_distance,
)

pytestmark = pytest.mark.sim

MOVING = Command(1.0)
SECOND = 1_000_000_000


@dataclass
class East:
    """A trail straight to the east."""

    length_m: float = 60.0

    def point(self, along_m):
        return along_m, 0.0

    def heading(self, along_m):
        return 0.0

    def project(self, x, y, near_m):
        return x, y


BRANCH = (20.0, 0.8, 1.5, 20.0, 3.0, 1.5, 0.05)


def trail_task(trunks=((10.0, 2.0, 0.2),), ground=FLAT):
    obstacles = Obstacles(np.array(trunks).reshape(-1, 3), np.array([BRANCH]))
    return TrailTask(East(), 60.0, 2.5, Rules(obstacles, ground, 0.3, 70.0))


START = TaskStatus()


def trail_status(position, stamp_ns=SECOND, command=MOVING, before=START, **setup):
    state = VehicleState(np.array(position, float), np.array([0, 0, 0, 1.0]), *np.zeros((2, 3)))
    return trail_task(**setup).evaluate(before, stamp_ns, state, command)


def test_trail_status_in_flight():
    status = trail_status([5.0, 0.4, 1.5])
    assert status.reason is None
    assert (status.progress_m, status.cross_track_m) == (5.0, 0.4)
    assert status.clearance_m == pytest.approx(math.hypot(5.0, 1.6) - 0.2 - 0.3)


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        ([10.0, 1.6, 1.5], "collision"),
        ([20.0, 0.5, 1.5], "collision"),
        ([20.0, 0.5, 1.0], None),
        ([5.0, 0.0, 0.29], "altitude"),
        ([5.0, 0.0, 5.01], "altitude"),
        ([5.0, -2.51, 1.5], "left_trail"),
        ([60.0, 0.0, 1.5], "completed"),
    ],
)
def test_trail_end_reasons(position, reason):
    assert trail_status(position).reason == reason


@pytest.mark.parametrize(("height", "reason"), [(2.2, "altitude"), (2.4, None), (7.1, "altitude")])
def test_altitude_is_measured_from_the_ground(height, reason):
    # sin(pi/20 * 10) = 1 at x = 10: the ground is 2 m high there.
    hill = Terrain(np.array([(math.pi / 20.0, 0.0, 0.0, 2.0)]))
    assert trail_status([10.0, 0.0, height], ground=hill, trunks=()).reason == reason


def test_collision_has_priority_over_completion():
    assert trail_status([60.0, 0.0, 1.5], trunks=((60.0, 0.3, 0.2),)).reason == "collision"


def test_trail_timeout():
    assert trail_status([5.0, 0.0, 1.5], stamp_ns=70 * SECOND).reason is None
    assert trail_status([5.0, 0.0, 1.5], stamp_ns=70 * SECOND + 1).reason == "timeout"


def test_hover_beyond_the_limit_is_a_guard_stop():
    start = trail_status([5.0, 0.0, 1.5], stamp_ns=SECOND, command=HOVER)
    limit_ns = SECOND + int(HOLD_LIMIT_S * SECOND)
    assert trail_status([5, 0, 1.5], stamp_ns=limit_ns, command=HOVER, before=start).reason is None
    assert trail_status(
        [5, 0, 1.5], stamp_ns=limit_ns + 1, command=HOVER, before=start
    ).reason == ("guard_stop")


def test_hover_time_starts_at_the_first_hover():
    start = trail_status([5.0, 0.0, 1.5], stamp_ns=0, command=HOVER)
    later = trail_status([5.0, 0.0, 1.5], stamp_ns=SECOND, command=HOVER, before=start)
    assert (start.hover_since_ns, later.hover_since_ns) == (0, 0)


def test_a_command_ends_the_hover():
    start = trail_status([5.0, 0.0, 1.5], command=HOVER)
    assert trail_status([5.0, 0.0, 1.5], command=MOVING, before=start).hover_since_ns is None


def test_clearance_without_obstacles_is_infinite():
    rules = replace(trail_task().rules, obstacles=Obstacles())
    assert rules.clearance(np.zeros(3)) == math.inf


FIRST = ForestObject(Shape.BALL, "red", (10.0, 0.0, 1.5), 1.0, 0.0, 1.0)
SECOND_TARGET = ForestObject(Shape.BOX, "red", (10.0, 8.0, 1.5), 1.0, 0.0, 1.0)
ARRIVAL = Arrival(stop_m=1.5, centred_rad=math.radians(10.0))


def state(x, y, z=1.5, yaw=0.0, speed=0.0):
    quaternion = quaternion_from_euler(0.0, 0.0, yaw)
    return VehicleState(np.array([x, y, z]), quaternion, np.array([0, speed, 0]), np.zeros(3))


def visit_task(targets=(FIRST, SECOND_TARGET)):
    capsules = np.concatenate([target.capsules for target in targets])
    obstacles = Obstacles(np.array([(5.0, 3.0, 0.2)]), capsules)
    return VisitTask(targets, ARRIVAL, Rules(obstacles, FLAT, 0.3, 60.0))


def visit_status(at, stamp_s=1.0, before=START, command=MOVING, **setup):
    return visit_task(**setup).evaluate(before, round(stamp_s * SECOND), at, command)


def test_progress_and_cross_track_follow_the_current_leg():
    status = visit_status(state(4.0, 1.0))
    assert (status.progress_m, status.cross_track_m) == pytest.approx((4.0, 1.0))
    assert status.reason is None
    second = visit_status(state(9.0, 3.0), before=TaskStatus(reached=1))
    assert (second.progress_m, second.cross_track_m) == pytest.approx((13.0, 1.0))
    assert visit_task().length_m == pytest.approx(18.0)


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
def test_arrival_requires_close_centred_and_slow(at, there):
    assert ARRIVAL.is_at(FIRST, at) is there
    assert (visit_status(at).at_target_since_ns is not None) is there


def test_one_second_at_a_target_is_an_arrival_and_the_last_arrival_completes():
    at = state(8.5, 0.0)
    first = visit_status(at, 3.0)
    assert (first.at_target_since_ns, first.reached) == (3 * SECOND, 0)
    almost = visit_status(at, 3.999, before=first)
    assert almost.reached == 0
    arrived = visit_status(at, 4.0, before=almost)
    assert (arrived.reached, arrived.at_target_since_ns, arrived.reason) == (1, None, None)
    assert arrived.progress_m == pytest.approx(10.0)
    alone = visit_status(at, 4.0, before=almost, targets=(FIRST,))
    assert (alone.reason, alone.progress_m) == ("completed", pytest.approx(10.0))


def test_leaving_a_target_resets_the_stay():
    first = visit_status(state(8.5, 0.0), 3.0)
    away = visit_status(state(8.5, 0.0, speed=0.4), 3.5, before=first)
    assert away.at_target_since_ns is None
    assert visit_status(state(8.5, 0.0), 4.2, before=away).reached == 0


def test_targets_count_in_order():
    at = state(10.0, 6.5, yaw=math.pi / 2)
    assert ARRIVAL.is_at(SECOND_TARGET, at)
    assert visit_status(at).at_target_since_ns is None
    assert visit_status(at, before=TaskStatus(reached=1)).at_target_since_ns == SECOND


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
def test_visit_end_reasons(at, reason):
    assert visit_status(at).reason == reason


def test_visit_timeout():
    assert visit_status(state(4.0, 0.0), 60.0).reason is None
    assert visit_status(state(4.0, 0.0), 60.1).reason == "timeout"


def test_hover_is_limited_between_targets_and_unlimited_at_one():
    between = visit_status(state(4.0, 0.0), 1.0, command=HOVER)
    assert between.hover_since_ns == SECOND
    assert visit_status(state(4.0, 0.0), 4.1, before=between, command=HOVER).reason == "guard_stop"
    held = replace(START, hover_since_ns=SECOND)
    at_target = visit_status(state(7.6, 0.0), 30.0, before=held, command=HOVER)
    assert (at_target.hover_since_ns, at_target.reason) == (None, None)


@pytest.mark.parametrize(
    ("yaw", "bearing"), [(0.0, 0.0), (0.3, -0.3), (-0.3, 0.3), (math.pi, -math.pi)]
)
def test_bearing_is_left_positive(yaw, bearing):
    assert bearing_to(FIRST, state(5.0, 0.0, yaw=yaw)) == pytest.approx(bearing)


def test_surface_distance_is_from_the_surface():
    assert surface_distance(FIRST, state(7.0, 4.0, 1.5)) == pytest.approx(4.5)
