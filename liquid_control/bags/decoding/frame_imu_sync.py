"""Match recorded frames with their readings, as in flight but without its real-time limits."""

from collections import deque
from dataclasses import dataclass, field

from liquid_control.bags.events import FrameEvent
from liquid_control.bags.losses import Loss, Losses
from liquid_control.perception.sensor_sync import RESTART_NS, SensorSync, Vector
from liquid_control.types import Floats, Observation, Pixels

SILENCE_NS = 500_000_000
"""Log time without a reading after which a frame stops waiting for it."""
HELD_BYTES = 64 << 20
"""Limit for waiting pictures; an IMU whose clock lags would make them wait indefinitely."""


@dataclass
class FrameImuSync:
    """Matches frames and IMU samples through `SensorSync`, one frame at a time.

    In flight, `SensorSync` drops a waiting frame if too many frames follow. Here a frame waits
    until the IMU stream reaches its stamp, is silent for `SILENCE_NS`, or restarts; and the range
    in the same way.

    Attributes:
        has_imu: whether there is an IMU to wait for.
        losses: counts dropped frames and samples.
        has_range: whether there is a range sensor to wait for.
    """

    has_imu: bool
    losses: Losses
    has_range: bool = False
    _sync: SensorSync = field(default_factory=SensorSync)
    _waiting: deque[tuple[int, Pixels, int]] = field(default_factory=deque)
    _held_bytes: int = 0
    _frame_log_ns: int = 0
    _imu_log_ns: int | None = None
    _range_log_ns: int | None = None
    _matched_ns: int | None = None

    def __post_init__(self) -> None:
        self._sync.imu = self.has_imu
        self._sync.range_age_ns = 0 if self.has_range else None

    def add_sample(
        self, stamp_ns: int, rate: Vector, force: Vector, log_ns: int
    ) -> list[FrameEvent]:
        """Add an IMU sample; return the frames that it completes."""
        before_ns, released = self._sync.imu_ns, []
        if before_ns is not None and stamp_ns <= before_ns:
            restarted = self._restarts(before_ns, stamp_ns, "IMU sample")
            released = self.finish() if restarted else []
        self._imu_log_ns = log_ns
        self._sync.add_sample(stamp_ns, rate, force)
        return released + self._complete() if self.is_waiting else released

    @property
    def is_waiting(self) -> bool:
        """Whether a frame is waiting."""
        return bool(self._waiting) or self._sync.waiting

    def reach(self, stamp_ns: int, log_ns: int) -> list[FrameEvent]:
        """Mark the IMU stream as complete up to a stamp."""
        self._imu_log_ns = log_ns
        self._sync.reach(stamp_ns)
        return self._complete()

    def add_range(self, stamp_ns: int, range_m: float | None, log_ns: int) -> list[FrameEvent]:
        """Add a reading of the range, None if not valid; return the frames that it completes."""
        self._range_log_ns = log_ns
        self._sync.ranges.add(stamp_ns, range_m)
        return self._complete() if self.is_waiting else []

    def add_orientation(self, stamp_ns: int, orientation: Floats) -> None:
        """Add an attitude, before the IMU sample of its message."""
        self._sync.orientations.add(stamp_ns, orientation)

    def add_frame(self, stamp_ns: int, image: Pixels, log_ns: int) -> list[FrameEvent]:
        """Add a frame; return the complete frames."""
        self._waiting.append((stamp_ns, image, log_ns))
        self._held_bytes += image.nbytes
        frames = self._complete()
        while self._held_bytes > HELD_BYTES:
            frames += self._complete(force=1)
        return frames

    def advance(self, log_ns: int) -> list[FrameEvent]:
        """Advance log time; return the frames that waited too long."""
        frames: list[FrameEvent] = []
        while (since_ns := self._waits_since()) is not None:
            awaited = [since_ns]
            if self._sync.imu_is_late or not self._sync.range_is_late:
                awaited.append(self._imu_log_ns or since_ns)
            if self._sync.range_is_late:
                awaited.append(self._range_log_ns or since_ns)
            if log_ns - max(awaited) <= SILENCE_NS:
                break
            frames += self._complete(force=1)
        return frames

    def finish(self) -> list[FrameEvent]:
        """Return the frames that still wait."""
        return self._complete(force=len(self._waiting) + 1)

    def _waits_since(self) -> int | None:
        if self._sync.waiting:
            return self._frame_log_ns
        return self._waiting[0][2] if self._waiting else None

    def _complete(self, force: int = 0) -> list[FrameEvent]:
        """Return the complete frames, and up to `force` incomplete ones."""
        complete: list[FrameEvent] = []
        while self._sync.waiting or self._next():
            observation = self._sync.take()
            if observation is None and force > 0:
                force -= 1
                if self._sync.imu_is_late:
                    stamp_ns = self._sync.frame_ns
                    self.losses.count(Loss.FRAME_WITHOUT_IMU, f"the frame stamped {stamp_ns} ns")
                observation = self._sync.take(force=True)
            elif observation is not None:
                self._count_if_unmatched(observation)
            if observation is None:
                break
            self._held_bytes -= observation.image.nbytes
            complete.append(FrameEvent(observation, self._frame_log_ns))
        return complete

    def _count_if_unmatched(self, observation: Observation) -> None:
        """Count a frame without a sample near it: the clock of such an IMU is ahead."""
        stamp_ns, newest_ns = observation.stamp_ns, self._sync.imu_ns
        if len(observation.imu.stamps_ns):
            self._matched_ns = int(observation.imu.stamps_ns[-1])
            return
        marked = self._sync.reached_ns is not None and self._sync.reached_ns >= stamp_ns
        if marked or newest_ns is None or newest_ns - stamp_ns <= SILENCE_NS:
            return
        if self._matched_ns is None or abs(stamp_ns - self._matched_ns) > SILENCE_NS:
            self.losses.count(
                Loss.FRAME_WITHOUT_IMU,
                f"no sample within 0.5 s of the frame stamped {stamp_ns} ns; the newest one is "
                f"stamped {newest_ns} ns",
            )

    def _next(self) -> bool:
        """Pass the next valid frame to `SensorSync`; return whether there is one."""
        while self._waiting:
            stamp_ns, image, self._frame_log_ns = self._waiting.popleft()
            self._restarts(self._sync.frame_ns, stamp_ns, "frame")
            self._sync.add_frame(stamp_ns, image)
            if self._sync.waiting:
                return True
            self._held_bytes -= image.nbytes
        return False

    def _restarts(self, before_ns: int | None, stamp_ns: int, what: str) -> bool:
        """Count a stamp that does not advance; return whether it restarts the stream."""
        if before_ns is None or stamp_ns > before_ns:
            return False
        restarted = before_ns - stamp_ns >= RESTART_NS
        loss = Loss.CLOCK_JUMP if restarted else Loss.STAMP_BACKWARDS
        self.losses.count(loss, f"{what} stamped {stamp_ns} ns after {before_ns} ns")
        return restarted
