"""Faults of sensor drivers, by topic and time: what a simulated vehicle publishes wrongly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from liquid_control import topics
from liquid_control.errors import ConfigError
from liquid_control.types import NANOSECONDS

DELAY_S = 0.5
"""Delay of `DriverFaultKind.DELAYED`."""
JUMP_S = 10.0
"""Jump of the stamps under `DriverFaultKind.JUMPED`."""


class DriverFaultKind(str, Enum):
    """What happens to the messages of a topic."""

    SILENT = "silent"
    """No message."""
    FROZEN = "frozen"
    """The last message before the fault, with new stamps."""
    STUCK = "stuck"
    """The last message before the fault, unchanged."""
    DELAYED = "delayed"
    """Every message comes `DELAY_S` late, with its own stamp."""
    DUPLICATED = "duplicated"
    """Every message comes twice."""
    REORDERED = "reordered"
    """Every second message comes before the one it follows."""
    NOT_FINITE = "not_finite"
    """Measured values are NaN."""
    GARBAGE = "garbage"
    """The content is random; every second picture is also shorter than it says."""
    JUMPED = "jumped"
    """Stamps are `JUMP_S` ahead."""


DRIVER_TOPICS = (
    topics.IMAGE,
    topics.CAMERA_INFO,
    topics.IMU,
    topics.ODOM,
    topics.CLOCK,
)
_ONLY: dict[DriverFaultKind, tuple[str, ...]] = {
    DriverFaultKind.NOT_FINITE: (topics.CAMERA_INFO, topics.IMU, topics.ODOM),
    DriverFaultKind.GARBAGE: (topics.IMAGE, topics.IMU),
}
"""Kinds that some topics cannot have: a picture has no NaN, a clock no content."""


@dataclass(frozen=True, slots=True)
class DriverFault:
    """A fault of one topic.

    Attributes:
        topic: one of `DRIVER_TOPICS`.
        kind: what happens.
        start_s: begin, s of ROS time.
        duration_s: length, s; infinite for one that stays.
    """

    topic: str
    kind: DriverFaultKind
    start_s: float
    duration_s: float

    def active(self, stamp_ns: int) -> bool:
        """Return whether it acts on a message with this stamp."""
        return 0.0 <= stamp_ns / NANOSECONDS - self.start_s < self.duration_s

    def __str__(self) -> str:
        return f"{self.topic}:{self.kind.value}:{self.start_s:g}:{self.duration_s:g}"


def parse_driver_faults(texts: Sequence[str]) -> tuple[DriverFault, ...]:
    """Return faults from texts such as `imu/data:frozen:5:2`, from 5 s on for 2 s.

    Raises:
        ConfigError: a text has another form, or a topic or kind is not known.
    """
    return tuple(_parse(text) for text in texts)


def _parse(text: str) -> DriverFault:
    parts = text.split(":")
    if len(parts) != 4:
        raise ConfigError(f"{text}: expected topic:kind:start:duration, as imu/data:frozen:5:2")
    topic, kind = parts[:2]
    kinds = [one.value for one in DriverFaultKind]
    if topic not in DRIVER_TOPICS:
        raise ConfigError(f"{text}: expected a topic of {', '.join(DRIVER_TOPICS)}, got {topic!r}")
    if kind not in kinds:
        raise ConfigError(f"{text}: expected a kind of {', '.join(kinds)}, got {kind!r}")
    try:
        start_s, duration_s = float(parts[2]), float(parts[3])
    except ValueError:
        start_s = duration_s = math.nan
    if not (math.isfinite(start_s) and start_s >= 0.0 and duration_s > 0.0):
        raise ConfigError(f"{text}: expected a start of 0 s or later and a duration above 0 s")
    fault = DriverFault(topic, DriverFaultKind(kind), start_s, duration_s)
    possible = _ONLY.get(fault.kind, DRIVER_TOPICS)
    if topic not in possible:
        raise ConfigError(f"{text}: {kind} is possible for {', '.join(possible)} only")
    return fault
