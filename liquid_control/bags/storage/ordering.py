"""Messages in order of time without holding a bag in memory.

A recorder files messages nearly in order. What an index knows to overlap is merged; what has no
index passes through a window that is bounded in time and bytes. A message that comes later than
that is delivered where it comes.
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
"""What a message costs in memory beside its data."""

Item = TypeVar("Item")
Waiting = tuple[int, int, Item]
"""Log time, bytes in memory, and what waits."""


@dataclass(frozen=True, slots=True)
class MessageRun:
    """Messages that are opened when their time comes.

    Attributes:
        start_ns: no message of it is said to be earlier.
        size_bytes: what it holds in memory while it is read.
        open: starts reading; yields messages by log time.
    """

    start_ns: int
    size_bytes: int
    open: Callable[[], Iterator[RawMessage]]


def by_time(stretches: Iterable[MessageRun], held_bytes: int = HELD_BYTES) -> Iterator[RawMessage]:
    """Yield the messages of all stretches by log time; equal times in the order of the stretches.

    Args:
        stretches: in any order.
        held_bytes: so many bytes of overlapping stretches are open at once; the order suffers
            where they would need more.
    """
    waiting = deque(sorted(enumerate(stretches), key=lambda item: item[1].start_ns))
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
            number, stretch = waiting.popleft()
            messages = stretch.open()
            for message in messages:
                heappush(running, (message.log_ns, number, message, messages, stretch.size_bytes))
                held += stretch.size_bytes
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
    """Yield items by log time as far as a window allows.

    Args:
        items: with log time and what each holds in memory, in the order of the file.
        window_ns: an item waits until one that is so much later has come,
        window_bytes: or until so many bytes wait.
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
    """Yield messages by log time as far as a window allows."""
    return windowed(
        (message.log_ns, len(message.data) + MESSAGE_BYTES, message) for message in messages
    )


def watched(messages: Iterable[RawMessage], losses: Losses) -> Iterator[RawMessage]:
    """Yield messages unchanged, and count those that are earlier than one before them."""
    latest = -maxsize
    for message in messages:
        if message.log_ns >= latest:
            latest = message.log_ns
        else:
            late_s = (latest - message.log_ns) / NANOSECONDS
            losses.count(Loss.OUT_OF_ORDER, f"{message.topic} at {message.log_ns}: {late_s:.3g} s")
        yield message
