"""Survey a bag in one pass: rate and gaps of each topic, and the data usable for a replay.

The pass reads the whole bag once, in bounded memory. It decodes pictures and commands, because
only decoding shows whether they are usable.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from liquid_control.bags import events
from liquid_control.bags.bag import Bag, TopicInfo
from liquid_control.bags.decoding.clock_offsets import REPORTED_OFFSET_NS, OffsetMeter, offset_line
from liquid_control.bags.decoding.headers import frame_id_of
from liquid_control.bags.decoding.stamps import own_stamp
from liquid_control.bags.flight_events import COMMAND_SOURCES, read_flight
from liquid_control.bags.losses import Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics import (
    Role,
    RoleFinding,
    TopicMap,
    TopicRules,
    find_roles,
    obstacle,
)
from liquid_control.bags.topics.advice import foreign_lines
from liquid_control.bags.topics.stated_frames import follow
from liquid_control.errors import BagError, LiquidControlError
from liquid_control.message_types import IMU, ODOMETRY, TWIST_STAMPED
from liquid_control.perception import CameraView, Viewfinder
from liquid_control.types import NANOSECONDS, Pixels

ProgressCallback = Callable[[int], None]
"""Receives the number of message bytes read since the previous call."""
REPORT_BYTES = 4 << 20
ROSBAG2_RECORD = "rosbag2"
"""Metadata record in which rosbag2 repeats the contents of the file."""


@dataclass
class Traffic:
    """Message statistics of a topic.

    Attributes:
        count: number of messages.
        size_bytes: total size of the serialised messages.
        first_ns: log time of the first message.
        last_ns: log time of the last message.
        longest_gap_ns: longest log time between two consecutive messages.
        lag_ns: smallest delay from stamp to log time; None without stamps, and for topics without
            a role.
        frame_id: frame in the header of the first message; empty if it has none, and for topics
            without a role.
    """

    count: int = 0
    size_bytes: int = 0
    first_ns: int | None = None
    last_ns: int = 0
    longest_gap_ns: int = 0
    lag_ns: int | None = None
    frame_id: str = ""

    def add(self, message: RawMessage) -> None:
        """Count a message."""
        if self.first_ns is None:
            self.first_ns = message.log_ns
        else:
            self.longest_gap_ns = max(self.longest_gap_ns, message.log_ns - self.last_ns)
        self.count += 1
        self.size_bytes += len(message.data)
        self.last_ns = message.log_ns

    def add_stamp(self, message: RawMessage) -> None:
        """Compare the stamp of a message with its log time; keep the first frame."""
        try:
            stamp_ns = own_stamp(message.type, message.data)
        except BagError:
            return
        if self.count == 1 and message.type in (IMU, ODOMETRY, TWIST_STAMPED):
            self.frame_id = frame_id_of(message.data)
        if stamp_ns:
            lag_ns = message.log_ns - stamp_ns
            self.lag_ns = lag_ns if self.lag_ns is None else min(self.lag_ns, lag_ns)

    @property
    def rate_hz(self) -> float | None:
        """Messages per second between the first and the last; None for fewer than two stamps."""
        span_ns = 0 if self.first_ns is None else self.last_ns - self.first_ns
        return (self.count - 1) * NANOSECONDS / span_ns if span_ns > 0 else None


@dataclass
class Content:
    """Counts of a flight's events.

    Attributes:
        frames: number of usable pictures.
        imu_samples: number of samples in the IMU windows of the frames.
        commands: number of commands by source.
        clocks: difference of the commands' clock from that of the camera, by source.
        states: number of vehicle states.
        sizes: number of pictures by (width, height).
        fov_deg: horizontal field of view, degrees; None if the camera is not calibrated.
        viewfinder: checks whether the pictures show a model's view; None without a model.
        fitting: number of pictures that do.
        misfits: number of pictures that do not, by reason.
    """

    frames: int = 0
    imu_samples: int = 0
    commands: dict[events.CommandSource, int] = field(
        default_factory=lambda: dict.fromkeys(events.CommandSource, 0)
    )
    clocks: dict[events.CommandSource, OffsetMeter] = field(
        default_factory=lambda: {source: OffsetMeter() for source in events.CommandSource}
    )
    states: int = 0
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    fov_deg: float | None = None
    viewfinder: Viewfinder | None = None
    fitting: int = 0
    misfits: Counter[str] = field(default_factory=Counter)

    def add(self, event: events.Event) -> None:
        """Count an event."""
        if isinstance(event, events.FrameEvent):
            height, width = event.observation.image.shape[:2]
            self.frames += 1
            self.imu_samples += len(event.observation.imu.stamps_ns)
            self.sizes[width, height] = self.sizes.get((width, height), 0) + 1
            self._check(event.observation.image)
            for meter in self.clocks.values():
                meter.reference_ns = event.log_ns - event.observation.stamp_ns
        elif isinstance(event, events.CommandEvent):
            self.commands[event.source] += 1
            self.clocks[event.source].add(event.log_ns - event.stamp_ns)
        elif isinstance(event, events.OdometryEvent):
            self.states += 1
        elif isinstance(event, events.CameraInfoEvent):
            self.fov_deg = None if event.problem else event.horizontal_fov_deg
            if self.viewfinder is not None:
                size = event.width, event.height
                self.viewfinder.set_camera(
                    *size, event.horizontal_fov_deg, event.model, event.problem
                )

    def _check(self, image: Pixels) -> None:
        if self.viewfinder is None:
            return
        try:
            self.viewfinder.check(image)
        except LiquidControlError as error:
            self.misfits[str(error)] += 1
        else:
            self.fitting += 1

    def clock_problem(self, findings: Mapping[Role, RoleFinding]) -> str:
        """Return why training refuses the clock of the commands; empty if it does not."""
        role = next(role for role, source in COMMAND_SOURCES.items() if self.commands[source])
        source, offset_ns = findings[role].source, self.clocks[COMMAND_SOURCES[role]].offset_ns
        if source is None or source.shift_s is not None or offset_ns is None:
            return ""
        far = abs(offset_ns) > REPORTED_OFFSET_NS
        return offset_line(role, source, source.topic, offset_ns) if far else ""

    def obstacle(self, model: str, minimum: float) -> str:
        """Return why too few pictures show a model's view; empty if enough do, or none can."""
        if not self.misfits or self.fitting >= minimum * self.frames:
            return ""
        reason = self.misfits.most_common(1)[0][0]
        return f"{self.fitting} of {self.frames} pictures fit {model}: {reason}"


@dataclass(frozen=True, slots=True)
class Survey:
    """Result of surveying a bag.

    Attributes:
        traffic: message statistics of all topics, by topic.
        findings: search result of each role.
        content: counts of the flight's events, for the roles that were found.
        losses: unreadable and unusable data.
        obstacle: reason why the bag cannot be replayed; empty if it can.
        obstacle_to_training: reason why the bag cannot be trained on; empty if it can.
    """

    traffic: Mapping[str, Traffic]
    findings: Mapping[Role, RoleFinding]
    content: Content
    losses: Losses
    obstacle: str
    obstacle_to_training: str


def survey_bag(
    bag: Bag,
    rules: TopicRules,
    report: ProgressCallback | None = None,
    *,
    view: CameraView | None = None,
    model: str = "the model",
    min_coverage: float = 0.0,
) -> Survey:
    """Read a whole bag and return what it holds.

    Args:
        bag: the bag to read.
        rules: which topics to search for.
        report: receives the number of message bytes read.
        view: camera view of the model that pictures must show, as in a replay; None for any.
        model: its name.
        min_coverage: smallest fraction of the pictures that must show it.
    """
    losses = Losses()
    content = Content(viewfinder=None if view is None else Viewfinder(view))
    findings = find_roles(bag.topics, rules)
    counted = _CountingSource(bag, report or (lambda size: None))
    roles = {role: found.source for role, found in findings.items() if found.source is not None}
    for event in read_flight(counted, TopicMap(roles), losses):
        content.add(event)
    for line in foreign_lines(bag.topics):
        losses.warn(line)
    findings = {role: _stated(role, found, counted.traffic) for role, found in findings.items()}
    replay = obstacle(findings, rules, (Role.CAMERA,))
    training = obstacle(findings, rules, (Role.CAMERA, Role.COMMAND))
    if not replay and not content.frames:
        replay = f"no picture of {roles[Role.CAMERA].topic} can be used"
    replay = replay or content.obstacle(model, min_coverage)
    if not training and not any(content.commands.values()):
        training = "no command can be used"
    training = training or content.clock_problem(findings)
    return Survey(counted.traffic, findings, content, losses, replay, replay or training)


def _stated(role: Role, found: RoleFinding, traffic: Mapping[str, Traffic]) -> RoleFinding:
    """Return a finding with the frame that the first message of the topic states."""
    if found.source is None or found.source.topic not in traffic:
        return found
    source, _ = follow(role, found.source, traffic[found.source.topic].frame_id)
    return replace(found, source=source or found.source)


class _CountingSource:
    """A `MessageSource` that counts the messages of all topics while some topics are read.

    Attributes:
        topics: topics of the bag.
        traffic: message statistics by topic.
    """

    def __init__(self, bag: Bag, report: ProgressCallback) -> None:
        self._bag = bag
        self._report = report
        self.topics: Mapping[str, TopicInfo] = bag.topics
        self.traffic = {name: Traffic() for name in bag.topics}
        self._counted = False

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield the messages of the given topics; count those of all topics, once."""
        if self._counted:
            yield from self._bag.messages(topics, losses, start_ns)
            return
        self._counted = True
        size = 0
        for message in self._bag.messages(tuple(self.topics), losses, start_ns):
            self.traffic.setdefault(message.topic, Traffic()).add(message)
            size += len(message.data)
            if size > REPORT_BYTES:
                self._report(size)
                size = 0
            if message.topic in topics:
                self.traffic[message.topic].add_stamp(message)
                yield message
        self._report(size)

    def decode(self, message: RawMessage) -> Any:
        """Deserialise a message."""
        return self._bag.decode(message)


def metadata_records(bag: Bag) -> dict[str, dict[str, str]]:
    """Return the metadata records of a bag by name, without the record of rosbag2 itself.

    A rosbag2 folder holds one flat list of values; their keys are `RECORD/KEY`.
    """
    records = {
        name: dict(values) for name, values in bag.metadata.items() if name != ROSBAG2_RECORD
    }
    for name, value in records.pop("custom_data", {}).items():
        record, _, key = name.rpartition("/")
        records.setdefault(record or "custom_data", {})[key] = value
    return records
