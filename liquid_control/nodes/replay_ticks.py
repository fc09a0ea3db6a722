"""From a bag's events to the instants at which a replay publishes, in the bag's own time.

A flight in lockstep recorded every instant at which its guard polled, as `/clock`; it is told from
others by its frames, which are filed under their own stamps. In any other bag the guard polled on
a timer of its own, and the instants are made anew: every `tick_ns` after a frame. No ROS in here.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from liquid_control.bags.events import (
    Calibrated,
    Clocked,
    Commanded,
    Event,
    Featured,
    Fired,
    Moved,
    Seen,
)
from liquid_control.types import NANOSECONDS, Observation

FILLED_NS = 10 * NANOSECONDS
"""Instants are made for so long after a frame: the guard then has hovered for long."""
KEPT = 20_000
"""Events that wait for a frame: those of minutes."""

Told = Commanded | Moved | Featured | Fired | Calibrated


@dataclass(frozen=True, slots=True)
class BagTick:
    """What is published at one instant.

    Attributes:
        stamp_ns: when.
        log_ns: when the recorder filed the newest picture: the place in the bag; None before it.
        frame: the picture with its IMU window, or None between frames.
        told: what else was recorded up to here, in the bag's order.
        jumped: whether time jumped just before it.
    """

    stamp_ns: int
    log_ns: int | None = None
    frame: Observation | None = None
    told: tuple[Told, ...] = ()
    jumped: bool = False


@dataclass
class TickMaker:
    """Makes ticks of events.

    Args:
        tick_ns: time between two ticks where the bag did not record them.
        last_ns: log time of the last picture to use; None: the bag's end.
    """

    tick_ns: int
    last_ns: int | None = None
    _lockstep: bool | None = None
    _stamp_ns: int | None = None
    _log_ns: int | None = None
    _clocks: deque[int] = field(default_factory=lambda: deque(maxlen=KEPT))
    _told: deque[Told] = field(default_factory=lambda: deque(maxlen=KEPT))

    def ticks(self, events: Iterable[Event]) -> Iterator[BagTick]:
        """Yield the ticks of a bag; a frame goes before the `/clock` of the same stamp."""
        for event in events:
            if isinstance(event, Clocked):
                self._clock(event.stamp_ns)
            elif not isinstance(event, Seen):
                self._told.append(event)
            elif self.last_ns is not None and event.log_ns > self.last_ns:
                break
            else:
                yield from self._frame(event)
        if self._lockstep:
            yield from self._until(self._clocks[-1] + 1 if self._clocks else 0)

    def _clock(self, stamp_ns: int) -> None:
        if self._clocks and stamp_ns < self._clocks[-1]:
            self._clocks.clear()
        self._clocks.append(stamp_ns)

    def _frame(self, seen: Seen) -> Iterator[BagTick]:
        stamp_ns = seen.observation.stamp_ns
        if self._lockstep is None:
            self._lockstep = seen.log_ns == stamp_ns
        if not self._lockstep:
            self._clocks.clear()
            self._clocks.extend(self._timer(stamp_ns))
        yield from self._until(stamp_ns)
        self._stamp_ns, self._log_ns = stamp_ns, seen.log_ns
        yield BagTick(stamp_ns, seen.log_ns, seen.observation, self._take())

    def _timer(self, until_ns: int) -> range:
        if self._stamp_ns is None:
            return range(0)
        end_ns = min(until_ns, self._stamp_ns + FILLED_NS)
        return range(self._stamp_ns + self.tick_ns, end_ns, self.tick_ns)

    def _until(self, until_ns: int) -> Iterator[BagTick]:
        """Yield what lies before an instant and after the tick before."""
        while self._clocks and self._clocks[0] < until_ns:
            stamp_ns = self._clocks.popleft()
            if self._stamp_ns is None or stamp_ns > self._stamp_ns:
                self._stamp_ns = stamp_ns
                yield BagTick(stamp_ns, self._log_ns, None, self._take(stamp_ns))

    def _take(self, until_ns: int | None = None) -> tuple[Told, ...]:
        """Take out what was told up to a stamp, or everything."""

        def is_due(event: Told) -> bool:
            return until_ns is None or isinstance(event, Calibrated) or event.stamp_ns <= until_ns

        waiting = list(self._told)
        self._told.clear()
        self._told.extend(event for event in waiting if not is_due(event))
        return tuple(event for event in waiting if is_due(event))
