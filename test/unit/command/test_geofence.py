import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.command import Fence
from liquid_control.command.geofence import SpeedLimit, allowed_speed, slowed
from liquid_control.types import Command

pytestmark = pytest.mark.unit

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
L_SHAPE = ((0.0, 0.0), (10.0, 0.0), (10.0, 4.0), (4.0, 4.0), (4.0, 10.0), (0.0, 10.0))
SPEEDS = st.floats(-20.0, 20.0)


@pytest.mark.parametrize(
    ("corners", "line"),
    [
        ([1.0], "expected x and y of each corner of the fence, got 1 numbers"),
        ([0.0, 0.0], "expected a fence of 3 to 100 corners, got 1 corner$"),
        ([0.0, 0.0, 1.0, 1.0], "expected a fence of 3 to 100 corners, got 2 corners$"),
        ([0, 0, 1, 0, 0, 0], "corners 1 and 3 of the fence are the same"),
        ([0, 0, 5, 0, 10, 0], "the fence turns back on itself at corner"),
        ([0, 0, 10, 10, 10, 0, 0, 10], "the fence crosses itself: its edges 1 and 3 meet"),
        ([0, 0, 10, 0, 10, 10, 5, 0, 0, 10], "the fence crosses itself: its edges 1 and 3 meet"),
        ([0, 0, math.inf, 0, 1, 1], "expected finite corners of the fence"),
    ],
)
def test_a_polygon_that_is_none_is_refused_in_one_line(corners, line):
    with pytest.raises(ValueError, match=line):
        Fence.of([float(value) for value in corners], None, None)


def test_a_ceiling_below_the_floor_is_refused():
    with pytest.raises(ValueError, match="its ceiling above its floor, got 2 m above 5 m"):
        Fence.of([], 5.0, 2.0)


@pytest.mark.parametrize(
    ("position", "inside"),
    [
        ((2.0, 2.0, 5.0), True),
        ((8.0, 2.0, 5.0), True),
        ((2.0, 8.0, 5.0), True),
        ((8.0, 8.0, 5.0), False),
        ((-1.0, 4.0, 5.0), False),
        ((2.0, 2.0, 0.5), False),
        ((2.0, 2.0, 10.5), False),
    ],
)
def test_the_polygon_may_have_an_inner_corner(position, inside):
    assert Fence(L_SHAPE, 1.0, 10.0).contains(position) is inside
    assert Fence(L_SHAPE[::-1], 1.0, 10.0).contains(position) is inside


def test_the_allowed_speed_is_that_of_a_stop_within_the_distance():
    # v t + v^2 / (2 a) = 2 * 0.5 + 4 / 4 = 2 m
    assert allowed_speed(2.0, 2.0, 0.5) == pytest.approx(2.0)
    assert allowed_speed(0.0, 2.0, 0.5) == allowed_speed(-3.0, 2.0, 0.5) == 0.0
    assert allowed_speed(math.inf, 2.0, 0.5) == math.inf


def test_limits_point_at_each_edge_in_the_heading_frame():
    """At (8, 5), nose north: the east edge, 2 m away, is to the right."""
    fence = Fence(SQUARE, 0.0, 12.0)
    limits = fence.limits((8.0, 5.0, 11.0), 0.5 * math.pi, 1.0, 2.0, 0.0)
    south, east, north, west, floor, ceiling = limits
    assert east == pytest.approx(SpeedLimit(0.0, -1.0, 0.0, 2.0))  # sqrt(2 * 2 * 1)
    assert west == pytest.approx(SpeedLimit(0.0, 1.0, 0.0, math.sqrt(28.0)))
    assert north == pytest.approx(SpeedLimit(1.0, 0.0, 0.0, 4.0))
    assert south == pytest.approx(SpeedLimit(-1.0, 0.0, 0.0, 4.0))
    assert ceiling == pytest.approx(SpeedLimit(0.0, 0.0, 1.0, 0.0))
    assert floor == pytest.approx(SpeedLimit(0.0, 0.0, -1.0, math.sqrt(40.0)))


def test_a_command_is_scaled_to_the_limit_and_keeps_its_direction():
    east = SpeedLimit(0.0, -1.0, 0.0, 1.0)
    assert slowed(Command(3.0, -2.0, 0.5, 0.7), [east]) == Command(1.5, -1.0, 0.5, 0.7)
    assert slowed(Command(3.0, 2.0, 0.5, 0.7), [east]) == Command(3.0, 2.0, 0.5, 0.7)
    floor = SpeedLimit(0.0, 0.0, -1.0, 0.25)
    assert slowed(Command(1.0, 0.0, -1.0), [floor]) == Command(1.0, 0.0, -0.25)
    assert slowed(Command(1.0, 0.0, 1.0), [floor]) == Command(1.0, 0.0, 1.0)


def test_on_an_edge_there_is_no_horizontal_motion():
    limits = Fence(SQUARE).limits((10.0, 5.0, 1.0), 0.3, 1.0, 2.0, 0.0)
    assert slowed(Command(1.0, 0.5, 0.2, 0.1), limits) == Command(0.0, 0.0, 0.2, 0.1)


@settings(deadline=None)
@given(st.floats(0.01, 9.99), st.floats(0.01, 9.99), st.floats(-4.0, 4.0), SPEEDS, SPEEDS, SPEEDS)
def test_the_speed_towards_every_edge_is_allowed_and_nothing_grows(x, y, yaw, forward, left, up):
    limits = Fence(SQUARE, 0.0, 10.0).limits((x, y, 5.0), yaw, 0.5, 2.0, 0.3)
    command = Command(forward, left, up, 0.5)
    slow = slowed(command, limits)
    for limit in limits:
        toward = (
            slow.forward_mps * limit.forward + slow.left_mps * limit.left + slow.up_mps * limit.up
        )
        assert toward <= limit.speed_mps + 1e-9
    for before, after in zip(command.values, slow.values, strict=True):
        assert abs(after) <= abs(before)
        assert before * after >= 0.0


def test_a_vehicle_that_obeys_stops_before_the_edge():
    """A point with first-order lag of 0.2 s and at most 2 m/s^2, commanded 4 m/s outwards."""
    fence, x, v, dt = Fence(SQUARE), 1.0, 0.0, 0.01
    for _ in range(3000):
        limits = fence.limits((x, 5.0, 1.0), 0.0, 0.5, 2.0, 0.3)
        wanted = slowed(Command(4.0), limits).forward_mps
        v += max(-2.0, min(2.0, (wanted - v) / 0.2)) * dt
        x += v * dt
        assert fence.contains((x, 5.0, 1.0))
    assert x == pytest.approx(9.5, abs=0.05)
