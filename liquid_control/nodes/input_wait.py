"""Names the topics that an active node waits for; this module does not depend on ROS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from liquid_control.nodes.flight_log import LOG_PERIOD_S

FIRST_LINE_S = 1.0
"""From the activation to the first line: publishers may still be found meanwhile."""


def waiting_line(publishers: Mapping[str, int]) -> str:
    """Return the line on topics without a message.

    Args:
        publishers: number of publishers by topic.
    """
    parts = (f"{topic} ({_found(number)})" for topic, number in publishers.items())
    return f"active; waiting for {' and '.join(parts)}"


def _found(number: int) -> str:
    if number == 0:
        return "0 publishers"
    return f"{number} publisher{'' if number == 1 else 's'}, no message yet"


@dataclass
class InputWait:
    """The inputs of a node, and which of them have delivered a message since its activation.

    While the node is not active its handlers receive nothing, and there is nothing to report.

    Args:
        is_active: whether the node is active.
        count_publishers: returns the number of publishers of a topic.
    """

    is_active: Callable[[], bool]
    count_publishers: Callable[[str], int]
    _waiting: dict[str, bool] = field(default_factory=dict)
    _next_line_s: float = 0.0
    _has_reported: bool = False

    def expect(self, topic: str, handler: Callable[[Any], None]) -> Callable[[Any], None]:
        """Expect a topic; return the handler to subscribe with."""
        self._waiting[topic] = True

        def handle(message: Any) -> None:
            if self.is_active():
                self._waiting[topic] = False
                handler(message)

        return handle

    def forget(self, topic: str) -> None:
        """Expect a topic no longer."""
        self._waiting.pop(topic, None)

    def restart(self, now_s: float) -> None:
        """Wait for every topic again: the node is activated."""
        self._waiting = dict.fromkeys(self._waiting, True)
        self._next_line_s = now_s + FIRST_LINE_S
        self._has_reported = False

    def line(self, now_s: float) -> str:
        """Return a line if one is due: what the node waits for, or that it waits no longer."""
        if not self.is_active():
            return ""
        missing = [topic for topic, waits in self._waiting.items() if waits]
        if missing and now_s >= self._next_line_s:
            self._next_line_s = now_s + LOG_PERIOD_S
            self._has_reported = True
            return waiting_line({topic: self.count_publishers(topic) for topic in missing})
        if not missing and self._has_reported:
            self._has_reported = False
            return "every input arrives"
        return ""
