"""Rule by which lifecycle nodes are brought to a state, one transition at a time.

This module does not depend on ROS. States are labels of lifecycle_msgs/State.
"""

from collections.abc import Mapping
from typing import NamedTuple

UNCONFIGURED, INACTIVE, ACTIVE = "unconfigured", "inactive", "active"
NOT_ACTIVE = "not active"
_RANKS = {UNCONFIGURED: 0, INACTIVE: 1, ACTIVE: 2}
GOALS = {UNCONFIGURED: (0, 0), INACTIVE: (1, 1), ACTIVE: (2, 2), NOT_ACTIVE: (0, 1)}
"""Lowest and highest rank of the states that fulfil each goal."""

_UP = {UNCONFIGURED: "configure", INACTIVE: "activate"}
_DOWN = {ACTIVE: "deactivate", INACTIVE: "cleanup"}
_RESULTS = {
    "configure": INACTIVE,
    "activate": ACTIVE,
    "deactivate": INACTIVE,
    "cleanup": UNCONFIGURED,
}


class LifecycleStep(NamedTuple):
    """A transition of one node.

    Attributes:
        node: its name.
        transition: label of lifecycle_msgs/Transition.
        result: state of the node after it.
    """

    node: str
    transition: str
    result: str


def next_step(goal: str, states: Mapping[str, str]) -> LifecycleStep | None:
    """Return the next transition towards a goal; None if there is none at present.

    All nodes are configured before the first is activated, in their order. On the way down, all
    are deactivated before the first is cleaned up, in reverse order. On the way up, a node in
    transition or without a known state is waited for; on the way down it holds up no other.

    Args:
        goal: one of `GOALS`.
        states: state of each node, in order; empty for one that is not known.
    """
    ranks = {name: _RANKS[state] for name, state in states.items() if state in _RANKS}
    lowest, highest = GOALS[goal]
    if max(ranks.values(), default=highest) > highest:
        name = max(reversed(ranks), key=ranks.__getitem__)
        return _step(name, _DOWN[states[name]])
    if len(ranks) == len(states) and min(ranks.values(), default=lowest) < lowest:
        name = min(ranks, key=ranks.__getitem__)
        return _step(name, _UP[states[name]])
    return None


def is_reached(goal: str, states: Mapping[str, str]) -> bool:
    """Return whether every node is in a state that fulfils a goal."""
    lowest, highest = GOALS[goal]
    return all(lowest <= _RANKS.get(state, -1) <= highest for state in states.values())


def _step(name: str, transition: str) -> LifecycleStep:
    return LifecycleStep(name, transition, _RESULTS[transition])
