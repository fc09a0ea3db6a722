"""Record of the rules that act: what a guard's state says, changes, periods, and bad records."""

import pytest

from liquid_control.command import (
    AutopilotReading,
    ChangeWatch,
    Guard,
    GuardAction,
    GuardChange,
    GuardEvent,
    GuardInputs,
    GuardRules,
    GuardState,
    PoseReading,
    RuleAction,
    RulePeriod,
    acting_of,
    rule_periods,
)
from liquid_control.errors import ObservationError
from liquid_control.types import Command

pytestmark = pytest.mark.unit

MS = 1_000_000
CLAMPED = RuleAction(GuardEvent.CLAMPED, GuardAction.CLAMP)
SLEWED = RuleAction(GuardEvent.SLEWED, GuardAction.CLAMP)
STALE = RuleAction(GuardEvent.STALE, GuardAction.HOVER)
BATTERY = RuleAction(GuardEvent.BATTERY_LOW, GuardAction.LAND)


def test_what_was_done_to_a_command_lasts_until_the_next_one():
    guard = Guard()
    state = guard.admit(Command(9.0), 0, GuardState())
    assert state.acting == (CLAMPED,)
    assert guard.poll(25 * MS, state).acting == (CLAMPED,)
    state = guard.admit(Command(-9.0), 50 * MS, state)
    assert state.acting == (CLAMPED, SLEWED)
    dropped = guard.admit(Command(0.0), 50 * MS, state)
    assert dropped.acting[-1] == RuleAction(GuardEvent.STAMP_BACKWARDS, GuardAction.NONE)
    stale = guard.poll(200 * MS, dropped)
    assert stale.acting == (STALE,)
    state = guard.admit(Command(float("nan")), 250 * MS, stale)
    assert state.acting == (RuleAction(GuardEvent.NOT_FINITE, GuardAction.HOVER),)
    state = guard.admit(Command(0.0, 500.0), 300 * MS, state)
    assert state.acting == (RuleAction(GuardEvent.IMPOSSIBLE, GuardAction.HOVER),)
    assert guard.admit(Command(0.1), 350 * MS, state).acting == ()


def test_the_envelope_is_left_out_while_a_more_conservative_rule_acts():
    corners = [-50.0, -50.0, 1.5, -50.0, 1.5, 50.0, -50.0, 50.0]
    guard = Guard(rules=GuardRules(fence_corners=corners))
    near = GuardInputs(pose=PoseReading(0, (0.0, 0.0, 1.0), 0.0))
    state = guard.admit(Command(9.0), 0, GuardState(), inputs=near)
    assert state.acting == (RuleAction(GuardEvent.FENCE_NEAR, GuardAction.SLOW),)
    assert state.events == {GuardEvent.CLAMPED: 1, GuardEvent.FENCE_NEAR: 1}


def test_a_hover_that_no_rule_causes_has_none():
    """A second publisher is refused by the node, which hovers without an event of the guard."""
    guard = Guard()
    state = guard.admit(Command(9.0), 0, GuardState())
    assert guard.hover(10 * MS, state).acting == ()


def test_the_rule_that_lands_acts_until_the_pilot_takes_over():
    guard = Guard(rules=GuardRules(min_battery=0.2))
    state = guard.admit(Command(1.0), 0, GuardState(), inputs=GuardInputs(battery=0.1))
    assert state.acting == (BATTERY,)
    fine = GuardInputs(battery=0.9)
    state = guard.admit(Command(1.0), 50 * MS, state, inputs=fine)
    assert (state.active, state.acting) == (frozenset(), (BATTERY,))
    state = guard.poll(300 * MS, state, fine)
    assert state.acting == (STALE, BATTERY)
    taken = GuardInputs(battery=0.9, autopilot=AutopilotReading(0, True, False, True))
    assert guard.poll(325 * MS, state, taken).acting == (STALE,)


def test_only_changes_are_recorded_and_the_first_run_with_a_command_always():
    watch = ChangeWatch()
    assert watch.change(0, (), begun=False) is None
    assert watch.change(25, ()) == GuardChange(25, ())
    assert watch.change(50, ()) is None
    change = watch.change(75, (("clamped", 1),))
    assert change == GuardChange(75, (CLAMPED,))
    assert isinstance(change.acting[0].event, GuardEvent)
    assert watch.change(100, (CLAMPED,)) is None
    assert watch.change(125, ()) == GuardChange(125, ())
    assert ChangeWatch().change(0, (CLAMPED,), begun=False) == GuardChange(0, (CLAMPED,))


def test_periods_have_begin_end_and_the_most_conservative_action():
    slow = RuleAction(GuardEvent.RANGE_GROUND, GuardAction.SLOW)
    hover = RuleAction(GuardEvent.RANGE_GROUND, GuardAction.HOVER)
    changes = [
        GuardChange(0, ()),
        GuardChange(10, (slow,)),
        GuardChange(20, (STALE, hover)),
        GuardChange(30, (STALE,)),
        GuardChange(40, (slow,)),
    ]
    ground, stale = GuardEvent.RANGE_GROUND, GuardEvent.STALE
    assert rule_periods(changes) == [
        RulePeriod(ground, GuardAction.HOVER, 10, 30),
        RulePeriod(stale, GuardAction.HOVER, 20, 40),
        RulePeriod(ground, GuardAction.SLOW, 40, None),
    ]
    assert rule_periods(changes, bridge_ns=10) == [
        RulePeriod(ground, GuardAction.HOVER, 10, None),
        RulePeriod(stale, GuardAction.HOVER, 20, 40),
    ]
    assert rule_periods([]) == []


def test_a_record_is_read_back_and_a_bad_one_is_refused():
    assert acting_of(["stale", "battery_low"], [3.0, 4.0]) == (STALE, BATTERY)
    with pytest.raises(ObservationError, match="an action for each of 1 rules, got 2"):
        acting_of(["stale"], [3.0, 4.0])
    with pytest.raises(ObservationError, match="'hungry' is not a valid GuardEvent"):
        acting_of(["hungry"], [3.0])
    for bad in (9.0, float("nan"), float("inf")):
        with pytest.raises(ObservationError, match="expected a rule of the guard and its action"):
            acting_of(["stale"], [bad])
