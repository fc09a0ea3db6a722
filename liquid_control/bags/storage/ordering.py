"""Order messages by log time without holding a bag in memory.

Recorders write messages nearly in order. Runs that overlap according to an index are merged;
messages without an index are sorted within a window that is bounded in time and bytes. A message
that is later than the window is delivered where it occurs.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from sys import maxsize
from typing import TypeVar

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.types import NANOSECONDS

WINDOW_NS = 2 * NANOSECONDS
WINDOW_BYTES = 64 * 2**20
HELD_BYTES = 192 * 2**20
SPENT_BYTES = 4 * 2**20
MESSAGE_BYTES = 200
"""Memory of a message in addition to its data, bytes."""

Item = TypeVar("Item")
Waiting = tuple[int, int, Item]
"""Log time, size in memory in bytes, and the waiting item."""


@dataclass(frozen=True, slots=True)
class MessageRun:
    """A run of messages that is opened when its start time is reached.

    Attributes:
        start_ns: log time of the first message, according to the index.
        size_bytes: memory in use while the run is open.
        open: opens the run; the iterator yields messages by log time.
    """

    start_ns: int
    size_bytes: int
    open: Callable[[], Iterator[RawMessage]]


def by_time(runs: Iterable[MessageRun], held_bytes: int = HELD_BYTES) -> Iterator[RawMessage]:
    """Merge runs by log time; equal times are in the order of the runs.

    Args:
        runs: runs in any order.
        held_bytes: memory limit for overlapping open runs. If they need more, messages may be
            out of order.
    """
    waiting = deque(sorted(enumerate(runs), key=lambda item: item[1].start_ns))
    running: list[tuple[int, int, RawMessage, Iterator[RawMessage], int]] = []
    held = 0
    while waiting or running:
        while waiting and (
            not running
            or (
                waiting[0][1].start_ns <= running[0][0]
                and held + waiting[0][1].size_bytes <= held_bytes
            )
        ):
            number, run = waiting.popleft()
            messages = run.open()
            for message in messages:
                heappush(running, (message.log_ns, number, message, messages, run.size_bytes))
                held += run.size_bytes
                break
        if not running:
            continue
        _, order, message, messages, size = running[0]
        yield message
        if len(running) > 1:
            following = next(messages, None)
            if following is not None:
                heapreplace(running, (following.log_ns, order, following, messages, size))
                continue
            heappop(running)
        else:
            until_ns = waiting[0][1].start_ns if waiting else maxsize
            for following in messages:
                if following.log_ns >= until_ns:
                    running[0] = (following.log_ns, order, following, messages, size)
                    break
                yield following
            else:
                running.pop()
        if not running or running[0][1] != order:
            held -= size


def windowed(
    items: Iterable[Waiting[Item]], window_ns: int = WINDOW_NS, window_bytes: int = WINDOW_BYTES
) -> Iterator[Item]:
    """Yield items sorted by log time within a window.

    Args:
        items: items with log time and size in memory, in the order of the file.
        window_ns: an item waits until an item later by this time occurs,
        window_bytes: or until the waiting items exceed this size.
    """
    waiting: list[tuple[int, int, int, Item]] = []
    first = held = spent = 0
    newest = -maxsize
    for number, (log_ns, size, item) in enumerate(items):
        held += size
        if log_ns >= newest:
            newest = log_ns
            waiting.append((log_ns, number, size, item))
        else:
            insort(waiting, (log_ns, number, size, item), lo=first)
        due_ns = newest - window_ns
        while first < len(waiting) and (waiting[first][0] <= due_ns or held > window_bytes):
            _, _, size, due = waiting[first]
            first += 1
            held -= size
            spent += size
            yield due
        if spent > SPENT_BYTES:
            del waiting[:first]
            first = spent = 0
    for _, _, _, due in waiting[first:]:
        yield due


def in_window(messages: Iterable[RawMessage]) -> Iterator[RawMessage]:
    """Yield messages sorted by log time within a window."""
    return windowed(
        (message.log_ns, len(message.data) + MESSAGE_BYTES, message) for message in messages
    )


def count_late(messages: Iterable[RawMessage], losses: Losses) -> Iterator[RawMessage]:
    """Yield messages unchanged; count those that are earlier than a preceding message."""
    latest = -maxsize
    for message in messages:
        if message.log_ns >= latest:
            latest = message.log_ns
        else:
            late_s = (latest - message.log_ns) / NANOSECONDS
            losses.count(Loss.OUT_OF_ORDER, f"{message.topic} at {message.log_ns}: {late_s:.3g} s")
        yield message
