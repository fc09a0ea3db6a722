"""Read the IMU of a flight: one topic, or two whose rates and accelerations are merged.

An interval of samples whose unit or axes are not plausible is reported, not corrected.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from liquid_control.bags.decoding import sensors
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics.sources import Source
from liquid_control.bags.topics.topic_rules import Axes, Role
from liquid_control.errors import BagError
from liquid_control.message_types import IMU
from liquid_control.perception import RESTART_NS
from liquid_control.perception.imu_window import GRAVITY_MPS2
from liquid_control.types import Floats

Vector = sensors.Vector
MAX_FORCE_AGE_NS = 100_000_000
"""Largest time between a rate and the accelerations that are interpolated at its stamp."""
MAX_WAITING = 8192
FEW_SAMPLES = 5
"""Number of first samples without any acceleration from which an IMU has no accelerometer."""


class Sample(NamedTuple):
    """An IMU sample: stamp, angular velocity in rad/s, and specific force in m/s^2."""

    stamp_ns: int
    rate: Vector
    force: Vector


@dataclass
class ImuMerger:
    """Merges angular rates and accelerations of two topics.

    The acceleration is interpolated linearly at the stamp of each rate, as `realsense2_camera`
    does with `unite_imu_method` 2. A rate waits for the acceleration after it.

    Attributes:
        losses: counts the rates without acceleration.
    """

    losses: Losses
    _rates: deque[tuple[int, Vector]] = field(default_factory=deque)
    _forces: deque[tuple[int, Vector]] = field(default_factory=deque)

    def add_rate(self, stamp_ns: int, rate: Vector) -> list[Sample]:
        """Add an angular rate; return the complete samples."""
        self._restart(self._rates, stamp_ns)
        self._rates.append((stamp_ns, rate))
        return self._complete()

    def add_force(self, stamp_ns: int, force: Vector) -> list[Sample]:
        """Add an acceleration; return the complete samples."""
        self._restart(self._forces, stamp_ns)
        if self._forces and stamp_ns <= self._forces[-1][0]:
            before_ns = self._forces[-1][0]
            reason = f"acceleration stamped {stamp_ns} ns after {before_ns} ns"
            self.losses.count(Loss.STAMP_BACKWARDS, reason)
            return []
        self._forces.append((stamp_ns, force))
        if len(self._forces) > MAX_WAITING:
            self._forces.popleft()
        return self._complete()

    def finish(self) -> list[Sample]:
        """Return the samples that still wait; their acceleration is the last one."""
        samples = self._complete()
        while self._rates:
            samples += self._sample(*self._rates.popleft())
        return samples

    def _restart(self, queue: deque[tuple[int, Vector]], stamp_ns: int) -> None:
        """Discard what waits if a clock was set back."""
        if queue and queue[-1][0] - stamp_ns >= RESTART_NS:
            self._rates.clear()
            self._forces.clear()

    def _complete(self) -> list[Sample]:
        samples: list[Sample] = []
        while self._rates and self._forces and self._forces[-1][0] >= self._rates[0][0]:
            samples += self._sample(*self._rates.popleft())
        while len(self._rates) > MAX_WAITING:
            self._lose(self._rates.popleft()[0])
        return samples

    def _sample(self, stamp_ns: int, rate: Vector) -> list[Sample]:
        """Return the sample of a rate: none without accelerations near it."""
        while len(self._forces) > 1 and self._forces[1][0] <= stamp_ns:
            self._forces.popleft()
        near = [
            pair for pair in list(self._forces)[:2] if abs(pair[0] - stamp_ns) <= MAX_FORCE_AGE_NS
        ]
        if not near:
            self._lose(stamp_ns)
            return []
        (before_ns, before), (after_ns, after) = near[0], near[-1]
        if not before_ns < stamp_ns < after_ns:
            return [Sample(stamp_ns, rate, before if stamp_ns <= before_ns else after)]
        ratio = (stamp_ns - before_ns) / (after_ns - before_ns)
        x, y, z = (a + ratio * (b - a) for a, b in zip(before, after, strict=True))
        return [Sample(stamp_ns, rate, (x, y, z))]

    def _lose(self, stamp_ns: int) -> None:
        reason = f"the rate stamped {stamp_ns} ns has no acceleration within 0.1 s"
        self.losses.count(Loss.NOT_MEASURED, reason)


class ImuReader:
    """Reads the samples of an IMU.

    Args:
        source: the IMU; None without one.
        prefix: first messages of the recording.
        losses: counts samples that were not measured; receives warnings.

    Raises:
        BagError: the two topics of an IMU are in the wrong order.
    """

    def __init__(
        self, source: Source | None, prefix: Sequence[RawMessage], losses: Losses
    ) -> None:
        self._merger = ImuMerger(losses)
        self._check = ImuCheck(source, losses)
        self._has_no_force = source is not None and _has_no_force(source, prefix)
        if source is not None:
            _check_order(source, prefix)

    def read(self, message: RawMessage, source: Source) -> tuple[Vector, Vector] | None:
        """Return the rate and the force of a message; None if it marks the stream as complete.

        Args:
            message: a message of an IMU of one topic.
            source: the IMU, with the axes of this message.

        Raises:
            BagError: the bytes do not fit the type.
            NotMeasuredError: the message has no rate or no acceleration.
            ObservationError: a value is not finite.
        """
        reading = sensors.read_imu(source.type, message.data, source.axes)
        if reading is not None:
            if self._has_no_force and reading[1] == (0.0, 0.0, 0.0):
                raise sensors.NotMeasuredError("its acceleration is 0 from the first sample on")
            self._check.add(*reading, source.axes)
        return reading

    def merge(self, message: RawMessage, source: Source, stamp_ns: int) -> list[Sample]:
        """Return the samples that a message completes.

        Args:
            message: a message of one half of an IMU of two topics.
            source: the IMU, with the axes of this message.
            stamp_ns: stamp of the message.

        Raises:
            BagError: the bytes do not fit the type.
            NotMeasuredError: the message does not measure its half.
            ObservationError: a value is not finite.
        """
        if message.topic == source.force_topic:
            force = sensors.read_half(message.data, source.axes, sensors.FORCE)
            samples = self._merger.add_force(stamp_ns, force)
        else:
            rate = sensors.read_half(message.data, source.axes, sensors.RATE)
            samples = self._merger.add_rate(stamp_ns, rate)
        return self._checked(samples, source.axes)

    def finish(self) -> list[Sample]:
        """Return the samples that still wait."""
        samples = self._merger.finish()
        self._check.finish()
        return samples

    def _checked(self, samples: list[Sample], axes: Axes) -> list[Sample]:
        for sample in samples:
            self._check.add(sample.rate, sample.force, axes)
        return samples


def _has_no_force(source: Source, prefix: Sequence[RawMessage]) -> bool:
    """Return whether the first samples of an IMU of one topic all have an acceleration of 0."""
    if source.force_topic is not None:
        return False
    forces = _forces(source.topic, prefix)
    return len(forces) >= FEW_SAMPLES and not any(force is None or any(force) for force in forces)


def _check_order(source: Source, prefix: Sequence[RawMessage]) -> None:
    """Check by content that the first of two topics has the rates and the second the forces.

    Raises:
        BagError: the accelerations are on the first topic.
    """
    if source.force_topic is None:
        return
    first, second = (_forces(topic, prefix) for topic in source.topics)
    if len(second) < FEW_SAMPLES or any(force and any(force) for force in second):
        return
    if any(force and any(force) for force in first):
        raise BagError(
            f"{source.name}: expected the angular rates on the first topic and the accelerations "
            f"on the second, got accelerations on the first only; pass --topic "
            f"imu={source.force_topic}+{source.topic}"
        )


def _forces(topic: str, prefix: Sequence[RawMessage]) -> list[tuple[float, ...] | None]:
    """Return the accelerations of the first messages of a topic; None for damaged ones."""
    found = []
    for message in prefix:
        if message.topic == topic and message.type == IMU:
            values = sensors.imu_values(message.data)
            found.append(None if values is None else values[4:7])
    return found


BLOCK = 256
MIN_BLOCK = 50
LATER = 8
"""Number of samples that are checked together, fewer at the end of a recording; after the first
such block, one sample of `LATER` is."""
PLAUSIBLE_FORCE = (4.0, 25.0)
"""Plausible median norm of the specific force, m/s^2."""
UNITS = {"g": (0.5, 2.0), "milli-g": (500.0, 2000.0), "cm/s^2": (400.0, 2500.0)}
"""Median norms of the specific force at 9.81 m/s^2 that suggest another unit."""
FREE_FALL = 0.5
MAX_RATE = 6.0
"""Largest plausible median of the angular rate over a block, rad/s: 344 degrees a second."""
_TILT = 0.5
"""Cosine of the largest plausible angle between the median specific force and up, 60 degrees."""
_FROM_FLU: dict[Axes, Floats] = {
    Axes.FLU: np.eye(3),
    Axes.FRD: np.diag([1.0, -1.0, -1.0]),
    Axes.OPTICAL: np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]),
}
"""Rotations from `base_link` into axes."""


class ImuCheck:
    """Checks that readings are plausible in their units and axes.

    The specific force of a vehicle that does not fall is near 9.81 m/s^2 upwards in the median of
    a second. Each fault is reported once.

    Args:
        source: the IMU; None without one.
        losses: receives warnings.
    """

    def __init__(self, source: Source | None, losses: Losses) -> None:
        self._source, self._losses = source, losses
        self._readings: list[tuple[float, ...]] = []
        self._axes = Axes.FLU
        self._force_checked = self._rate_warned = False
        self._skipped, self._every = 0, 1

    def add(self, rate: Vector, force: Vector, axes: Axes) -> None:
        """Add a sample in `base_link`; `axes` are those from which it was converted."""
        self._skipped += 1
        if self._skipped < self._every:
            return
        self._skipped = 0
        self._axes = axes
        self._readings.append(rate + force)
        if len(self._readings) == BLOCK:
            self._check_block()

    def finish(self) -> None:
        """Check the last samples."""
        if len(self._readings) >= MIN_BLOCK:
            self._check_block()

    def _check_block(self) -> None:
        readings = np.array(self._readings)
        self._readings.clear()
        self._every = LATER
        if not self._rate_warned:
            rate = float(np.median(np.linalg.norm(readings[:, :3], axis=1)))
            self._rate_warned = rate > MAX_RATE
            if self._rate_warned:
                self._warn(
                    f"its angular rates have a median of {rate:.3g} rad/s over {len(readings)} "
                    "samples; they are likely in degrees per second"
                )
        if not self._force_checked:
            self._force_checked = True
            self._check_force(readings[:, 3:])

    def _check_force(self, forces: Floats) -> None:
        norm = float(np.median(np.linalg.norm(forces, axis=1)))
        least, most = PLAUSIBLE_FORCE
        if not least <= norm <= most:
            units = [unit for unit, (low, high) in UNITS.items() if low <= norm <= high]
            likely = f"it is likely in {' or '.join(units)}" if units else "its unit is not known"
            if norm < FREE_FALL:
                likely = "gravity is likely removed from it, or it is not measured"
            self._warn(
                f"its specific force has a median norm of {norm:.3g}, expected about "
                f"{GRAVITY_MPS2:.2f} m/s^2; {likely}"
            )
        if norm >= FREE_FALL:
            self._check_axes(np.median(forces, axis=0) / norm)

    def _check_axes(self, up: Floats) -> None:
        if up[2] >= _TILT or self._source is None:
            return
        raw = _FROM_FLU[self._axes] @ up
        likely = [axes for axes, turn in _FROM_FLU.items() if (turn.T @ raw)[2] >= _TILT]
        read = f"gravity does not point down in it, read in {self._axes.value} axes"
        if self._source.type != IMU or not likely:
            self._warn(f"{read}; its axes or its mounting differ")
            return
        flag = self._source.flag(
            Role.IMU, convention=likely[0].value, shift_s=self._source.shift_s
        )
        self._warn(f"{read}; its axes are likely {likely[0].value}: pass {flag}")

    def _warn(self, text: str) -> None:
        name = "the IMU" if self._source is None else self._source.name
        self._losses.warn(f"{name}: {text}")
