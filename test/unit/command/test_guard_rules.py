"""Every rule alone and in pairs, and what holds for all of them."""

import itertools
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.command import (
    AutopilotReading,
    Envelope,
    Guard,
    GuardAction,
    GuardEvent,
    GuardInputs,
    GuardRules,
    GuardState,
    PoseReading,
    RangeReading,
    load_guard_rules,
    sentence,
    status_line,
)
from liquid_control.command.guard_rules import RULES
from liquid_control.config import project_file, validate
from liquid_control.errors import ConfigError
from liquid_control.types import HOVER, Command, PictureHealth, VehicleState

pytestmark = pytest.mark.unit

MS = 1_000_000
NOW = 10_000 * MS
FAST = Command(2.0, 0.5, -0.5, 0.3)
SQUARE = [0.0, 0.0, 20.0, 0.0, 20.0, 20.0, 0.0, 20.0]
FINE = GuardInputs(
    pose=PoseReading(NOW, (10.0, 10.0, 5.0), 0.0, (0.0, 0.0, 0.0)),
    camera_ns=NOW,
    imu_ns=NOW,
    forward=RangeReading(NOW, math.inf),
    ground=RangeReading(NOW, 5.0),
    picture=PictureHealth(NOW, 0, 100.0, 30.0, 0.0),
    battery=0.9,
    autopilot=AutopilotReading(NOW, True, True, True),
)


@dataclass(frozen=True)
class Case:
    """What makes one rule act.

    Attributes:
        action: that it causes.
        rules: settings that switch it on.
        inputs: readings at which it acts.
        command: of the policy; None for the one that passes.
        gap_ms: time since the run before.
    """

    action: GuardAction
    rules: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    command: Command | None = None
    gap_ms: int = 50


OLD = NOW - 400 * MS
CASES = {
    GuardEvent.CLAMPED: Case(GuardAction.CLAMP, command=Command(9.0)),
    GuardEvent.SLEWED: Case(GuardAction.CLAMP, command=Command(-3.0)),
    GuardEvent.NOT_FINITE: Case(GuardAction.HOVER, command=Command(math.nan)),
    GuardEvent.IMPOSSIBLE: Case(GuardAction.HOVER, command=Command(1e6)),
    GuardEvent.FENCE_NEAR: Case(
        GuardAction.SLOW,
        {"fence_corners": SQUARE},
        {"pose": PoseReading(NOW, (18.5, 10.0, 5.0), 0.0)},
    ),
    GuardEvent.FENCE_LEFT: Case(
        GuardAction.LAND,
        {"fence_corners": SQUARE, "fence_action": "land"},
        {"pose": PoseReading(NOW, (20.5, 10.0, 5.0), 0.0)},
    ),
    GuardEvent.BARRIER: Case(
        GuardAction.SLOW,
        {"fence_corners": SQUARE, "barrier": True},
        {"pose": PoseReading(NOW, (18.8, 10.0, 5.0), 0.0, (0.0, 0.0, 0.0))},
    ),
    GuardEvent.BARRIER_BRAKED: Case(
        GuardAction.HOVER,
        {"fence_corners": SQUARE, "barrier": True},
        {"pose": PoseReading(NOW, (10.0, 10.0, 5.0), 0.0)},
    ),
    GuardEvent.RANGE_FORWARD: Case(
        GuardAction.SLOW, {"min_forward_m": 1.0}, {"forward": RangeReading(NOW, 1.5)}
    ),
    GuardEvent.RANGE_GROUND: Case(
        GuardAction.HOVER,
        {"min_ground_m": 0.5, "range_action": "hover"},
        {"ground": RangeReading(NOW, 0.4)},
    ),
    GuardEvent.CAMERA_STALE: Case(
        GuardAction.HOVER, {"camera_max_age_s": 0.2}, {"camera_ns": OLD}
    ),
    GuardEvent.IMU_STALE: Case(GuardAction.HOVER, {"imu_max_age_s": 0.1}, {"imu_ns": OLD}),
    GuardEvent.ODOMETRY_STALE: Case(
        GuardAction.HOVER,
        {"odometry_max_age_s": 0.2},
        {"pose": PoseReading(OLD, (10.0, 10.0, 5.0), 0.0)},
    ),
    GuardEvent.PICTURE_FROZEN: Case(
        GuardAction.HOVER,
        {"picture_max_repeats": 5},
        {"picture": PictureHealth(NOW, 5, 100.0, 30.0, 0.0)},
    ),
    GuardEvent.PICTURE_DARK: Case(GuardAction.HOVER, {"picture_min_brightness": 5.0}, {"dark": 3}),
    GuardEvent.PICTURE_BRIGHT: Case(
        GuardAction.HOVER, {"picture_max_brightness": 250.0}, {"bright": 3}
    ),
    GuardEvent.PICTURE_UNKNOWN: Case(
        GuardAction.HOVER, {"picture_max_score": 1.0}, {"unknown": 3}
    ),
    GuardEvent.STALL: Case(GuardAction.HOVER, {"stall_s": 0.1}, gap_ms=140),
    GuardEvent.LINK_LOST: Case(
        GuardAction.HAND_BACK,
        {"link_timeout_s": 2.0, "link_action": "hand_back"},
        {"autopilot": AutopilotReading(NOW, False, True, True)},
    ),
    GuardEvent.BATTERY_LOW: Case(GuardAction.LAND, {"min_battery": 0.2}, {"battery": 0.15}),
    GuardEvent.OTHER_MODE: Case(
        GuardAction.HOVER,
        {"mode_action": "hover"},
        {"autopilot": AutopilotReading(NOW, True, False, True)},
    ),
}
"""One case for each event that comes with an action; the others drop a command."""
DROPS = {GuardEvent.STAMP_BACKWARDS, GuardEvent.STAMP_AHEAD, GuardEvent.LATE}
OF_COMMANDS = {
    GuardEvent.CLAMPED,
    GuardEvent.SLEWED,
    GuardEvent.NOT_FINITE,
    GuardEvent.IMPOSSIBLE,
}


def flown(*cases: Case) -> tuple[Guard, GuardState]:
    """Admit a command that passes, then the one of the cases, with their readings."""
    rules = GuardRules(**{k: v for case in cases for k, v in case.rules.items()})
    guard = Guard(rules=rules)
    gap_ns = max(case.gap_ms for case in cases) * MS
    state = guard.admit(FAST, NOW - gap_ns, GuardState(), inputs=FINE)
    commands = [case.command for case in cases if case.command is not None]
    inputs = replace(FINE, **{k: v for case in cases for k, v in case.inputs.items()})
    return guard, guard.admit(commands[-1] if commands else FAST, NOW, state, inputs=inputs)


def test_every_event_has_a_case():
    assert set(CASES) | DROPS | {GuardEvent.STALE} == set(GuardEvent)
    assert set(RULES) == set(CASES) - OF_COMMANDS


@pytest.mark.parametrize("event", CASES)
def test_a_rule_alone(event):
    case = CASES[event]
    _, state = flown(case)
    assert state.action is case.action
    assert state.events[event] == 1
    if event not in OF_COMMANDS:
        assert state.active == {event}
    _, fine = flown(Case(GuardAction.NONE, case.rules))
    assert (fine.action, fine.output, fine.active) == (GuardAction.NONE, FAST, frozenset())


@pytest.mark.parametrize("event", RULES)
def test_a_rule_that_is_off_does_nothing(event):
    _, state = flown(replace(CASES[event], rules={}))
    assert (state.output, state.events, state.action) == (FAST, {}, GuardAction.NONE)


def compatible(first: GuardEvent, second: GuardEvent) -> bool:
    """Return whether both can act at once: a command or a reading has one value only."""
    one, other = CASES[first], CASES[second]
    commands = one.command is not None and other.command is not None
    shared = one.inputs.keys() & other.inputs.keys()
    return not commands and not shared


PAIRS = [pair for pair in itertools.combinations(CASES, 2) if compatible(*pair)]
SAME_VALUE = {
    *itertools.combinations(
        (
            GuardEvent.FENCE_NEAR,
            GuardEvent.FENCE_LEFT,
            GuardEvent.BARRIER,
            GuardEvent.BARRIER_BRAKED,
            GuardEvent.ODOMETRY_STALE,
        ),
        2,
    ),
    (GuardEvent.LINK_LOST, GuardEvent.OTHER_MODE),
    *itertools.combinations(
        (
            GuardEvent.CLAMPED,
            GuardEvent.SLEWED,
            GuardEvent.NOT_FINITE,
            GuardEvent.IMPOSSIBLE,
        ),
        2,
    ),
}
"""Pairs that need two values of one thing; those of them that can act at once are tested below."""


def test_every_pair_is_tested_or_needs_two_values_of_one_thing():
    every = set(itertools.combinations(CASES, 2))
    assert every - set(PAIRS) == SAME_VALUE


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].value}-{pair[1].value}")
def test_of_two_rules_the_more_conservative_wins(pair):
    one, other = CASES[pair[0]], CASES[pair[1]]
    guard, state = flown(one, other)
    expected = max(one.action, other.action)
    assert state.action is expected
    # A limit does not act where the command is refused already, and the filter keeps ranges
    # instead of their rule; every other rule counts.
    silent = SLOWING if HOVER_FIRST & {*pair} else set()
    if guard.rules.barrier:
        silent = {*silent, GuardEvent.RANGE_FORWARD}
    assert {*pair} - silent <= set(state.events)
    if expected is GuardAction.LAND:
        assert state.output == Command(up_mps=-guard.rules.land_speed_mps)
    elif expected >= GuardAction.HOVER:
        assert state.output == HOVER


SLOWING = {GuardEvent.FENCE_NEAR, GuardEvent.RANGE_FORWARD, GuardEvent.BARRIER}
HOVER_FIRST = {GuardEvent.NOT_FINITE, GuardEvent.IMPOSSIBLE, GuardEvent.SLEWED}
"""Before the rules: hover, or a command that is slewed to less than a limit."""


def test_pairs_of_one_reading():
    """Old odometry outside of the fence, and a lost link in another mode."""
    rules = CASES[GuardEvent.FENCE_LEFT].rules | {"odometry_max_age_s": 0.2}
    old = {"pose": PoseReading(OLD, (20.5, 10.0, 5.0), 0.0)}
    _, state = flown(Case(GuardAction.LAND, rules, old))
    assert state.active == {GuardEvent.FENCE_LEFT, GuardEvent.ODOMETRY_STALE}
    assert state.action is GuardAction.LAND
    rules = CASES[GuardEvent.LINK_LOST].rules | {"mode_action": "hover"}
    other = {"autopilot": AutopilotReading(NOW, False, False, True)}
    _, state = flown(Case(GuardAction.HAND_BACK, rules, other))
    assert state.active == {GuardEvent.LINK_LOST, GuardEvent.OTHER_MODE}
    assert state.action is GuardAction.HAND_BACK


@pytest.mark.parametrize("event", [one for one in RULES if CASES[one].action > GuardAction.SLOW])
def test_hover_for_want_of_a_command_does_not_end_a_rule(event):
    case = CASES[event]
    guard, state = flown(case)
    later = NOW + 150 * MS
    inputs = replace(FINE, **case.inputs)
    state = guard.poll(later, state, inputs)
    assert state.stale
    assert state.action is max(case.action, GuardAction.HOVER)


def test_slower_means_the_speed_from_which_the_vehicle_stops():
    """0.5 m before the margin: v 0.3 + v^2 / 4 = 0.5, so v = sqrt(0.36 + 2) - 0.6 = 0.936."""
    _, state = flown(CASES[GuardEvent.FENCE_NEAR])
    factor = (math.sqrt(2.36) - 0.6) / 2.0
    assert state.output.values == pytest.approx((2.0 * factor, 0.5 * factor, -0.5, 0.3))
    _, state = flown(CASES[GuardEvent.RANGE_FORWARD])
    assert state.output.values == pytest.approx((2.0 * factor, 0.5 * factor, -0.5, 0.3))


def test_a_rule_acts_at_a_poll_too():
    case = CASES[GuardEvent.FENCE_LEFT]
    guard = Guard(rules=GuardRules(**case.rules))
    state = guard.admit(FAST, NOW, GuardState(), inputs=FINE)
    out = replace(FINE, pose=PoseReading(NOW + 25 * MS, (21.0, 10.0, 5.0), 0.0))
    state = guard.poll(NOW + 25 * MS, state, out)
    assert (state.output, state.output_stamp_ns) == (Command(up_mps=-0.5), NOW + 25 * MS)


def test_rules_begin_with_the_first_command():
    guard = Guard(rules=GuardRules(min_battery=0.5, link_timeout_s=1.0, link_action="hand_back"))
    assert guard.poll(NOW, GuardState(), GuardInputs(battery=0.1)) == GuardState()


@pytest.mark.parametrize(
    ("rules", "event"),
    [
        ({"fence_corners": SQUARE}, GuardEvent.FENCE_LEFT),
        ({"fence_ceiling_m": 9.0}, GuardEvent.FENCE_LEFT),
        ({"min_ground_m": 0.5}, GuardEvent.RANGE_GROUND),
        ({"min_forward_m": 0.5}, GuardEvent.RANGE_FORWARD),
        ({"camera_max_age_s": 0.5}, GuardEvent.CAMERA_STALE),
        ({"imu_max_age_s": 0.5}, GuardEvent.IMU_STALE),
        ({"odometry_max_age_s": 0.5}, GuardEvent.ODOMETRY_STALE),
        ({"link_timeout_s": 0.5}, GuardEvent.LINK_LOST),
    ],
)
def test_a_reading_that_never_came_is_no_good_reading(rules, event):
    guard = Guard(rules=GuardRules(**rules))
    state = guard.admit(FAST, NOW, GuardState())
    assert (state.output, state.active) == (HOVER, {event})


def test_hover_ends_with_the_next_command_once_the_rule_is_satisfied():
    case = CASES[GuardEvent.CAMERA_STALE]
    guard, state = flown(case)
    polled = guard.poll(NOW + 25 * MS, state, replace(FINE, camera_ns=NOW + 25 * MS))
    assert (polled.output, polled.action, polled.active) == (HOVER, GuardAction.HOVER, frozenset())
    fine = replace(FINE, camera_ns=NOW + 50 * MS)
    state = guard.admit(Command(0.1), NOW + 50 * MS, polled, inputs=fine)
    assert (state.output, state.action) == (Command(0.1), GuardAction.NONE)
    assert state.events[GuardEvent.CAMERA_STALE] == 1


@pytest.mark.parametrize("action", ["land", "hand_back"])
def test_landing_and_handing_back_last_until_the_pilot_takes_over(action):
    rules = GuardRules(min_battery=0.2, battery_action=action)
    guard = Guard(rules=rules)
    state = guard.admit(FAST, NOW, GuardState(), inputs=replace(FINE, battery=0.1))
    wanted = GuardAction[action.upper()]
    for step in range(1, 5):
        state = guard.admit(FAST, NOW + step * 50 * MS, state, inputs=FINE)
        assert (state.action, state.latched, state.active) == (wanted, wanted, frozenset())
    state = guard.hover(NOW + 300 * MS, state)
    assert state.action is wanted
    pilot = replace(FINE, autopilot=AutopilotReading(NOW, True, False, True))
    state = guard.poll(NOW + 325 * MS, state, pilot)
    assert (state.action, state.latched, state.output) == (GuardAction.HOVER, 0, HOVER)
    state = guard.admit(Command(0.1), NOW + 350 * MS, state, inputs=FINE)
    assert state.output == Command(0.1)


def test_a_picture_counts_once_and_a_good_one_ends_the_run():
    rules = GuardRules(picture_min_brightness=5.0, picture_max_score=1.0)
    inputs = GuardInputs()
    for number, (brightness, score) in enumerate([(1.0, 2.0), (2.0, 0.5), (3.0, 2.0)]):
        health = PictureHealth(number, 0, brightness, 10.0, score)
        inputs = inputs.with_picture(health, rules).with_picture(health, rules)
    assert (inputs.dark, inputs.unknown, inputs.bright) == (3, 1, 0)
    inputs = inputs.with_picture(PictureHealth(9, 0, 80.0, 10.0, 0.0), rules)
    assert (inputs.dark, inputs.unknown) == (0, 0)


def test_a_pose_is_finite_or_none():
    state = VehicleState(
        np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 0.0]), np.zeros(3), np.zeros(3)
    )
    assert PoseReading.of(7, state) == PoseReading(
        7, (1.0, 2.0, 3.0), pytest.approx(math.pi), (0.0, 0.0, 0.0)
    )
    assert PoseReading.of(7, replace(state, position=np.array([1.0, math.nan, 3.0]))) is None


def test_settings_out_of_range_are_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"^guard: the fence crosses itself: its edges 1 and 3"):
        validate(GuardRules, {"fence_corners": [0, 0, 9, 9, 9, 0, 0, 9]}, "guard")
    with pytest.raises(ConfigError, match=r"^guard: expected a fence of 3 to 100 corners, got 2"):
        validate(GuardRules, {"fence_corners": [0, 0, 9, 9]}, "guard")
    with pytest.raises(ConfigError, match=r"picture_min_brightness below picture_max_brightness"):
        validate(GuardRules, {"picture_min_brightness": 255.0}, "guard")
    with pytest.raises(ConfigError, match=r"guard: fence_action: input should be 'hover', 'land'"):
        validate(GuardRules, {"fence_action": "slow"}, "guard")


def test_every_event_has_a_sentence_and_what_stops_the_vehicle_is_named():
    texts = {event: sentence(event, Envelope()) for event in GuardEvent}
    assert len(set(texts.values())) == len(GuardEvent)
    guard, state = flown(CASES[GuardEvent.BATTERY_LOW], CASES[GuardEvent.CAMERA_STALE])
    assert status_line(state, guard) == (
        "no camera_info for 0.2 s: hovering; the battery is low: landing"
    )
    state = guard.admit(FAST, NOW + 50 * MS, state, inputs=replace(FINE, camera_ns=NOW))
    assert status_line(state, guard) == "landing, until the pilot takes over"
    assert status_line(GuardState(stale=True), Guard()) == "hovering: no command"
    assert status_line(flown(CASES[GuardEvent.FENCE_NEAR])[1], Guard()) == ""


NUMBERS = st.one_of(
    st.floats(-200.0, 200.0), st.sampled_from([math.nan, math.inf, -math.inf, 1e300, 0.0])
)
COMMANDS = st.builds(Command, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
EVENTS = st.sets(st.sampled_from(list(RULES)), max_size=6)
STEPS = st.lists(
    st.tuples(st.booleans(), COMMANDS, EVENTS, st.integers(-100, 400)), min_size=1, max_size=12
)
ALL_RULES = GuardRules(**{k: v for case in CASES.values() for k, v in case.rules.items()})


@settings(deadline=None)
@given(STEPS)
def test_no_sequence_leaves_the_envelope_or_loses_a_more_conservative_action(steps):
    """Any commands, readings and jumps of time: the output is finite, limited, and as stated."""
    guard, state, now = Guard(rules=ALL_RULES), GuardState(), NOW
    for admits, command, acting, gap_ms in steps:
        now += gap_ms * MS
        fine = replace(
            FINE,
            pose=PoseReading(now, (10.0, 10.0, 5.0), 0.0, (0.0, 0.0, 0.0)),
            camera_ns=now,
            imu_ns=now,
            forward=RangeReading(now, math.inf),
            ground=RangeReading(now, 5.0),
            autopilot=AutopilotReading(now, True, True, True),
        )
        inputs = replace(fine, **{k: v for one in acting for k, v in CASES[one].inputs.items()})
        latched = state.latched
        refused = state.events.copy()
        if admits:
            state = guard.admit(command, now, state, inputs=inputs)
        else:
            state = guard.poll(now, state, inputs)
        output = state.output.values
        assert all(math.isfinite(value) for value in output)
        assert all(abs(v) <= m for v, m in zip(output, guard.envelope.limits, strict=True))
        dropped = any(state.events[one] > refused[one] for one in DROPS)
        if state.fresh_stamp_ns is None or dropped:
            continue
        released = not (inputs.autopilot.armed and inputs.autopilot.obeys)
        least = GuardAction.NONE if released else latched
        stops = [CASES[one].action for one in state.active]
        assert state.action >= max([least, *(s for s in stops if s > GuardAction.SLOW)])
        if state.action is GuardAction.LAND:
            assert state.output == Command(up_mps=-0.5)
        elif state.action >= GuardAction.HOVER:
            assert state.output == HOVER


@settings(deadline=None)
@given(STEPS)
def test_rules_that_are_off_change_nothing(steps):
    """The states of a guard without rules and with readings are those without readings."""
    guard, with_readings, without, now = Guard(), GuardState(), GuardState(), NOW
    for admits, command, acting, gap_ms in steps:
        now += gap_ms * MS
        inputs = replace(FINE, **{k: v for one in acting for k, v in CASES[one].inputs.items()})
        if admits:
            with_readings = guard.admit(command, now, with_readings, inputs=inputs)
            without = guard.admit(command, now, without)
        else:
            with_readings = guard.poll(now, with_readings, inputs)
            without = guard.poll(now, without)
        assert with_readings == without


def test_rules_of_a_parameter_file(tmp_path):
    """The shipped file has rules for an autopilot, which a simulated flight leaves out."""
    rules = load_guard_rules(project_file("config/guard_outdoor.yaml"))
    assert (rules.link_timeout_s, rules.fence_ceiling_m) == (3.0, 15.0)
    simulated, off = rules.simulated()
    assert off == ["link_timeout_s", "min_battery", "mode_action"]
    assert (simulated.link_timeout_s, simulated.mode_action) == (0.0, "off")
    assert simulated.fence.contains((0.0, 0.0, 2.0))
    assert GuardRules().simulated() == (GuardRules(), [])


@pytest.mark.parametrize(
    ("section", "line"),
    [
        (
            "/**/other_node: {ros__parameters: {stall_s: 1.0}}",
            "expected a section /",
        ),
        ("/**/guard_node: {ros__parameters: {stal_s: 1.0}}", "stal_s"),
        (
            "/**/guard_node: {ros__parameters: {fence_corners: [0.0, 0.0, 5.0, 0.0]}}",
            "expected a fence of 3 to 100 corners, got 2 corners",
        ),
        (
            "/**/guard_node: {ros__parameters: {fence_corners: "
            "[0.0, 0.0, 5.0, 5.0, 5.0, 0.0, 0.0, 5.0]}}",
            "cross",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, section, line):
    file = tmp_path / "guard.yaml"
    file.write_text(section + "\n")
    with pytest.raises(ConfigError, match=line):
        load_guard_rules(file)
