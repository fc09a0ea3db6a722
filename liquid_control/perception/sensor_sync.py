"""Match frames with IMU samples: a frame waits until the IMU stream reaches its stamp.

So a frame has the same IMU window in lockstep, in real time and in process, whatever the order of
arrival. This module does not use ROS.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from liquid_control.types import ImuWindow, Observation, Pixels

RESTART_NS = 1_000_000_000
"""A stamp that goes back by at least this restarts the stream: its source was restarted."""
SAMPLES_KEPT = 8192
FRAMES_KEPT = 4

Vector = tuple[float, float, float]


@dataclass
class SensorSync:
    """Queues of frames and IMU samples that wait for each other.

    Attributes:
        imu_ns: stamp of the newest IMU sample.
        reached_ns: stamp up to which the source marked the IMU stream as complete; else None.
        frame_ns: stamp of the newest frame.
    """

    imu_ns: int | None = None
    reached_ns: int | None = None
    frame_ns: int | None = None
    _samples: deque[tuple[int, Vector, Vector]] = field(
        default_factory=lambda: deque(maxlen=SAMPLES_KEPT)
    )
    _frames: deque[tuple[int, Pixels]] = field(default_factory=deque)

    def add_sample(self, stamp_ns: int, rate: Vector, force: Vector) -> str | None:
        """Add an IMU sample; return an event name if it was dropped or restarted the stream."""
        event = None
        if self.imu_ns is not None and stamp_ns <= self.imu_ns:
            event = "imu_stamp_backwards"
            if self.imu_ns - stamp_ns < RESTART_NS:
                return event
            self._samples.clear()
            self.reached_ns = None
        self.imu_ns = stamp_ns
        self._samples.append((stamp_ns, rate, force))
        return event

    def reach(self, stamp_ns: int) -> None:
        """Mark the IMU stream as complete up to a stamp, as a replay does."""
        self.reached_ns = stamp_ns

    def add_frame(self, stamp_ns: int, image: Pixels) -> str | None:
        """Add a frame; return an event name if a frame was dropped or it restarted the stream."""
        event = None
        if self.frame_ns is not None and stamp_ns <= self.frame_ns:
            event = "frame_stamp_backwards"
            if self.frame_ns - stamp_ns < RESTART_NS:
                return event
            self._frames.clear()
        if len(self._frames) == FRAMES_KEPT:
            self._frames.popleft()
            event = "frame_overrun"
        self.frame_ns = stamp_ns
        self._frames.append((stamp_ns, image))
        return event

    @property
    def waiting(self) -> bool:
        """Whether a frame is waiting."""
        return bool(self._frames)

    def take(self, force: bool = False) -> Observation | None:
        """Return the oldest frame with its window once the IMU reaches its stamp, or if forced."""
        if not self._frames:
            return None
        stamp_ns, image = self._frames[0]
        if not (force or self._is_reached(stamp_ns)):
            return None
        self._frames.popleft()
        return Observation(stamp_ns, image, self._window(stamp_ns))

    def _is_reached(self, stamp_ns: int) -> bool:
        return any(
            known is not None and known >= stamp_ns for known in (self.imu_ns, self.reached_ns)
        )

    def _window(self, until_ns: int) -> ImuWindow:
        taken = []
        while self._samples and self._samples[0][0] <= until_ns:
            taken.append(self._samples.popleft())
        if not taken:
            return ImuWindow.empty()
        stamps, rates, forces = zip(*taken, strict=True)
        return ImuWindow(np.array(stamps, np.int64), np.array(rates), np.array(forces))
