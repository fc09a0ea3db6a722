"""Markers of the guard: the rule, its action, begin and end, and how much it changed."""

import numpy as np
import pytest

from liquid_control.command import GuardAction, GuardChange, GuardEvent, RuleAction
from liquid_control.pages.flight_view import Marker
from liquid_control.pages.guard_markers import (
    CommandChanges,
    RuleSpan,
    guard_markers,
    guard_periods,
)

pytestmark = pytest.mark.unit

MS = 1_000_000
FENCE = RuleAction(GuardEvent.FENCE_NEAR, GuardAction.SLOW)
BATTERY = RuleAction(GuardEvent.BATTERY_LOW, GuardAction.LAND)
LATE = RuleAction(GuardEvent.LATE, GuardAction.NONE)


def commands(changed: dict[int, tuple[int, float]]) -> CommandChanges:
    """Return 20 frames, 50 ms apart, with some values of frames changed: (axis, value)."""
    before = np.tile([2.0, 0.1, 0.0, 0.5], (20, 1))
    after = before.copy()
    for row, (axis, value) in changed.items():
        after[row, axis] = value
    return CommandChanges(np.arange(20) / 20, before, after)


def spans(*changes):
    return guard_periods(changes, lambda stamp_ns: stamp_ns / 1e9)


def test_a_rule_has_name_action_begin_end_and_its_largest_change():
    found = spans(GuardChange(0, ()), GuardChange(150 * MS, (FENCE,)), GuardChange(325 * MS, ()))
    assert found == [RuleSpan("fence_near", GuardAction.SLOW, 0.15, 0.325)]
    track = commands({3: (0, 1.6), 4: (0, 1.2), 5: (0, 1.9), 6: (0, 1.9)})
    assert guard_markers(found, track, 0.95) == [
        Marker(0.15, "guard fence_near: slow, forward +2.00 to +1.20", "guard", 0.325)
    ]


def test_what_lasts_until_the_end_ends_there_and_two_rules_have_two_markers():
    found = spans(GuardChange(100 * MS, (BATTERY, FENCE)), GuardChange(700 * MS, (BATTERY,)))
    markers = guard_markers(found, None, 0.95)
    assert [(one.text, one.seconds, one.end_s) for one in markers] == [
        ("guard fence_near: slow", 0.1, 0.7),
        ("guard battery_low: land", 0.1, 0.95),
    ]


def test_a_dropped_command_says_so():
    (marker,) = guard_markers(spans(GuardChange(0, (LATE,))), None, 1.0, "recorded guard")
    assert marker.text == "recorded guard late: command dropped"


def test_short_breaks_are_bridged_and_long_ones_are_not():
    def at(*times_ms):
        return [
            GuardChange(time * MS, (FENCE,) if number % 2 == 0 else ())
            for number, time in enumerate(times_ms)
        ]

    (one,) = spans(*at(0, 100, 300, 400))
    assert (one.begin_s, one.end_s) == (0.0, 0.4)
    first, second = spans(*at(0, 100, 301, 400))
    assert (first.end_s, second.begin_s) == (0.1, 0.301)


def test_changes_without_a_rule_are_measured():
    assert guard_markers([], commands({}), 0.95) == []
    track = commands({3: (0, 1.2), 4: (0, 1.6)})
    track.after[15] = 0.0
    limited, stopped = guard_markers([], track, 0.95)
    assert (limited.seconds, limited.end_s) == pytest.approx((0.15, 0.25))
    assert limited.text == "guard: forward +2.00 to +1.20"
    assert (stopped.seconds, stopped.text, stopped.kind) == (0.75, "guard: hover", "guard")
    track.before[10] = np.nan
    assert len(guard_markers([], track, 0.95)) == 3
    named = [RuleSpan("stale", GuardAction.HOVER, 0.7, None)]
    texts = [one.text for one in guard_markers(named, track, 0.95)]
    assert texts == ["guard stale: hover", "guard: forward +2.00 to +1.20", texts[2]]
