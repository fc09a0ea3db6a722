"""Match frames with IMU samples: a frame waits until the IMU stream reaches its stamp.

So a frame has the same IMU window in lockstep, in real time and in process, whatever the order of
arrival. Readings of a range sensor and of an attitude are matched in the same way. This module
does not use ROS.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from liquid_control.types import Floats, ImuWindow, Observation, Pixels

RESTART_NS = 1_000_000_000
"""A stamp that goes back by at least this restarts the stream: its source was restarted."""
SAMPLES_KEPT = 8192
FRAMES_KEPT = 4
READING_AGE_NS = 200_000_000
"""Largest age at which a reading of the range or the attitude is used."""

Vector = tuple[float, float, float]
T = TypeVar("T")


@dataclass
class Readings(Generic[T]):
    """Readings of a sensor, of which a frame takes the newest one up to its stamp.

    Attributes:
        newest_ns: stamp of the newest reading; None before the first.
    """

    newest_ns: int | None = None
    _waiting: deque[tuple[int, T | None]] = field(
        default_factory=lambda: deque(maxlen=SAMPLES_KEPT)
    )
    _taken: tuple[int, T | None] | None = None

    def add(self, stamp_ns: int, value: T | None) -> bool:
        """Add a reading, None if it is not valid; return whether its stamp advances."""
        before_ns, advances = self.newest_ns, True
        if before_ns is not None and stamp_ns <= before_ns:
            advances = False
            if before_ns - stamp_ns < RESTART_NS:
                return advances
            self._waiting.clear()
            self._taken = None
        self.newest_ns = stamp_ns
        self._waiting.append((stamp_ns, value))
        return advances

    def reaches(self, stamp_ns: int) -> bool:
        """Return whether there is a reading with this stamp or a later one."""
        return self.newest_ns is not None and self.newest_ns >= stamp_ns

    def take(self, stamp_ns: int) -> T | None:
        """Return the newest reading up to a stamp; None if it is not valid or too old."""
        while self._waiting and self._waiting[0][0] <= stamp_ns:
            self._taken = self._waiting.popleft()
        if self._taken is None or not 0 <= stamp_ns - self._taken[0] <= READING_AGE_NS:
            return None
        return self._taken[1]


@dataclass
class SensorSync:
    """Queues of frames and readings that wait for each other.

    Attributes:
        imu: whether frames wait for IMU samples.
        range_age_ns: frames wait for a reading of the range unless there is one of at most this
            age; 0 for one with the frame's stamp or a later one; None: they do not wait for it.
        imu_ns: stamp of the newest IMU sample.
        reached_ns: stamp up to which the source marked the IMU stream as complete; else None.
        frame_ns: stamp of the newest frame.
        ranges: readings of the range sensor, m.
        orientations: attitudes, float64 [4], (x, y, z, w).
    """

    imu: bool = True
    range_age_ns: int | None = None
    imu_ns: int | None = None
    reached_ns: int | None = None
    frame_ns: int | None = None
    ranges: Readings[float] = field(default_factory=Readings)
    orientations: Readings[Floats] = field(default_factory=Readings)
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
        """Return the oldest frame with its readings once none of them is late, or if forced."""
        if not self._frames:
            return None
        stamp_ns, image = self._frames[0]
        if not force and (self.imu_is_late or self.range_is_late):
            return None
        self._frames.popleft()
        return Observation(
            stamp_ns,
            image,
            self._window(stamp_ns),
            self.ranges.take(stamp_ns),
            self.orientations.take(stamp_ns),
        )

    @property
    def imu_is_late(self) -> bool:
        """Whether the oldest frame waits for IMU samples."""
        return (
            self.imu
            and self.waiting
            and not any(
                known is not None and known >= self._frames[0][0]
                for known in (self.imu_ns, self.reached_ns)
            )
        )

    @property
    def range_is_late(self) -> bool:
        """Whether the oldest frame waits for a reading of the range."""
        return (
            self.range_age_ns is not None
            and self.waiting
            and not self.ranges.reaches(self._frames[0][0] - self.range_age_ns)
        )

    def _window(self, until_ns: int) -> ImuWindow:
        taken = []
        while self._samples and self._samples[0][0] <= until_ns:
            taken.append(self._samples.popleft())
        if not taken:
            return ImuWindow.empty()
        stamps, rates, forces = zip(*taken, strict=True)
        return ImuWindow(np.array(stamps, np.int64), np.array(rates), np.array(forces))
