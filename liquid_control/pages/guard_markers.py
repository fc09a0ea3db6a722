"""Markers of the guard on the page of a flight: which rule acted, how, and when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control.command import GuardAction, GuardChange, rule_periods
from liquid_control.pages.flight_view import Marker
from liquid_control.types import NANOSECONDS, Floats

GUARD_TOLERANCE = 1e-6
"""Difference of a command before and after the guard that counts as a change, m/s or rad/s."""
BRIDGE_S = 0.2
"""Actions of a rule at most so far apart are one marker."""
_AXES = ("forward", "left", "up", "yaw rate")
_DROPPED = "command dropped"
_LIMITS = (GuardAction.CLAMP, GuardAction.SLOW)
"""Actions of which the marker tells how much they changed."""


class RuleSpan(NamedTuple):
    """Time in which a rule acted: name of its event, what it did, begin and end, s.

    The end is None while it acts at the end of the flight.
    """

    rule: str
    action: GuardAction
    begin_s: float
    end_s: float | None


@dataclass(frozen=True, slots=True, eq=False)
class CommandChanges:
    """Commands of the frames before and after the guard.

    Attributes:
        seconds: float64 [F], ascending.
        before: of the policy, float64 [F, 4], as `Command.values`.
        after: after the guard, float64 [F, 4].
    """

    seconds: Floats
    before: Floats
    after: Floats

    def rows(self, begin_s: float, end_s: float | None) -> NDArray[np.intp]:
        """Return the rows from an instant until before another; None for the end."""
        first, last = np.searchsorted(
            self.seconds, (begin_s, np.inf if end_s is None else end_s), side="left"
        )
        return np.arange(first, last)

    def changed(self) -> NDArray[np.intp]:
        """Return the rows in which the guard changed the command."""
        same = (np.abs(self.after - self.before) <= GUARD_TOLERANCE).all(axis=1)
        return np.flatnonzero(~same)

    def largest(self, rows: NDArray[np.intp]) -> str:
        """Return the largest change of one value among rows; empty without any."""
        gap = np.nan_to_num(np.abs(self.after[rows] - self.before[rows]), nan=np.inf)
        if not gap.size or gap.max() <= GUARD_TOLERANCE:
            return ""
        row, axis = np.unravel_index(int(gap.argmax()), gap.shape)
        old, new = self.before[rows[row], axis], self.after[rows[row], axis]
        return f"{_AXES[axis]} {old:+.2f} to {new:+.2f}"

    def stops(self, rows: NDArray[np.intp]) -> bool:
        """Return whether the largest change among rows is one from motion to hover."""
        gap = np.nan_to_num(np.abs(self.after[rows] - self.before[rows]), nan=np.inf)
        row = rows[int(gap.max(axis=1).argmax())]
        return not self.after[row].any() and bool(self.before[row].any())


def guard_periods(
    changes: Sequence[GuardChange], seconds: Callable[[int], float]
) -> list[RuleSpan]:
    """Return the times in which each rule acted; short breaks are bridged.

    Args:
        changes: of the flight.
        seconds: time on the page of a stamp in ns.
    """
    found = []
    for one in rule_periods(changes, round(BRIDGE_S * NANOSECONDS)):
        begin_s = seconds(one.begin_ns)
        end_s = None if one.end_ns is None else max(begin_s, seconds(one.end_ns))
        found.append(RuleSpan(one.event.value, one.action, begin_s, end_s))
    return found


def guard_markers(
    periods: Sequence[RuleSpan],
    commands: CommandChanges | None,
    end_s: float,
    who: str = "guard",
) -> list[Marker]:
    """Return a marker for each rule's action, and for other changes of commands.

    Others are those of a flight without a record of rules, and hover for which no rule is the
    cause, such as that on a second publisher.

    Args:
        periods: of the rules, from `guard_periods`.
        commands: before and after the guard; None where they are not known.
        end_s: end of the flight, for rules that act until then.
        who: begins the text.
    """
    markers = [_of_rule(one, commands, end_s, who) for one in periods]
    return markers + ([] if commands is None else _others(periods, commands, who))


def _of_rule(one: RuleSpan, commands: CommandChanges | None, end_s: float, who: str) -> Marker:
    action = one.action.name.lower().replace("_", " ") if one.action else _DROPPED
    text = f"{who} {one.rule}: {action}"
    if commands is not None and one.action in _LIMITS:
        change = commands.largest(commands.rows(one.begin_s, one.end_s))
        text += f", {change}" if change else ""
    last_s = max(end_s, one.begin_s) if one.end_s is None else one.end_s
    return Marker(one.begin_s, text, "guard", last_s)


def _others(periods: Sequence[RuleSpan], commands: CommandChanges, who: str) -> list[Marker]:
    """Return a marker for each period in which commands changed without a rule that acts."""
    named = [commands.rows(one.begin_s, one.end_s) for one in periods]
    known = np.concatenate(named) if named else np.empty(0, np.intp)
    rows = np.setdiff1d(commands.changed(), known)
    if not len(rows):
        return []
    seconds = commands.seconds
    breaks = np.flatnonzero(np.diff(seconds[rows]) > BRIDGE_S) + 1
    period = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    return [
        Marker(
            float(seconds[run[0]]),
            f"{who}: hover" if commands.stops(run) else f"{who}: {commands.largest(run)}",
            "guard",
            float(seconds[run[-1]]) + period,
        )
        for run in np.split(rows, breaks)
    ]
