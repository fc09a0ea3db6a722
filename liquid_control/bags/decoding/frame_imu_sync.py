"""Frames with their IMU windows, as in flight, but from a bag: without haste, and without end."""

from collections import deque
from dataclasses import dataclass, field

from liquid_control.bags.events import FrameEvent
from liquid_control.bags.losses import Loss, Losses
from liquid_control.perception.sensor_sync import RESTART_NS, SensorSync, Vector
from liquid_control.types import Pixels

SILENCE_NS = 500_000_000
"""Of log time without an IMU sample, after which a frame waits no longer."""
HELD_BYTES = 64 << 20
"""Of pictures that wait; an IMU whose clock is behind would make them wait for ever."""


@dataclass
class FrameImuSync:
    """Puts frames and samples together through `SensorSync`, one frame at a time.

    In flight a frame that waits for the IMU is given up when others press from behind. A bag has
    time: a frame waits until the IMU has reached it, was silent, or began anew.

    Attributes:
        has_imu: whether there is an IMU to wait for.
        losses: takes what was dropped.
    """

    has_imu: bool
    losses: Losses
    _sync: SensorSync = field(default_factory=SensorSync)
    _waiting: deque[tuple[int, Pixels, int]] = field(default_factory=deque)
    _held_bytes: int = 0
    _paired_log_ns: int = 0
    _imu_log_ns: int | None = None

    def add_sample(
        self, stamp_ns: int, rate: Vector, force: Vector, log_ns: int
    ) -> list[FrameEvent]:
        """Take an IMU sample; return the frames that it makes complete."""
        again = self._restarts(self._sync.imu_ns, stamp_ns, "IMU sample")
        released = self.finish() if again else []
        self._imu_log_ns = log_ns
        self._sync.add_sample(stamp_ns, rate, force)
        return released + self._complete()

    def reach(self, stamp_ns: int, log_ns: int) -> list[FrameEvent]:
        """Take the word of the recorder that no sample up to a stamp is still to come."""
        self._imu_log_ns = log_ns
        self._sync.reach(stamp_ns)
        return self._complete()

    def add_frame(self, stamp_ns: int, image: Pixels, log_ns: int) -> list[FrameEvent]:
        """Take a frame; return what is complete."""
        self._waiting.append((stamp_ns, image, log_ns))
        self._held_bytes += image.nbytes
        seen = self._complete()
        while self._held_bytes > HELD_BYTES:
            seen += self._complete(force=1)
        return seen

    def heard(self, log_ns: int) -> list[FrameEvent]:
        """Let log time pass; return the frames that waited too long."""
        seen: list[FrameEvent] = []
        while (since_ns := self._waits_since()) is not None:
            last_ns = since_ns if self._imu_log_ns is None else max(since_ns, self._imu_log_ns)
            if log_ns - last_ns <= SILENCE_NS:
                break
            seen += self._complete(force=1)
        return seen

    def finish(self) -> list[FrameEvent]:
        """Return what still waits."""
        return self._complete(force=len(self._waiting) + 1)

    def _waits_since(self) -> int | None:
        if self._sync.waiting:
            return self._paired_log_ns
        return self._waiting[0][2] if self._waiting else None

    def _complete(self, force: int = 0) -> list[FrameEvent]:
        """Return complete frames, and as many others as are forced."""
        complete: list[FrameEvent] = []
        while self._sync.waiting or self._next():
            seen = self._sync.take(force=not self.has_imu)
            if seen is None and force > 0:
                force -= 1
                seen = self._sync.take(force=True)
                self.losses.count(
                    Loss.FRAME_WITHOUT_IMU, f"the frame stamped {self._sync.frame_ns} ns"
                )
            if seen is None:
                break
            self._held_bytes -= seen.image.nbytes
            complete.append(FrameEvent(seen, self._paired_log_ns))
        return complete

    def _next(self) -> bool:
        """Hand the next frame that is one to `SensorSync`."""
        while self._waiting:
            stamp_ns, image, self._paired_log_ns = self._waiting.popleft()
            self._restarts(self._sync.frame_ns, stamp_ns, "frame")
            self._sync.add_frame(stamp_ns, image)
            if self._sync.waiting:
                return True
            self._held_bytes -= image.nbytes
        return False

    def _restarts(self, before_ns: int | None, stamp_ns: int, what: str) -> bool:
        """Count a stamp that does not advance; return whether it begins the stream anew."""
        if before_ns is None or stamp_ns > before_ns:
            return False
        again = before_ns - stamp_ns >= RESTART_NS
        loss = Loss.CLOCK_JUMP if again else Loss.STAMP_BACKWARDS
        self.losses.count(loss, f"{what} stamped {stamp_ns} ns after {before_ns} ns")
        return again
