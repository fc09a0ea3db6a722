"""Rules of the guard in flights: inside the fence, above the ground, and on bad pictures."""

import numpy as np
import pytest

from liquid_control.command import Envelope, Guard, GuardRules
from liquid_control.config import load_scenario
from liquid_control.types import HOVER, Command, FlightRecord
from liquid_control_sim.flight import fly

pytestmark = pytest.mark.sim


class Straight:
    """Commands the same velocity at every frame."""

    name = "straight"

    def __init__(self, command: Command) -> None:
        self._command = command

    def start(self, world):
        """Do nothing."""

    def command(self, observation, truth):
        return self._command


def flown(command: Command, rules: GuardRules | None, **changes) -> FlightRecord:
    overrides = {"time_limit_s": 6.0, "forest.trees": 0, "trail.length_m": 60.0, **changes}
    scenario = load_scenario("trail", overrides)
    return fly(scenario, 3, Straight(command), guard=Guard(Envelope(), rules or GuardRules()))


@pytest.mark.parametrize("speed_mps", [1.0, 3.0, 4.0])
def test_the_vehicle_stops_inside_the_fence(speed_mps):
    """The trail begins at the origin and runs east; the fence ends 8 m ahead."""
    free = flown(Command(speed_mps), None)
    start = free.position[0]
    assert free.position[-1, 0] - start[0] > 4.0
    corners = [-5.0, -5.0, 8.0, -5.0, 8.0, 5.0, -5.0, 5.0]
    record = flown(Command(speed_mps), GuardRules(fence_corners=corners), time_limit_s=14.0)
    assert record.position[:, 0].max() < 8.0
    assert 6.5 < record.position[-1, 0] < 7.6
    assert np.abs(record.velocity[-1]).max() < 0.3


def test_the_vehicle_stays_under_the_ceiling_and_above_the_ground():
    climbing = Command(0.3, 0.0, 1.5)
    start_m = flown(climbing, None).position[0, 2]
    ceiling_m = float(start_m) + 3.0
    record = flown(climbing, GuardRules(fence_ceiling_m=ceiling_m), time_limit_s=8.0)
    assert record.position[:, 2].max() < ceiling_m
    assert record.position[-1, 2] == pytest.approx(ceiling_m - 1.0, abs=0.3)
    sinking = Command(0.3, 0.0, -1.0)
    ranged = {"range.enabled": True}
    low = flown(sinking, GuardRules(min_ground_m=0.8), **ranged)
    assert low.result.reason != "altitude"
    assert low.position[:, 2].min() > 0.6
    assert flown(sinking, None, **ranged).result.reason in ("altitude", "collision")


@pytest.mark.parametrize("speed_mps", [1.0, 4.0])
def test_the_barrier_filter_keeps_its_margin_and_lets_the_vehicle_slide(speed_mps):
    """The fence ends 8 m ahead; wind of 6 m/s blows towards it. Sliding ends beside the trail."""
    corners = [-5.0, -9.0, 8.0, -9.0, 8.0, 9.0, -5.0, 9.0]
    rules = GuardRules(fence_corners=corners, barrier=True)
    windy = {"wind.mean_mps": 6.0, "wind.direction_deg": 0.0, "time_limit_s": 14.0}
    record = flown(Command(speed_mps, 0.2), rules, **windy)
    assert 6.5 < record.position[-1, 0]
    assert record.position[:, 0].max() < 7.3
    assert record.result.reason == "left_trail"
    assert record.position[-1, 1] - record.position[0, 1] > 0.9


def test_rules_that_do_not_act_leave_a_flight_as_it_is():
    corners = [-500.0, -500.0, 500.0, -500.0, 500.0, 500.0, -500.0, 500.0]
    rules = GuardRules(
        fence_corners=corners,
        fence_floor_m=-50.0,
        fence_ceiling_m=200.0,
        camera_max_age_s=0.5,
        imu_max_age_s=0.1,
        odometry_max_age_s=0.1,
        picture_min_brightness=1.0,
        picture_max_repeats=1000,
        stall_s=0.2,
        barrier=True,
    )
    expected, record = flown(Command(2.0), None), flown(Command(2.0), rules)
    np.testing.assert_array_equal(record.command, expected.command)
    np.testing.assert_array_equal(record.position, expected.position)


def test_a_camera_that_stops_or_darkens_stops_the_vehicle():
    lost = {"camera.drop_rate": 0.5, "camera.rate_hz": 5.0}
    rules = GuardRules(camera_max_age_s=0.25)
    record = flown(Command(1.0), rules, **lost)
    hovers = (record.command == HOVER.values).all(axis=1)
    assert 0 < hovers[20:].sum() < len(hovers)
    dark = flown(Command(1.0), GuardRules(picture_min_brightness=5.0), **{"light.gain": 0.01})
    assert (dark.command[10:] == 0.0).all()
    bright = flown(Command(1.0), GuardRules(picture_min_brightness=5.0))
    assert np.abs(bright.command[10:]).max() == 1.0


def test_an_unsafe_vehicle_lands():
    corners = [5.0, -5.0, 8.0, -5.0, 8.0, 5.0, 5.0, 5.0]
    rules = GuardRules(fence_corners=corners, fence_action="land", land_speed_mps=0.4)
    record = flown(Command(1.0), rules)
    np.testing.assert_array_equal(np.unique(record.command, axis=0), [[0.0, 0.0, -0.4, 0.0]])
    assert record.velocity[5:, 2].min() < -0.3
