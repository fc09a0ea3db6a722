"""Seekable replay timeline of a bag with monotonic stamps.

Stamps are the bag's own as long as its time advances. After a seek, after a loop, and where the
bag's own time went back, they are shifted so that `gap_ns` passes: after so long a gap the policy
begins with a fresh state. In the middle of the gap is a tick without a frame, at which the guard
changes to hover. This module does not depend on ROS.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from liquid_control.bags import (
    AdaptationEvent,
    CameraInfoEvent,
    ClockEvent,
    CommandEvent,
    Event,
    FeaturesEvent,
    FrameEvent,
    GuardChangeEvent,
    NeuronsEvent,
    OdometryEvent,
)
from liquid_control.types import NANOSECONDS, ImuWindow, Observation

FILLED_NS = 10 * NANOSECONDS
"""Ticks are made for so long after a frame; the guard hovers long before."""
MAX_PENDING = 20_000
"""Largest number of events that wait for the next frame: those of minutes."""

SideEvent = (
    CommandEvent
    | OdometryEvent
    | FeaturesEvent
    | NeuronsEvent
    | AdaptationEvent
    | GuardChangeEvent
    | CameraInfoEvent
)


@dataclass(frozen=True, slots=True)
class BagTick:
    """One instant of a replay.

    Attributes:
        stamp_ns: ROS time.
        log_ns: log time of the newest picture, which is the position in the bag; None before the
            first one.
        frame: the picture with its IMU window; None between frames.
        side_events: other recorded events up to here, in the bag's order.
        jumped: whether time jumped just before it.
    """

    stamp_ns: int
    log_ns: int | None = None
    frame: Observation | None = None
    side_events: tuple[SideEvent, ...] = ()
    jumped: bool = False

    @property
    def framed(self) -> bool:
        """Whether it has a camera frame."""
        return self.frame is not None


@dataclass
class TickMaker:
    """Converts a bag's events to ticks.

    A lockstep recording contains every instant at which its guard polled, as `/clock`; its frames
    are logged at their own stamps, which identifies it. In other recordings the guard polled on
    its own timer; ticks are then generated every `tick_ns` after a frame.

    Args:
        tick_ns: time between two ticks where the bag did not record them.
        last_ns: log time of the last picture to use; None: the bag's end.
    """

    tick_ns: int
    last_ns: int | None = None
    _lockstep: bool | None = None
    _stamp_ns: int | None = None
    _log_ns: int | None = None
    _clocks: deque[int] = field(default_factory=lambda: deque(maxlen=MAX_PENDING))
    _pending: deque[SideEvent] = field(default_factory=lambda: deque(maxlen=MAX_PENDING))

    def ticks(self, events: Iterable[Event]) -> Iterator[BagTick]:
        """Yield the ticks of a bag; a frame precedes the `/clock` of the same stamp."""
        for event in events:
            if isinstance(event, ClockEvent):
                self._clock(event.stamp_ns)
            elif not isinstance(event, FrameEvent):
                self._pending.append(event)
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

    def _frame(self, event: FrameEvent) -> Iterator[BagTick]:
        stamp_ns = event.observation.stamp_ns
        if self._lockstep is None:
            self._lockstep = event.log_ns == stamp_ns
        if not self._lockstep:
            self._clocks.clear()
            self._clocks.extend(self._timer(stamp_ns))
        yield from self._until(stamp_ns)
        self._stamp_ns, self._log_ns = stamp_ns, event.log_ns
        yield BagTick(stamp_ns, event.log_ns, event.observation, self._due_events())

    def _timer(self, until_ns: int) -> range:
        """Return the stamps of a guard's timer between the previous tick and an instant."""
        if self._stamp_ns is None:
            return range(0)
        end_ns = min(until_ns, self._stamp_ns + FILLED_NS)
        return range(self._stamp_ns + self.tick_ns, end_ns, self.tick_ns)

    def _until(self, until_ns: int) -> Iterator[BagTick]:
        """Yield the ticks between the previous one and an instant."""
        while self._clocks and self._clocks[0] < until_ns:
            stamp_ns = self._clocks.popleft()
            if self._stamp_ns is None or stamp_ns > self._stamp_ns:
                self._stamp_ns = stamp_ns
                yield BagTick(stamp_ns, self._log_ns, None, self._due_events(stamp_ns))

    def _due_events(self, until_ns: int | None = None) -> tuple[SideEvent, ...]:
        """Remove and return the pending events up to a stamp; all of them for None."""

        def is_due(event: SideEvent) -> bool:
            return (
                until_ns is None
                or isinstance(event, CameraInfoEvent)
                or event.stamp_ns <= until_ns
            )

        waiting = list(self._pending)
        self._pending.clear()
        self._pending.extend(event for event in waiting if not is_due(event))
        return tuple(event for event in waiting if is_due(event))


Read = Callable[[int | None], Iterator[Event]]
"""Returns a bag's events from a log time on; None: from its beginning."""


@dataclass
class ReplayTimeline:
    """The ticks of a bag in order, from any position.

    Args:
        read: returns the bag's events.
        gap_ns: ROS time that passes at a jump.
        tick_ns: time between two ticks where the bag did not record them.
        first_ns: log time at which each pass begins; None: the bag's beginning.
        last_ns: log time of the last picture to use; None: the bag's end.
        loop: whether to begin again at the end.

    Attributes:
        log_ns: position in the bag; None before the first picture.
        jumps: number of jumps of time.
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
    _repositioned: bool = False
    _is_empty: bool = True

    def seek(self, log_ns: int | None) -> None:
        """Continue at the first picture with a log time of at least `log_ns`."""
        self._ready.clear()
        self._repositioned, self._is_empty = True, True
        self.log_ns = log_ns
        self._ticks = TickMaker(self.tick_ns, self.last_ns).ticks(self.read(log_ns))

    def advance(self) -> BagTick | None:
        """Return the next tick; None once the bag has ended."""
        if not self._ready:
            tick = self._next()
            if tick is None:
                return None
            self._ready.extend(self._shift(tick))
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

    def _shift(self, tick: BagTick) -> Iterator[BagTick]:
        """Yield a tick with a shifted stamp; if time jumps, first one in the middle of the gap."""
        before_ns, repositioned = self._stamp_ns, self._repositioned
        self._repositioned = False
        if before_ns is not None and (
            repositioned or tick.stamp_ns + self._offset_ns <= before_ns
        ):
            self.jumps += 1
            first_ns = _first_stamp(tick)
            self._offset_ns = max(self._offset_ns, before_ns + self.gap_ns - first_ns)
            yield BagTick(before_ns + self.gap_ns // 2, jumped=True)
            tick = replace(tick, jumped=True)
        yield _shifted(tick, self._offset_ns)


def _first_stamp(tick: BagTick) -> int:
    """Return the earliest stamp of a tick: its own, or that of its first IMU sample."""
    if tick.frame is None or not len(tick.frame.imu.stamps_ns):
        return tick.stamp_ns
    return min(tick.stamp_ns, int(tick.frame.imu.stamps_ns[0]))


def _shifted(tick: BagTick, offset_ns: int) -> BagTick:
    if offset_ns == 0:
        return tick
    return replace(
        tick,
        stamp_ns=tick.stamp_ns + offset_ns,
        frame=None if tick.frame is None else _shifted_frame(tick.frame, offset_ns),
        side_events=tuple(
            event
            if isinstance(event, CameraInfoEvent)
            else replace(event, stamp_ns=event.stamp_ns + offset_ns)
            for event in tick.side_events
        ),
    )


def _shifted_frame(frame: Observation, offset_ns: int) -> Observation:
    imu = frame.imu
    window = ImuWindow(imu.stamps_ns + offset_ns, imu.angular_velocity, imu.linear_acceleration)
    return replace(frame, stamp_ns=frame.stamp_ns + offset_ns, imu=window)
