"""Requests to an autopilot: MAV_CMD with acknowledgement, one at a time."""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from liquid_control.autopilots.interface import LinkEvent, LinkNotice

TAKEOFF = 22
SET_MODE = 176
ARM_DISARM = 400
SET_MESSAGE_INTERVAL = 511
"""Numbers of MAV_CMD."""
ANSWER_NS = 500_000_000
ATTEMPTS = 3
IN_PROGRESS = 5
RESULTS = (
    "ACCEPTED",
    "TEMPORARILY_REJECTED",
    "DENIED",
    "UNSUPPORTED",
    "FAILED",
    "IN_PROGRESS",
    "CANCELLED",
)
"""Names of MAV_RESULT by number."""


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A MAV_CMD to send as COMMAND_LONG.

    Attributes:
        command: its number.
        parameters: the first of its seven parameters; the others are 0.
        purpose: noun phrase for messages, such as "mode GUIDED".
    """

    command: int
    parameters: tuple[float, ...]
    purpose: str

    @property
    def values(self) -> tuple[float, ...]:
        """All seven parameters."""
        return self.parameters + (0.0,) * (7 - len(self.parameters))


class DueCommand(NamedTuple):
    """A request to send now, with the number of times that it was sent before."""

    request: CommandRequest
    confirmation: int


class CommandQueue:
    """Sends requests one at a time: an acknowledgement names the command only.

    A request without an answer within `ANSWER_NS` is repeated, `ATTEMPTS` times in all.

    Attributes:
        refused: the requests that the autopilot refused.
    """

    def __init__(self) -> None:
        self.refused: set[CommandRequest] = set()
        self._waiting: deque[CommandRequest] = deque()
        self._current: CommandRequest | None = None
        self._attempts = 0
        self._deadline_ns = 0

    def add(self, request: CommandRequest) -> None:
        """Append a request, unless it is waiting already."""
        if request not in self._waiting and request != self._current:
            self._waiting.append(request)

    def clear(self) -> None:
        """Forget all requests and refusals."""
        self.refused.clear()
        self._waiting.clear()
        self._current = None

    def poll(self, now_ns: int) -> tuple[DueCommand | None, LinkNotice | None]:
        """Return the request to send now if one is due, and a notice if one got no answer."""
        notice = None
        current = self._current
        if current is not None and now_ns >= self._deadline_ns and self._attempts >= ATTEMPTS:
            notice = LinkNotice(
                LinkEvent.REQUEST_REFUSED,
                f"the autopilot did not answer the request for {current.purpose}, "
                f"sent {ATTEMPTS} times",
            )
            self._current = current = None
        if current is None:
            if not self._waiting:
                return None, notice
            self._current = current = self._waiting.popleft()
            self._attempts, self._deadline_ns = 0, now_ns
        if now_ns < self._deadline_ns:
            return None, notice
        self._attempts += 1
        self._deadline_ns = now_ns + ANSWER_NS
        return DueCommand(current, self._attempts - 1), notice

    def acknowledge(self, command: int, result: int, now_ns: int) -> LinkNotice | None:
        """Process an acknowledgement; return a notice if the request was refused."""
        current = self._current
        if current is None or command != current.command:
            return None
        if result == IN_PROGRESS:
            self._deadline_ns = now_ns + ANSWER_NS
            return None
        self._current = None
        if result == 0:
            return None
        self.refused.add(current)
        name = RESULTS[result] if result < len(RESULTS) else f"result {result}"
        text = f"the autopilot refused {current.purpose}: {name}"
        return LinkNotice(LinkEvent.REQUEST_REFUSED, text)
