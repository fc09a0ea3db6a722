"""The trail's judge: every ending, with states made by hand."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from liquid_control.types import HOVER, Command, VehicleState
from liquid_control_sim.place.obstacles import Obstacles
from liquid_control_sim.place.terrain import FLAT, Terrain
from liquid_control_sim.tasks.completion import TrailTask
from liquid_control_sim.tasks.rules import HOLD_LIMIT_S, Rules, TaskStatus

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


def task(trunks=((10.0, 2.0, 0.2),), ground=FLAT):
    obstacles = Obstacles(np.array(trunks).reshape(-1, 3), np.array([BRANCH]))
    return TrailTask(East(), 60.0, 2.5, Rules(obstacles, ground, 0.3, 70.0))


START = TaskStatus()


def judge(position, stamp_ns=SECOND, command=MOVING, before=START, **given):
    state = VehicleState(np.array(position, float), np.array([0, 0, 0, 1.0]), *np.zeros((2, 3)))
    return task(**given).judge(before, stamp_ns, state, command)


def test_in_flight_there_is_no_reason():
    status = judge([5.0, 0.4, 1.5])
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
def test_each_ending_has_its_reason(position, reason):
    assert judge(position).reason == reason


@pytest.mark.parametrize(("height", "reason"), [(2.2, "altitude"), (2.4, None), (7.1, "altitude")])
def test_altitude_counts_from_the_ground(height, reason):
    # sin(pi/20 * 10) = 1 at x = 10: the ground is 2 m high there.
    hill = Terrain(np.array([(math.pi / 20.0, 0.0, 0.0, 2.0)]))
    assert judge([10.0, 0.0, height], ground=hill, trunks=()).reason == reason


def test_a_collision_at_the_finish_is_a_collision():
    assert judge([60.0, 0.0, 1.5], trunks=((60.0, 0.3, 0.2),)).reason == "collision"


def test_time_runs_out():
    assert judge([5.0, 0.0, 1.5], stamp_ns=70 * SECOND).reason is None
    assert judge([5.0, 0.0, 1.5], stamp_ns=70 * SECOND + 1).reason == "timeout"


def test_a_lasting_hover_is_a_guard_stop():
    start = judge([5.0, 0.0, 1.5], stamp_ns=SECOND, command=HOVER)
    limit_ns = SECOND + int(HOLD_LIMIT_S * SECOND)
    assert judge([5, 0, 1.5], stamp_ns=limit_ns, command=HOVER, before=start).reason is None
    assert judge([5, 0, 1.5], stamp_ns=limit_ns + 1, command=HOVER, before=start).reason == (
        "guard_stop"
    )


def test_a_hover_since_the_first_instant_counts_from_there():
    start = judge([5.0, 0.0, 1.5], stamp_ns=0, command=HOVER)
    later = judge([5.0, 0.0, 1.5], stamp_ns=SECOND, command=HOVER, before=start)
    assert (start.held_since_ns, later.held_since_ns) == (0, 0)


def test_a_command_ends_the_hold():
    start = judge([5.0, 0.0, 1.5], command=HOVER)
    assert judge([5.0, 0.0, 1.5], command=MOVING, before=start).held_since_ns is None


def test_without_anything_around_clearance_is_infinite():
    rules = replace(task().rules, obstacles=Obstacles())
    assert rules.clearance(np.zeros(3)) == math.inf
