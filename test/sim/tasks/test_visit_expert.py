"""The expert of targets: search to the left, turn, approach, stop, go round, go on."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquid_control.config.scenario import Scenario, TaskSettings
from liquid_control.frames import quaternion_from_euler
from liquid_control.types import VehicleState
from liquid_control_sim import Expert
from liquid_control_sim.place.objects import ForestObject, Shape
from liquid_control_sim.place.obstacles import Obstacles
from liquid_control_sim.place.terrain import FLAT

pytestmark = pytest.mark.sim
SECOND = 1_000_000_000
AHEAD = ForestObject(Shape.BALL, "red", (12.0, 0.0, 1.5), 1.0, 0.0, 1.0)
BEHIND = ForestObject(Shape.BALL, "red", (-12.0, 0.0, 1.5), 1.0, 0.0, 1.0)


def started(targets=(AHEAD,), trunks=()):
    capsules = np.concatenate([forest_object.capsules for forest_object in targets])
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


def answer(expert, x=0.0, y=0.0, yaw=0.0, stamp_s=0.0):
    state = VehicleState(
        np.array([x, y, 1.5]), quaternion_from_euler(0.0, 0.0, yaw), np.zeros(3), np.zeros(3)
    )
    return expert.command(SimpleNamespace(stamp_ns=round(stamp_s * SECOND)), state)


def test_towards_a_target_ahead_it_flies_at_cruise_speed():
    assert answer(started()).values == pytest.approx((2.0, 0.0, 0.0, 0.0), abs=1e-12)


def test_it_stops_short_of_the_target():
    # 0.8 of stop_m = 1.5 m: 1.2 m from the surface, at x = 12 - 0.5 - 1.2.
    assert answer(started(), x=10.3).forward_mps == pytest.approx(0.0, abs=1e-9)
    assert 0.0 < answer(started(), x=9.8).forward_mps < 0.5
    assert answer(started(), x=10.6).forward_mps < 0.0


@pytest.mark.parametrize("yaw", [0.5, -0.5])
def test_it_turns_to_a_target_in_view(yaw):
    command = answer(started(), yaw=yaw)
    assert command.yaw_rate_radps == pytest.approx(-2.0 * yaw)


@pytest.mark.parametrize("yaw", [1.0, -1.0, 3.0])
def test_it_searches_to_the_left_on_the_spot(yaw):
    command = answer(started(), yaw=yaw)
    assert command.values == pytest.approx((0.0, 0.0, 0.0, 1.0), abs=1e-12)


def test_once_seen_it_remembers_the_side():
    expert = started()
    assert answer(expert, yaw=0.2).yaw_rate_radps < 0.0
    assert answer(expert, yaw=1.0).yaw_rate_radps == pytest.approx(-1.4)


@given(y=st.floats(-0.6, 0.6))
def test_it_goes_round_what_stands_in_the_way(y):
    command = answer(started(trunks=[(1.5, y, 0.2)]))
    assert math.copysign(1.0, command.left_mps) == (-1.0 if y >= 0.0 else 1.0)
    assert answer(started(trunks=[(1.5, 2.5, 0.2)])).left_mps == pytest.approx(0.0, abs=1e-12)


def test_it_stays_and_then_searches_for_the_next():
    expert = started(targets=(AHEAD, BEHIND))
    answer(expert, x=10.3, stamp_s=5.0)
    staying = answer(expert, x=10.3, stamp_s=6.2)
    assert staying.values == pytest.approx((0.0, 0.0, 0.0, 0.0), abs=1e-9)
    searching = answer(expert, x=10.3, stamp_s=6.3)
    assert searching.yaw_rate_radps == 1.0
    assert searching.forward_mps < 0.0


def test_at_the_last_target_it_stays():
    expert = started()
    answer(expert, x=10.3, stamp_s=5.0)
    assert answer(expert, x=10.3, stamp_s=20.0).yaw_rate_radps == pytest.approx(0.0)
