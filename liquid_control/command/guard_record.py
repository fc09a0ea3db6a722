"""Record of the rules that act: what a flight in process, the guard node and a replay have alike.

A record is a list of changes. Each has the stamp of the guard's run, and every rule that acts from
then on with its action; it lasts until the next change.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from liquid_control.command.guard_settings import GuardAction, GuardEvent
from liquid_control.errors import ObservationError

_PLACE = {event: place for place, event in enumerate(GuardEvent)}


class RuleAction(NamedTuple):
    """A rule that acts, by the event that it counts, and its action; `NONE` drops a command."""

    event: GuardEvent
    action: GuardAction


class GuardChange(NamedTuple):
    """The rules that act from an instant on; none is an empty tuple."""

    stamp_ns: int
    acting: tuple[RuleAction, ...]


class RulePeriod(NamedTuple):
    """Time in which a rule acted without a break.

    Attributes:
        event: of the rule.
        action: its most conservative one in this time.
        begin_ns: stamp of the run at which it began.
        end_ns: stamp of the first run at which it no longer acted; None while it acts.
    """

    event: GuardEvent
    action: GuardAction
    begin_ns: int
    end_ns: int | None


class ChangeWatch:
    """Returns a change where the rules that act have changed since the guard's run before.

    The first run with a command is a change, even if no rule acts, so that a record without
    actions differs from no record.
    """

    def __init__(self) -> None:
        self._acting: tuple[tuple[str, int], ...] | None = None

    def change(
        self, stamp_ns: int, acting: tuple[tuple[str, int], ...], begun: bool = True
    ) -> GuardChange | None:
        """Return the change of a run; None for none.

        Args:
            stamp_ns: time of the run.
            acting: the rules that act after it, as `GuardState.acting`.
            begun: whether the guard has received a command.
        """
        if acting == self._acting or (self._acting is None and not (acting or begun)):
            return None
        self._acting = acting
        return GuardChange(stamp_ns, _actions(acting))


def in_order(actions: Iterable[RuleAction]) -> tuple[RuleAction, ...]:
    """Return one action for each event, the most conservative one, in the order of the events."""
    largest: dict[GuardEvent, RuleAction] = {}
    for one in actions:
        if one.event not in largest or one.action > largest[one.event].action:
            largest[one.event] = one
    return tuple(sorted(largest.values(), key=lambda one: _PLACE[one.event]))


def rule_periods(changes: Sequence[GuardChange], bridge_ns: int = 0) -> list[RulePeriod]:
    """Return the periods of every rule, by their begin.

    Args:
        changes: of a flight, in the order in which they were made.
        bridge_ns: periods of a rule at most so far apart are one.
    """
    begun: dict[GuardEvent, RulePeriod] = {}
    closed: list[RulePeriod] = []
    for stamp_ns, acting in changes:
        now = {one.event: one.action for one in acting}
        for event, action in now.items():
            one = begun.get(event)
            if one is not None and one.end_ns is not None and stamp_ns - one.end_ns > bridge_ns:
                closed.append(one)
                one = None
            one = one or RulePeriod(event, action, stamp_ns, None)
            begun[event] = one._replace(action=max(one.action, action), end_ns=None)
        for event in begun.keys() - now.keys():
            if begun[event].end_ns is None:
                begun[event] = begun[event]._replace(end_ns=stamp_ns)
    return sorted((*closed, *begun.values()), key=lambda one: (one.begin_ns, _PLACE[one.event]))


def acting_of(names: Sequence[str], actions: Sequence[float]) -> tuple[RuleAction, ...]:
    """Return the rules that act from the names of their events and the numbers of their actions.

    Raises:
        ObservationError: a name or a number is none of the guard's, or the counts differ.
    """
    if len(names) != len(actions):
        raise ObservationError(
            f"expected an action for each of {len(names)} rules, got {len(actions)}"
        )
    try:
        return _actions(zip(names, map(int, actions), strict=True))
    except (ValueError, OverflowError) as error:
        raise ObservationError(f"expected a rule of the guard and its action, {error}") from error


def _actions(acting: Iterable[tuple[str, int]]) -> tuple[RuleAction, ...]:
    return tuple(RuleAction(GuardEvent(event), GuardAction(action)) for event, action in acting)
