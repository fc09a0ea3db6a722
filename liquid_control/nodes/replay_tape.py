"""A bag's ticks as a tape that can be wound, in a time that never goes back.

Stamps are the bag's own as long as time goes on. After a seek, after a loop, and where the bag's
own time went back, they are moved on, no farther than it takes for `gap_ns` to pass: whoever hears
of so long a gap begins anew. In the middle of it is a tick without a frame, at which the guard
comes to hover. No ROS in here.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from liquid_control.bags.events import Calibrated, Event
from liquid_control.nodes.replay_ticks import BagTick, TickMaker
from liquid_control.types import ImuWindow, Observation

Read = Callable[[int | None], Iterator[Event]]
"""Reads a bag's events from a log time on; None: from its beginning."""


@dataclass
class ReplayTape:
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
            if isinstance(event, Calibrated)
            else replace(event, stamp_ns=event.stamp_ns + offset_ns)
            for event in tick.told
        ),
    )


def _moved_frame(frame: Observation, offset_ns: int) -> Observation:
    imu = frame.imu
    window = ImuWindow(imu.stamps_ns + offset_ns, imu.angular_velocity, imu.linear_acceleration)
    return replace(frame, stamp_ns=frame.stamp_ns + offset_ns, imu=window)
