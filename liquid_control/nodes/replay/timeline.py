"""A bag's ticks as a tape that can be wound, in a time that never goes back.

Stamps are the bag's own as long as time goes on. After a seek, after a loop, and where the bag's
own time went back, they are moved on, no farther than it takes for `gap_ns` to pass: whoever hears
of so long a gap begins anew. In the middle of it is a tick without a frame, at which the guard
comes to hover. No ROS in here.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from liquid_control.bags.events import (
    CameraInfoEvent,
    ClockEvent,
    CommandEvent,
    Event,
    FeaturesEvent,
    FrameEvent,
    NeuronsEvent,
    OdometryEvent,
)
from liquid_control.types import NANOSECONDS, ImuWindow, Observation

FILLED_NS = 10 * NANOSECONDS
"""Instants are made for so long after a frame: the guard then has hovered for long."""
KEPT = 20_000
"""Events that wait for a frame: those of minutes."""

Told = CommandEvent | OdometryEvent | FeaturesEvent | NeuronsEvent | CameraInfoEvent


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
            if isinstance(event, ClockEvent):
                self._clock(event.stamp_ns)
            elif not isinstance(event, FrameEvent):
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

    def _frame(self, seen: FrameEvent) -> Iterator[BagTick]:
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
            return (
                until_ns is None
                or isinstance(event, CameraInfoEvent)
                or event.stamp_ns <= until_ns
            )

        waiting = list(self._told)
        self._told.clear()
        self._told.extend(event for event in waiting if not is_due(event))
        return tuple(event for event in waiting if is_due(event))


Read = Callable[[int | None], Iterator[Event]]
"""Reads a bag's events from a log time on; None: from its beginning."""


@dataclass
class ReplayTimeline:
    """The ticks of a bag, one after the other, from wherever it is wound to.

    Args:
        read: the bag's events.
        gap_ns: time that passes at a jump.
        tick_ns: time between two ticks where the bag did not record them.
        first_ns: log time at which it begins, and begins again; None: the bag's beginning.
        last_ns: log time of the last picture to use; None: the bag's end.
        loop: whether to begin again at the end.

    Attributes:
        log_ns: the place in the bag; None before the first picture.
        jumps: how often time jumped.
    """

    read: Read
    gap_ns: int
    tick_ns: int
    first_ns: int | None = None
    last_ns: int | None = None
    loop: bool = False
    log_ns: int | None = None
    jumps: int = 0
    _ticks: Iterator[BagTick] | None = None
    _ready: deque[BagTick] = field(default_factory=deque)
    _stamp_ns: int | None = None
    _offset_ns: int = 0
    _wound: bool = False
    _is_empty: bool = True

    def seek(self, log_ns: int | None) -> None:
        """Go on at the first picture filed at or after a log time."""
        self._ready.clear()
        self._wound, self._is_empty = True, True
        self.log_ns = log_ns
        self._ticks = TickMaker(self.tick_ns, self.last_ns).ticks(self.read(log_ns))

    def advance(self) -> BagTick | None:
        """Return the next tick; None once the bag has ended."""
        if not self._ready:
            tick = self._next()
            if tick is None:
                return None
            self._ready.extend(self._in_time(tick))
        tick = self._ready.popleft()
        self._stamp_ns = tick.stamp_ns
        self.log_ns = self.log_ns if tick.log_ns is None else tick.log_ns
        return tick

    def _next(self) -> BagTick | None:
        if self._ticks is None:
            self.seek(self.first_ns)
        tick = self._read_on()
        if tick is None and self.loop and not self._is_empty:
            self.seek(self.first_ns)
            tick = self._read_on()
        return tick

    def _read_on(self) -> BagTick | None:
        tick = None if self._ticks is None else next(self._ticks, None)
        self._is_empty = self._is_empty and (tick is None or tick.frame is None)
        return tick

    def _in_time(self, tick: BagTick) -> Iterator[BagTick]:
        """Yield a tick, moved to where time is now; before it one in the gap, if time jumps."""
        before_ns, wound = self._stamp_ns, self._wound
        self._wound = False
        if before_ns is not None and (wound or tick.stamp_ns + self._offset_ns <= before_ns):
            self.jumps += 1
            begins_ns = _begin_of(tick)
            self._offset_ns = max(self._offset_ns, before_ns + self.gap_ns - begins_ns)
            yield BagTick(before_ns + self.gap_ns // 2, jumped=True)
            tick = replace(tick, jumped=True)
        yield _moved(tick, self._offset_ns)


def _begin_of(tick: BagTick) -> int:
    """Return the earliest stamp of a tick: its own, or that of its first IMU sample."""
    if tick.frame is None or not len(tick.frame.imu.stamps_ns):
        return tick.stamp_ns
    return min(tick.stamp_ns, int(tick.frame.imu.stamps_ns[0]))


def _moved(tick: BagTick, offset_ns: int) -> BagTick:
    if offset_ns == 0:
        return tick
    return replace(
        tick,
        stamp_ns=tick.stamp_ns + offset_ns,
        frame=None if tick.frame is None else _moved_frame(tick.frame, offset_ns),
        told=tuple(
            event
            if isinstance(event, CameraInfoEvent)
            else replace(event, stamp_ns=event.stamp_ns + offset_ns)
            for event in tick.told
        ),
    )


def _moved_frame(frame: Observation, offset_ns: int) -> Observation:
    imu = frame.imu
    window = ImuWindow(imu.stamps_ns + offset_ns, imu.angular_velocity, imu.linear_acceleration)
    return replace(frame, stamp_ns=frame.stamp_ns + offset_ns, imu=window)
