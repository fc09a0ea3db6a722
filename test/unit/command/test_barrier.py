"""The barrier filter: exact solutions, KKT conditions, invariance, and braking."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize, nnls

from liquid_control.command import (
    Envelope,
    Fence,
    Guard,
    GuardAction,
    GuardEvent,
    GuardInputs,
    GuardRules,
    GuardState,
    PoseReading,
    RangeReading,
)
from liquid_control.command.barrier import (
    BarrierFilter,
    HalfPlane,
    SentVelocity,
    VehicleMotion,
    in_map,
    nearest_velocity,
    pending_displacement,
)
from liquid_control.config import validate
from liquid_control.errors import ConfigError
from liquid_control.types import HOVER, Command, VehicleState

pytestmark = pytest.mark.unit

MS = 1_000_000
LIMITS = (4.0, 2.5, 1.5, 2.0)
SQUARE = ((0.0, 0.0), (20.0, 0.0), (20.0, 20.0), (0.0, 20.0))
L_SHAPE = ((0.0, 0.0), (20.0, 0.0), (20.0, 8.0), (8.0, 8.0), (8.0, 20.0), (0.0, 20.0))
U_SHAPE = ((0, 0), (20, 0), (20, 20), (13, 20), (12, 7), (8, 7), (7, 20), (0, 20))
SHAPES = [SQUARE, L_SHAPE, tuple((float(x), float(y)) for x, y in U_SHAPE)]
ANGLES = st.floats(-math.pi, math.pi)
UNIT = st.floats(-1.0, 1.0)
PLANES = st.lists(
    st.builds(
        lambda angle, least: HalfPlane(math.cos(angle), math.sin(angle), least),
        ANGLES,
        st.floats(-3.0, 1.0),
    ),
    max_size=6,
)


def filtering(fence: Fence, **changes) -> BarrierFilter:
    return replace(BarrierFilter(fence, LIMITS, 1.0, 2.0, 0.3, 1.5), **changes)


def at(x: float, y: float, z: float = 5.0, velocity=(0.0, 0.0, 0.0), yaw=0.0) -> VehicleMotion:
    return VehicleMotion((x, y, z), velocity, yaw)


@settings(deadline=None, max_examples=300)
@given(st.floats(-5.0, 5.0), st.floats(-5.0, 5.0), PLANES, st.floats(0.5, 6.0))
def test_the_solution_satisfies_the_kkt_conditions(x, y, planes, radius):
    """Feasible, and the objective's gradient is a non-negative sum of active normals (nnls)."""
    found = nearest_velocity((x, y), planes, radius)
    if found is None:
        assert not is_feasible(planes, radius)
        return
    u = np.array(found)
    slack = np.array([np.dot(plane[:2], u) - plane.least_mps for plane in planes])
    assert (slack >= -1e-9).all()
    assert np.hypot(*u) <= radius + 1e-9
    active = [np.array(p[:2]) for p, s in zip(planes, slack, strict=True) if s < 1e-7]
    if np.hypot(*u) > radius - 1e-7:
        active.append(-u / np.hypot(*u))
    if not is_feasible(planes, radius, 1e-3):
        return  # Without a point to spare (Slater) multipliers need not exist.
    gradient = u - np.array([x, y])
    if not active:
        assert found == (x, y)
        return
    _, residual = nnls(np.array(active).T, gradient)
    assert residual < 1e-5


def is_feasible(planes: list[HalfPlane], radius: float, spare: float = 1e-6) -> bool:
    """Return whether a point has so much to spare, m/s, in half-planes and an inner 64-gon."""
    turns = 2.0 * np.pi * np.arange(64) / 64
    sides = np.column_stack([np.cos(turns), np.sin(turns), np.ones(64)])
    rows = np.array([[-p.forward, -p.left, 1.0] for p in planes]).reshape(-1, 3)
    bound = [-p.least_mps for p in planes] + [radius * math.cos(math.pi / 64)] * 64
    free = [(None, None), (None, None), (None, 1.0)]
    solution = linprog([0.0, 0.0, -1.0], np.vstack([rows, sides]), bound, bounds=free)
    return bool(solution.status == 0 and -solution.fun > spare)


@settings(deadline=None, max_examples=60)
@given(st.floats(-5.0, 5.0), st.floats(-5.0, 5.0), PLANES, st.floats(0.5, 6.0))
def test_the_solution_is_that_of_slsqp(x, y, planes, radius):
    found = nearest_velocity((x, y), planes, radius)
    assume(found is not None and is_feasible(planes, radius))
    wanted = np.array([x, y])
    solution = minimize(
        lambda u: float((u - wanted) @ (u - wanted)),
        np.zeros(2),
        method="SLSQP",
        constraints=[
            {"type": "ineq", "fun": lambda u: radius * radius - u @ u},
            *({"type": "ineq", "fun": lambda u, p=p: u @ p[:2] - p.least_mps} for p in planes),
        ],
        options={"ftol": 1e-12, "maxiter": 300},
    )
    assume(solution.success)
    np.testing.assert_allclose(found, solution.x, atol=2e-4)


def test_a_corner_and_parallel_lines():
    east, north = HalfPlane(-1.0, 0.0, -0.5), HalfPlane(0.0, -1.0, -0.25)
    assert nearest_velocity((3.0, 2.0), [east, north]) == (0.5, 0.25)
    assert nearest_velocity((3.0, 0.1), [east, north]) == (0.5, 0.1)
    assert nearest_velocity((3.0, 4.0), [], 2.5) == pytest.approx((1.5, 2.0))
    assert (
        nearest_velocity((0.0, 0.0), [HalfPlane(1.0, 0.0, 0.6), HalfPlane(-1.0, 0.0, 0.6)]) is None
    )
    assert nearest_velocity((0.0, 0.0), [HalfPlane(1.0, 0.0, 3.0)], 2.0) is None


def test_the_distance_shrinks_by_the_rate_and_other_motion_stays():
    """At rest 3 m from the edge, 2 m from the margin: 1.5 / s * 2 m = 3 m/s; the rest passes."""
    kept = filtering(Fence(SQUARE)).command(Command(4.0, 2.0, -1.0, 0.5), at(17.0, 10.0))
    assert kept == Command(3.0, 2.0, -1.0, 0.5)
    turned = filtering(Fence(SQUARE)).command(
        Command(0.0, -2.5, 0.0, 0.0), at(18.5, 10.0, yaw=math.pi / 2)
    )
    assert turned.values == pytest.approx((0.0, -0.75, 0.0, 0.0))


def test_the_stop_includes_velocity_and_pending_commands():
    """v (r + v / 2 a) = 2 (0.3 + 0.5) = 1.6 m, and 0.15 s of 2 m/s."""
    sent = [SentVelocity(0, (2.0, 0.0, 0.0)), SentVelocity(100 * MS, (1.0, 0.0, -1.0))]
    assert pending_displacement(sent, 50 * MS, 150 * MS) == pytest.approx((0.15, 0.0, -0.05))
    assert pending_displacement(sent, 120 * MS, 150 * MS) == pytest.approx((0.03, 0.0, -0.03))
    assert pending_displacement(sent, -50 * MS, 50 * MS) == pytest.approx((0.1, 0.0, 0.0))
    assert pending_displacement([], 0, MS) == (0.0, 0.0, 0.0)
    motion = VehicleMotion((10.0, 10.0, 5.0), (2.0, 0.0, -1.0), 0.0, (0.3, 0.0, 0.0))
    assert filtering(Fence(SQUARE)).stop(motion) == pytest.approx((1.9, 0.0, -0.55))
    moving = replace_motion(motion, position=(16.0, 10.0, 5.0))
    kept = filtering(Fence(SQUARE)).command(Command(4.0), moving)
    assert kept.forward_mps == pytest.approx(1.5 * (19.0 - 17.9))


def replace_motion(motion: VehicleMotion, **changes) -> VehicleMotion:
    return motion._replace(**changes)


def test_inside_the_margin_the_vehicle_comes_back():
    kept = filtering(Fence(SQUARE, 0.0, 10.0)).command(HOVER, at(19.5, 10.0, 9.8))
    assert kept.values == pytest.approx((-0.75, 0.0, -1.2, 0.0))


def test_heights_speed_and_ranges_are_bounds():
    free = filtering(Fence((), 0.0, 10.0), speed_mps=2.0, min_forward_m=1.0, min_ground_m=0.5)
    assert free.command(Command(2.4, 1.8, 1.5), at(0.0, 0.0, 8.5)).values == pytest.approx(
        (1.6, 1.2, 0.75, 0.0)
    )
    assert free.command(Command(2.0, 0.5), at(0.0, 0.0), ahead_m=1.6).values == pytest.approx(
        (0.9, 0.5, 0.0, 0.0)
    )
    sinking = free.command(Command(up_mps=-1.0), at(0.0, 0.0), below_m=0.7)
    assert sinking.up_mps == pytest.approx(-0.3)


def test_a_turn_must_not_bring_the_way_to_a_stop_over_an_edge():
    """Along the edge at 3 m/s, a turn towards it is limited and one away from it is not."""
    motion = at(10.0, 18.2, velocity=(3.0, 0.0, 0.0))
    fence = filtering(Fence(SQUARE))
    kept = fence.command(Command(3.0, 0.0, 0.0, 1.5), motion)
    way_m = 3.0 * (0.3 + 3.0 / 4.0)
    assert kept == Command(3.0, 0.0, 0.0, pytest.approx(1.5 * 0.8 / way_m))
    away = Command(3.0, 0.0, 0.0, -1.5)
    assert fence.command(away, motion) == away


@pytest.mark.parametrize(
    ("fence", "motion"),
    [
        (Fence((), 0.0, 1.5), at(0.0, 0.0, 0.7)),
        (Fence(((0.0, 0.0), (1.5, 0.0), (1.5, 20.0), (0.0, 20.0))), at(0.7, 10.0)),
        (Fence(SQUARE), at(20.5, 10.0)),
        (Fence(SQUARE), at(19.0, 10.0, velocity=(4.0, 0.0, 0.0))),
        (Fence(SQUARE), at(20.0, 10.0)),
        (Fence(SQUARE, 0.0, 9.0), at(10.0, 10.0, 30.0)),
    ],
    ids=["low", "narrow", "outside", "stops outside", "on the edge", "above"],
)
def test_without_a_solution_there_is_no_command(fence, motion):
    assert filtering(fence).command(Command(1.0), motion) is None


STATES = st.tuples(
    st.sampled_from(SHAPES),
    st.tuples(UNIT, UNIT, UNIT),
    st.tuples(UNIT, UNIT, UNIT),
    ANGLES,
    st.tuples(UNIT, UNIT, UNIT, UNIT),
)


def drawn(state) -> tuple[BarrierFilter, VehicleMotion, Command]:
    shape, place, velocity, yaw, wanted = state
    position = (10.0 + 10.0 * place[0], 10.0 + 10.0 * place[1], 5.0 + 5.0 * place[2])
    motion = VehicleMotion(position, tuple(3.0 * v for v in velocity), yaw)
    command = Command(*(v * limit for v, limit in zip(wanted, LIMITS, strict=True)))
    return filtering(Fence(shape, 0.0, 10.0)), motion, command


@settings(deadline=None, max_examples=300)
@given(STATES, st.floats(0.0, 1.0 / 1.5))
def test_a_filtered_command_never_increases_a_violation(state, held_s):
    """Theorem of the discrete-time function: h(P + T u) >= min(0, h(P)) for alpha T <= 1."""
    fence, motion, wanted = drawn(state)
    kept = fence.command(wanted, motion)
    assume(kept is not None)
    assert all(abs(v) <= m + 1e-9 for v, m in zip(kept.values, LIMITS, strict=True))
    assert abs(kept.yaw_rate_radps) <= abs(wanted.yaw_rate_radps)
    assert kept.yaw_rate_radps * wanted.yaw_rate_radps >= 0.0
    for nx, ny, least, turning_m in fence.bounds(motion, wanted.yaw_rate_radps):
        distance_m = -least / fence.rate_per_s
        speed = nx * kept.forward_mps + ny * kept.left_mps
        assert distance_m + held_s * speed >= min(0.0, distance_m) - 1e-9
        if distance_m >= 0.0:
            turned = speed + turning_m * kept.yaw_rate_radps
            assert distance_m + held_s * turned >= -1e-9
    height = motion.position[2] + fence.stop(motion)[2]
    for distance_m, sign in ((height - 1.0, 1.0), (9.0 - height, -1.0)):
        assert distance_m + held_s * sign * kept.up_mps >= min(0.0, distance_m) - 1e-9
    assert fence.command(kept, motion).values == pytest.approx(kept.values, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(
    STATES,
    st.lists(st.tuples(UNIT, UNIT, UNIT, UNIT, st.floats(0.0, 1.0)), min_size=30, max_size=30),
)
def test_the_vehicle_of_the_model_never_leaves_the_margin(state, steps):
    """p' = v, v' = k (u - v), with k between the braking assumed and 10 / s, any commands."""
    fence, motion, _ = drawn(state)
    motion = motion._replace(velocity=(0.0, 0.0, 0.0))
    bounds = fence.bounds(motion)
    assume(bounds is not None and all(one.least_mps <= 0.0 for one in bounds))
    assume(1.0 <= motion.position[2] <= 9.0)
    p, v = np.array(motion.position), np.zeros(3)
    for *wanted, gain in steps:
        command = Command(*(w * limit for w, limit in zip(wanted, LIMITS, strict=True)))
        kept = fence.command(command, VehicleMotion(tuple(p), tuple(v), motion.yaw_rad))
        u = np.zeros(3) if kept is None else np.array(in_map(kept, motion.yaw_rad))
        for _ in range(10):
            least = 1.0 / (0.3 + 0.5 * np.array([np.hypot(*v[:2])] * 2 + [abs(v[2])]) / 2.0)
            v = v + 0.005 * (least + gain * (10.0 - least)) * (u - v)
            p = p + 0.005 * v
        inner = replace(fence, margin_m=0.0).bounds(VehicleMotion(tuple(p), (0.0,) * 3, 0.0))
        assert inner is not None
        # A step of 50 ms in which k is not that of the model moves P by a few centimetres.
        assert all(-one.least_mps / fence.rate_per_s >= 0.9 for one in inner)
        assert 0.9 <= p[2] <= 9.1


RULES = GuardRules(
    fence_corners=[value for corner in SQUARE for value in corner],
    fence_floor_m=0.0,
    fence_ceiling_m=10.0,
    barrier=True,
)
AXES = np.array([0.0, 0.0, 0.0, 1.0])


def pose(stamp_ns: int, x: float, vx: float = 0.0) -> GuardInputs:
    state = VehicleState(np.array([x, 10.0, 5.0]), AXES, np.array([vx, 0.0, 0.0]), np.zeros(3))
    return GuardInputs(pose=PoseReading.of(stamp_ns, state))


def test_the_guard_filters_counts_and_lets_the_vehicle_slide_along_the_fence():
    guard = Guard(Envelope(max_accel_mps2=100.0), RULES)
    state = guard.admit(Command(2.0, 1.0, 0.0, 0.2), 0, GuardState(), inputs=pose(0, 18.5))
    assert state.output == Command(0.75, 1.0, 0.0, 0.2)
    assert (state.action, state.active) == (GuardAction.SLOW, {GuardEvent.BARRIER})
    state = guard.poll(25 * MS, state, pose(25 * MS, 18.6))
    assert state.output.forward_mps == pytest.approx(1.5 * (0.4 - 0.025 * 0.75))
    assert state.events[GuardEvent.BARRIER] == 1
    state = guard.admit(Command(-1.0), 50 * MS, state, inputs=pose(50 * MS, 18.6))
    assert (state.action, state.active) == (GuardAction.NONE, frozenset())
    assert [one.stamp_ns for one in state.sent] == [0, 25 * MS, 50 * MS]


def test_velocity_that_is_not_finite_and_old_odometry_brake():
    guard = Guard(rules=RULES)
    unknown = pose(0, 10.0, math.nan)
    assert unknown.pose is not None
    assert unknown.pose.velocity is None
    for stamp_ns, inputs in ((0, unknown), (0, GuardInputs()), (600 * MS, pose(0, 10.0))):
        state = guard.admit(Command(1.0), stamp_ns, GuardState(), inputs=inputs)
        assert (state.output, state.action) == (HOVER, GuardAction.HOVER)
        assert GuardEvent.BARRIER_BRAKED in state.active
        assert state.events[GuardEvent.BARRIER_BRAKED] == 1


def test_it_replaces_the_slowing_of_fence_and_ranges_but_not_their_stops():
    rules = {"barrier": True, "min_forward_m": 1.0}
    ahead = {"forward": RangeReading(0, 1.6)}
    inputs = replace(pose(0, 10.0), **ahead)
    state = Guard(rules=GuardRules(**rules)).admit(Command(2.0), 0, GuardState(), inputs=inputs)
    assert state.output == Command(pytest.approx(0.9))
    assert state.active == {GuardEvent.BARRIER}
    stops = GuardRules(**rules, range_action="land")
    near = replace(pose(0, 10.0), forward=RangeReading(0, 0.9))
    state = Guard(rules=stops).admit(Command(2.0), 0, GuardState(), inputs=near)
    assert state.action is GuardAction.LAND
    silent = Guard(rules=GuardRules(**rules)).admit(
        Command(2.0), 0, GuardState(), inputs=pose(0, 10.0)
    )
    assert silent.active == {GuardEvent.RANGE_FORWARD}


def test_a_filter_without_anything_to_keep_is_refused():
    with pytest.raises(ConfigError, match=r"^guard: barrier: expected a fence, a height, barrier"):
        validate(GuardRules, {"barrier": True}, "guard")
    with pytest.raises(ConfigError, match="barrier_rate_per_s"):
        validate(GuardRules, {"barrier_rate_per_s": 6.0}, "guard")
