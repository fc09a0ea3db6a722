"""Open a recording of any supported format and read its messages in order of log time."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import zstandard

from liquid_control.bags.decoding.typestore import Types
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.discovery import ZSTD, open_parts
from liquid_control.bags.storage.ordering import MessageRun, by_time, count_late
from liquid_control.bags.storage.part import CDR, Contents, Definition, Part, RawMessage, Topic
from liquid_control.errors import BagError

EARLIEST_NS = -(2**63)
MAX_MESSAGE_BYTES = 2**28
"""Limit for one message that was compressed individually, bytes."""


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """Description of a topic of a bag.

    Attributes:
        name: topic name with its leading slash.
        type: message type such as `sensor_msgs/msg/Imu`; if there are several, the most frequent.
        count: number of messages; None if unknown.
        definition: definition of the type in the bag; empty if the bag has none.
        encoding: encoding of the messages: `cdr` for ROS 2.
    """

    name: str
    type: str
    count: int | None
    definition: str
    encoding: str = CDR

    @property
    def is_ros2(self) -> bool:
        """Whether the messages are those of ROS 2."""
        return self.encoding == CDR


class Bag:
    """A recording of one file or several, opened by `open_bag`.

    Attributes:
        parts: paths of the files.
        topics: topics by name.
        metadata: MCAP metadata records by name, and `custom_data` of rosbag2.
        start_ns: first log time; None if unknown.
        end_ns: last log time; None if unknown.
    """

    def __init__(
        self,
        files: Sequence[Path],
        parts: Sequence[Part],
        custom: Mapping[str, str],
        lost: Losses,
    ) -> None:
        contents = [part.contents for part in parts]
        self.parts = tuple(files)
        self._parts = tuple(parts)
        self._lost = lost
        self.topics: Mapping[str, TopicInfo] = MappingProxyType(_topics(contents))
        self.metadata: Mapping[str, Mapping[str, str]] = MappingProxyType(
            {name: values for part in reversed(contents) for name, values in part.metadata.items()}
            | ({"custom_data": custom} if custom else {})
        )
        starts = [part.start_ns for part in contents if part.start_ns is not None]
        ends = [part.end_ns for part in contents if part.end_ns is not None]
        self.start_ns = min(starts, default=None)
        self.end_ns = max(ends, default=None)
        self._types = Types(_definitions(contents))

    @property
    def path(self) -> Path:
        """Path of the first part."""
        return self.parts[0]

    @property
    def size_bytes(self) -> int:
        """Total size of all parts, bytes."""
        return sum(part.stat().st_size for part in self.parts if part.exists())

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield the messages of the given topics by log time; memory holds a window of them.

        Args:
            topics: names of the topics to read.
            losses: counts unreadable data.
            start_ns: log time of the first message to read; None for all.

        Raises:
            BagError: a file disappeared.
        """
        losses.add(self._lost)
        problems: dict[str, str] = {
            info.type: "" for info in self.topics.values() if not info.is_ros2
        }
        try:
            for message in count_late(self._stream(frozenset(topics), losses, start_ns), losses):
                problem = problems.get(message.type)
                if problem is None:
                    problem = problems.setdefault(message.type, self._types.problem(message.type))
                if problem:
                    losses.count(Loss.NO_TYPE, f"{message.topic}: {problem}")
                elif message.data.startswith(ZSTD):
                    yield from _decompressed(message, losses)
                else:
                    yield message
        except OSError as error:
            raise BagError(f"{self.path}: cannot be read ({error.strerror})") from error

    def _stream(
        self, topics: Collection[str], losses: Losses, start_ns: int | None
    ) -> Iterator[RawMessage]:
        first_ns = EARLIEST_NS if start_ns is None else start_ns
        if len(self._parts) == 1:
            return self._parts[0].messages(topics, losses, first_ns)
        return by_time(
            MessageRun(
                EARLIEST_NS if part.contents.start_ns is None else part.contents.start_ns,
                0,
                partial(part.messages, topics, losses, first_ns),
            )
            for part in self._parts
            if part.contents.end_ns is None or part.contents.end_ns >= first_ns
        )

    def decode(self, message: RawMessage) -> Any:
        """Deserialise a message into a message object of rosbags.

        Raises:
            BagError: the type is unknown, or the bytes do not fit it.
        """
        return self._types.decode(message.type, message.data)


def open_bag(path: Path | str | Sequence[Path | str]) -> Bag:
    """Open a recording.

    Args:
        path: an MCAP file (complete or truncated by a killed recorder), a `.db3` file, or a
            rosbag2 folder; or several paths that are parts of one recording.

    Raises:
        BagError: the path is missing, is not a bag, or no part of it can be read.
    """
    paths = [path] if isinstance(path, Path | str) else path
    return Bag(*open_parts([Path(part) for part in paths]))


def _topics(contents: Sequence[Contents]) -> dict[str, TopicInfo]:
    """Merge the topics of all parts by name."""
    topics: dict[str, list[Topic]] = {}
    for topic in (topic for part in contents for topic in part.topics):
        topics.setdefault(topic.name, []).append(topic)
    return {name: _topic(name, same_name) for name, same_name in topics.items()}


def _topic(name: str, topics: Sequence[Topic]) -> TopicInfo:
    counts = [topic.count for topic in topics]
    total = sum(count or 0 for count in counts)
    by_type: Counter[str] = Counter()
    for topic in topics:
        by_type[topic.type] += topic.count or 0
    kind = max(by_type, key=by_type.__getitem__)
    texts = (topic.definition.text for topic in topics if topic.type == kind)
    encoding = next(topic.encoding for topic in topics if topic.type == kind)
    count = None if None in counts else total
    return TopicInfo(name, kind, count, next(filter(None, texts), ""), encoding)


def _definitions(contents: Sequence[Contents]) -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    for topic in (topic for part in contents for topic in part.topics):
        if topic.encoding == CDR and topic.definition.text.strip():
            found.setdefault(topic.type, topic.definition)
    return found


def _decompressed(message: RawMessage, losses: Losses) -> Iterator[RawMessage]:
    """Decompress a message that was compressed individually; count a failure."""
    try:
        size = zstandard.frame_content_size(message.data)
        if size > MAX_MESSAGE_BYTES:
            raise zstandard.ZstdError(f"it declares {size} bytes")
        decompressor = zstandard.ZstdDecompressor()
        data = decompressor.decompress(message.data, max_output_size=MAX_MESSAGE_BYTES)
    except (zstandard.ZstdError, MemoryError) as error:
        losses.count(Loss.UNDECODABLE, f"{message.topic}: does not decompress ({error})")
    else:
        yield message._replace(data=data)


class MessageSource(Protocol):
    """Protocol for a source of recorded messages: a `Bag`, or a time-limited view of one."""

    @property
    def topics(self) -> Mapping[str, TopicInfo]:
        """Topics by name."""
        ...

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield the messages of the given topics by log time."""
        ...

    def decode(self, message: RawMessage) -> Any:
        """Deserialise a message; raise `BagError` if the bytes do not fit the type."""
        ...


@dataclass(frozen=True, slots=True)
class Excerpt:
    """View of a recording that ends at a log time.

    Attributes:
        recording: the whole recording.
        end_ns: log time of the last message.
    """

    recording: MessageSource
    end_ns: int

    @property
    def topics(self) -> Mapping[str, TopicInfo]:
        """Topics of the whole recording, by name."""
        return self.recording.topics

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield the messages of the given topics by log time, up to `end_ns`."""
        messages = self.recording.messages(topics, losses, start_ns)
        return takewhile(lambda message: message.log_ns <= self.end_ns, messages)

    def decode(self, message: RawMessage) -> Any:
        """Deserialise a message; raise `BagError` if the bytes do not fit the type."""
        return self.recording.decode(message)
