"""Differences between the clocks of topics, by the delays from their stamps to their log times.

A delay is compared with the latest one of the camera: a simulation that is slower than its
recorder's clock changes all delays alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median_low

from liquid_control.bags.losses import Losses
from liquid_control.bags.topics.sources import Source
from liquid_control.bags.topics.topic_rules import Role
from liquid_control.types import NANOSECONDS

ANOTHER_CLOCK_NS = 3600 * NANOSECONDS
"""Clocks that differ by more than this are unrelated."""
REPORTED_OFFSET_NS = NANOSECONDS // 2
"""Smallest difference of two clocks that is reported."""
UNCOMPARED = (Role.CAMERA, Role.CAMERA_INFO, Role.CLOCK)
"""Roles whose clocks are not compared with that of the camera."""


@dataclass
class OffsetMeter:
    """Measures the difference of a clock and a reference clock.

    Attributes:
        reference_ns: latest delay of the reference from stamp to log time; None before the first.
    """

    reference_ns: int | None = None
    _offsets: list[int] = field(default_factory=list)

    def add(self, delay_ns: int) -> None:
        """Add a delay from stamp to log time."""
        if self.reference_ns is not None:
            self._offsets.append(delay_ns - self.reference_ns)

    @property
    def offset_ns(self) -> int | None:
        """Median delay minus that of the reference; None if they were not compared."""
        return median_low(self._offsets) if self._offsets else None


class OffsetReport:
    """Reports the clocks that differ from the camera's.

    Args:
        sources: sources by role, with the shifts of their stamps.
        camera: topic of the camera.
        losses: receives a warning for each clock.
    """

    def __init__(self, sources: Mapping[Role, Source], camera: str, losses: Losses) -> None:
        self._camera, self._losses = camera, losses
        self._sources: dict[str, tuple[Role, Source]] = {}
        for role, source in sources.items():
            for topic in source.topics:
                self._sources.setdefault(topic, (role, source))
        self._meters: dict[str, OffsetMeter] = {}
        self._camera_ns: int | None = None

    def shift_ns(self, topic: str) -> int:
        """Return the time that a flag adds to the stamps of a topic."""
        found = self._sources.get(topic)
        return round(((found and found[1].shift_s) or 0.0) * NANOSECONDS)

    def add(self, topic: str, delay_ns: int) -> None:
        """Add a delay from stamp to log time of the camera, or of another topic."""
        delay_ns -= self.shift_ns(topic)
        if topic == self._camera:
            self._camera_ns = delay_ns
        elif self._is_compared(topic):
            meter = self._meters.setdefault(topic, OffsetMeter())
            meter.reference_ns = self._camera_ns
            meter.add(delay_ns)

    def report(self) -> None:
        """Report the clocks that differ, or the camera's if it differs from all others alike."""
        measured = {topic: meter.offset_ns for topic, meter in self._meters.items()}
        offsets = {topic: ns for topic, ns in measured.items() if ns is not None}
        far = {t: ns for t, ns in offsets.items() if is_reported(ns)}
        alike = len(far) > 1 and max(far.values()) - min(far.values()) < REPORTED_OFFSET_NS
        if alike and far.keys() == offsets.keys() and self._camera in self._sources:
            far = {self._camera: -min(far.values(), key=abs)}
        for topic, offset_ns in far.items():
            role, source = self._sources[topic]
            self._losses.warn(offset_line(role, source, topic, offset_ns))

    def add_late(self, topic: str, delay_ns: int) -> None:
        """Add the first delay of a topic that begins late, and report it."""
        self._meters.clear()
        self.add(topic, delay_ns)
        self.report()

    def _is_compared(self, topic: str) -> bool:
        found = self._sources.get(topic)
        return found is not None and found[0] not in UNCOMPARED and found[1].shift_s != 0.0


def is_reported(offset_ns: int) -> bool:
    """Return whether a difference is too large for related clocks, and they are not unrelated."""
    return REPORTED_OFFSET_NS < abs(offset_ns) <= ANOTHER_CLOCK_NS


def offset_line(role: Role, source: Source, topic: str, offset_ns: int) -> str:
    """Return a line about a topic whose stamps are off by a time, and the flag that corrects it.

    Args:
        role: role of the topic.
        source: source of the role.
        topic: the topic.
        offset_ns: delay of the topic from stamp to log time, minus that of the others, ns.
    """
    offset_s = offset_ns / NANOSECONDS
    others = "the other topics" if role is Role.CAMERA else "the camera"
    direction = "ahead of" if offset_ns < 0 else "behind"
    flag = source.flag(role, shift_s=(source.shift_s or 0.0) + offset_s)
    return (
        f"{topic}: its times are {abs(offset_s):.2f} s {direction} those of {others}, compared "
        f"by log time; if its clock is wrong, pass {flag}; if only its messages were delayed, "
        "the same with shift=0 keeps them"
    )
