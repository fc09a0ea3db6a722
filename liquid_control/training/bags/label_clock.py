"""Compares the clocks of frames and labels by their stamps and log times."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from liquid_control.bags.decoding.clock_offsets import REPORTED_OFFSET_NS, OffsetMeter, offset_line
from liquid_control.bags.events import CommandEvent, Event, FrameEvent, OdometryEvent
from liquid_control.bags.topics import Role, Source
from liquid_control.training.bags.recorded_flights import COMMAND_SOURCES
from liquid_control.training.training_settings import BagLabel
from liquid_control.types import NANOSECONDS


@dataclass
class StampRange:
    """Earliest and latest stamp of events; false without events."""

    first_ns: int = 2**63
    last_ns: int = -(2**63)

    def add(self, stamp_ns: int) -> None:
        """Add the stamp of an event."""
        self.first_ns, self.last_ns = min(self.first_ns, stamp_ns), max(self.last_ns, stamp_ns)

    def __bool__(self) -> bool:
        return self.last_ns >= self.first_ns


@dataclass
class LabelClock:
    """Collects the stamps of frames and labels.

    Attributes:
        label: quantity to learn.
    """

    label: BagLabel
    _frames: StampRange = field(default_factory=StampRange)
    _labels: StampRange = field(default_factory=StampRange)
    _meter: OffsetMeter = field(default_factory=OffsetMeter)

    def observe(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield events, and collect their stamps."""
        source = COMMAND_SOURCES.get(self.label)
        for event in events:
            if isinstance(event, FrameEvent):
                self._frames.add(event.observation.stamp_ns)
                self._meter.reference_ns = event.log_ns - event.observation.stamp_ns
            elif isinstance(event, CommandEvent):
                if event.source == source:
                    self._add_label(event.stamp_ns, event.log_ns)
            elif isinstance(event, OdometryEvent) and source is None:
                self._add_label(event.stamp_ns, event.log_ns)
            yield event

    def _add_label(self, stamp_ns: int, log_ns: int | None) -> None:
        self._labels.add(stamp_ns)
        if log_ns is not None:
            self._meter.add(log_ns - stamp_ns)

    def problem(self, source: Source, max_age_s: float) -> str:
        """Return why the labels do not belong to the frames; empty if they can.

        Args:
            source: topic of the labels.
            max_age_s: largest age of a label relative to its frame, s.
        """
        role = Role(self.label.value)
        problem = self._offset(role, source, max_age_s) or self._gap(role, source, max_age_s)
        return f"bags.label is {self.label.value}; {problem}" if problem else ""

    def _offset(self, role: Role, source: Source, max_age_s: float) -> str:
        """Return a line if the clocks differ by more than labels may be old, without a flag."""
        offset_ns = self._meter.offset_ns
        limit_ns = max(REPORTED_OFFSET_NS, max_age_s * NANOSECONDS)
        if offset_ns is None or source.shift_s is not None or abs(offset_ns) <= limit_ns:
            return ""
        return offset_line(role, source, source.topic, offset_ns)

    def _gap(self, role: Role, source: Source, max_age_s: float) -> str:
        """Return a line if all labels are before, or all are after, the frames."""
        frames, labels, age_ns = self._frames, self._labels, max_age_s * NANOSECONDS
        overlap = min(frames.last_ns, labels.last_ns) - max(frames.first_ns, labels.first_ns)
        if not (frames and labels) or overlap >= -age_ns:
            return ""
        zero_ns = frames.first_ns
        length_s = (frames.last_ns - zero_ns) / NANOSECONDS
        begin_s, end_s = ((ns - zero_ns) / NANOSECONDS for ns in (labels.first_ns, labels.last_ns))
        return (
            f"the labels of {source.topic} do not overlap the frames: the frames are of 0 to "
            f"{length_s:.2f} s, the labels of {begin_s:.2f} to {end_s:.2f} s; shift them, such as "
            f"with {source.flag(role, shift_s=(source.shift_s or 0.0) - begin_s)}"
        )
