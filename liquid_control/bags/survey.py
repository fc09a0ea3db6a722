"""What a bag holds, found out in one pass: the rate and gaps of topics, and what can be used.

The pass reads everything once, in bounded memory: counts of topics do not need their content,
but whether pictures and commands can be used shows only when they are.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from liquid_control.bags.bag import Bag, TopicInfo
from liquid_control.bags.events import (
    CameraInfoEvent,
    CommandEvent,
    CommandSource,
    Event,
    FrameEvent,
    OdometryEvent,
)
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.losses import Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics import RoleFinding, TopicMap, find_roles, obstacle
from liquid_control.bags.topics.roles import Role
from liquid_control.bags.topics.topic_rules import TopicRules
from liquid_control.types import NANOSECONDS

Tell = Callable[[int], None]
"""Is told the bytes of messages that were read since it was told before."""
TOLD_EVERY = 4 << 20
OF_ROSBAG2 = "rosbag2"
"""The record in which rosbag2 repeats what the file says."""


@dataclass
class Traffic:
    """Messages of a topic.

    Attributes:
        count: messages.
        size_bytes: of all of them, serialised.
        first_ns: log time of the first.
        last_ns: log time of the last.
        longest_gap_ns: log time between two neighbours, at most.
    """

    count: int = 0
    size_bytes: int = 0
    first_ns: int | None = None
    last_ns: int = 0
    longest_gap_ns: int = 0

    def add(self, message: RawMessage) -> None:
        """Count a message."""
        if self.first_ns is None:
            self.first_ns = message.log_ns
        else:
            self.longest_gap_ns = max(self.longest_gap_ns, message.log_ns - self.last_ns)
        self.count += 1
        self.size_bytes += len(message.data)
        self.last_ns = message.log_ns

    @property
    def rate_hz(self) -> float | None:
        """Messages a second from the first to the last; None with fewer than two times."""
        span_ns = 0 if self.first_ns is None else self.last_ns - self.first_ns
        return (self.count - 1) * NANOSECONDS / span_ns if span_ns > 0 else None


@dataclass
class Content:
    """What a flight's events amounted to.

    Attributes:
        frames: pictures that can be used.
        imu_samples: in the frames' windows.
        commands: by who spoke.
        answered: commands stamped with a frame.
        states: of the vehicle.
        sizes: (width, height) of pictures, with their number.
        fov_deg: horizontal field of view, where the camera is calibrated.
    """

    frames: int = 0
    imu_samples: int = 0
    commands: dict[CommandSource, int] = field(
        default_factory=lambda: dict.fromkeys(CommandSource, 0)
    )
    states: int = 0
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    fov_deg: float | None = None

    def add(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, FrameEvent):
            height, width = event.observation.image.shape[:2]
            self.frames += 1
            self.imu_samples += len(event.observation.imu.stamps_ns)
            self.sizes[width, height] = self.sizes.get((width, height), 0) + 1
        elif isinstance(event, CommandEvent):
            self.commands[event.speaker] += 1
        elif isinstance(event, OdometryEvent):
            self.states += 1
        elif isinstance(event, CameraInfoEvent):
            self.fov_deg = event.horizontal_fov_deg


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found in a bag.

    Attributes:
        traffic: by topic, of all topics.
        findings: by role.
        content: of the flight, as far as roles were found.
        losses: what could not be read, or not be used.
        obstacle: why the bag cannot be replayed; empty if it can.
        obstacle_to_training: why nothing can be learned from it; empty if something can.
    """

    traffic: Mapping[str, Traffic]
    findings: Mapping[Role, RoleFinding]
    content: Content
    losses: Losses
    obstacle: str
    obstacle_to_training: str


def survey(bag: Bag, rules: TopicRules, tell: Tell | None = None) -> Survey:
    """Read a bag through.

    Args:
        bag: what is there.
        rules: which topics to look for.
        tell: is told how many bytes of messages were read.
    """
    losses, content = Losses(), Content()
    findings = find_roles(bag.topics, rules)
    counted = _Counted(bag, tell or (lambda size: None))
    roles = {role: found.source for role, found in findings.items() if found.source is not None}
    for event in read_flight(counted, TopicMap(roles), losses):
        content.add(event)
    seeing = obstacle(findings, rules, (Role.CAMERA,))
    acting = obstacle(findings, rules, (Role.CAMERA, Role.COMMAND))
    if not seeing and not content.frames:
        seeing = f"no picture of {roles[Role.CAMERA].topic} can be used"
    if not acting and not any(content.commands.values()):
        acting = "no command can be used"
    return Survey(counted.traffic, findings, content, losses, seeing, seeing or acting)


class _Counted:
    """A bag that counts all its messages while somebody reads a few topics.

    Attributes:
        topics: the bag's.
        traffic: by topic.
    """

    def __init__(self, bag: Bag, tell: Tell) -> None:
        self._bag = bag
        self._tell = tell
        self.topics: Mapping[str, TopicInfo] = bag.topics
        self.traffic = {name: Traffic() for name in bag.topics}

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield the messages of some topics, and count those of all."""
        size = 0
        for message in self._bag.messages(tuple(self.topics), losses, start_ns):
            self.traffic.setdefault(message.topic, Traffic()).add(message)
            size += len(message.data)
            if size > TOLD_EVERY:
                self._tell(size)
                size = 0
            if message.topic in topics:
                yield message
        self._tell(size)

    def decode(self, message: RawMessage) -> Any:
        """Return a message's content."""
        return self._bag.decode(message)


def metadata_records(bag: Bag) -> dict[str, dict[str, str]]:
    """Return a bag's metadata by record, wherever its format keeps it; not rosbag2's own.

    A rosbag2 folder has one list of values, in which we name them `RECORD/KEY`.
    """
    kept = {name: values for name, values in bag.metadata.items() if name != OF_ROSBAG2}
    records = {name: dict(values) for name, values in kept.items()}
    for name, value in records.pop("custom_data", {}).items():
        record, _, key = name.rpartition("/")
        records.setdefault(record or "custom_data", {})[key] = value
    return records
