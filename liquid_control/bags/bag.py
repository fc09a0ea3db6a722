"""Open a recording, whatever its format and state, and hand over its messages in order of time."""

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
from liquid_control.bags.storage.ordering import MessageRun, by_time, watched
from liquid_control.bags.storage.part import Contents, Definition, Part, RawMessage, Topic
from liquid_control.errors import BagError

EARLIEST_NS = -(2**63)
LARGEST_UNPACKED = 2**28
"""Of a message that was compressed on its own, bytes."""


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """What a bag says about a topic.

    Attributes:
        name: with its leading slash.
        type: such as `sensor_msgs/msg/Imu`; of several that of most messages.
        count: messages; None where it could not be known.
        definition: the type's definition in the bag, empty where it has none.
    """

    name: str
    type: str
    count: int | None
    definition: str


class Bag:
    """A recording of one file or several, opened by `open_bag`.

    Attributes:
        parts: its files.
        topics: by name.
        metadata: by name: MCAP's metadata records, and `custom_data` of rosbag2.
        start_ns: first log time, None where it is not known.
        end_ns: last log time.
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
            {name: said for part in reversed(contents) for name, said in part.metadata.items()}
            | ({"custom_data": custom} if custom else {})
        )
        starts = [part.start_ns for part in contents if part.start_ns is not None]
        ends = [part.end_ns for part in contents if part.end_ns is not None]
        self.start_ns = min(starts, default=None)
        self.end_ns = max(ends, default=None)
        self._types = Types(_definitions(contents))

    @property
    def path(self) -> Path:
        """The first part."""
        return self.parts[0]

    @property
    def size_bytes(self) -> int:
        """Size of all parts together."""
        return sum(part.stat().st_size for part in self.parts if part.exists())

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield the messages of some topics by log time; memory holds a window of them.

        Args:
            topics: their names.
            losses: counts what cannot be read.
            start_ns: earlier messages are left out.

        Raises:
            BagError: a file went away.
        """
        for loss, number in self._lost.counts.items():
            losses.count(loss, self._lost.reasons[loss], number)
        problems: dict[str, str] = {}
        try:
            for message in watched(self._stream(frozenset(topics), losses, start_ns), losses):
                problem = problems.get(message.type)
                if problem is None:
                    problem = problems.setdefault(message.type, self._types.problem(message.type))
                if problem:
                    losses.count(Loss.NO_TYPE, f"{message.topic}: {problem}")
                elif message.data.startswith(ZSTD):
                    yield from _unpacked(message, losses)
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
        """Return a message's content as a message object of rosbags.

        Raises:
            BagError: its type is not known, or its bytes do not fit it.
        """
        return self._types.decode(message.type, message.data)


def open_bag(path: Path | Sequence[Path]) -> Bag:
    """Open a recording.

    Args:
        path: an MCAP file, whole or as a killed recorder left it, a `.db3`, or a rosbag2 folder;
            or several of them that are one recording in parts.

    Raises:
        BagError: it is missing, is no bag, or nothing of it can be read.
    """
    return Bag(*open_parts([path] if isinstance(path, Path) else path))


def _topics(contents: Sequence[Contents]) -> dict[str, TopicInfo]:
    """Return each topic with its messages in all parts together, by the type that most have."""
    told: dict[str, list[Topic]] = {}
    for topic in (topic for part in contents for topic in part.topics):
        told.setdefault(topic.name, []).append(topic)
    return {name: _topic(name, all_of_it) for name, all_of_it in told.items()}


def _topic(name: str, told: Sequence[Topic]) -> TopicInfo:
    counts = [topic.count for topic in told]
    total = sum(count or 0 for count in counts)
    number: Counter[str] = Counter()
    for topic in told:
        number[topic.type] += topic.count or 0
    kind = max(number, key=number.__getitem__)
    texts = (topic.definition.text for topic in told if topic.type == kind)
    return TopicInfo(name, kind, None if None in counts else total, next(filter(None, texts), ""))


def _definitions(contents: Sequence[Contents]) -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    for topic in (topic for part in contents for topic in part.topics):
        if topic.definition.text.strip():
            found.setdefault(topic.type, topic.definition)
    return found


def _unpacked(message: RawMessage, losses: Losses) -> Iterator[RawMessage]:
    """Yield a message that was compressed on its own, as plain bytes."""
    try:
        size = zstandard.frame_content_size(message.data)
        if size > LARGEST_UNPACKED:
            raise zstandard.ZstdError(f"it claims {size} bytes")
        machine = zstandard.ZstdDecompressor()
        data = machine.decompress(message.data, max_output_size=LARGEST_UNPACKED)
    except (zstandard.ZstdError, MemoryError) as error:
        losses.count(Loss.UNDECODABLE, f"{message.topic}: does not decompress ({error})")
    else:
        yield message._replace(data=data)


class MessageSource(Protocol):
    """Messages by topic; `Bag` is one."""

    @property
    def topics(self) -> Mapping[str, TopicInfo]:
        """What is there, by name."""
        ...

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield the messages of some topics by log time."""
        ...

    def decode(self, message: RawMessage) -> Any:
        """Return a message's content; raise `BagError` where it does not fit its type."""
        ...


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A recording up to a time.

    Attributes:
        recording: of which it is a part.
        end_ns: log time of the last message.
    """

    recording: MessageSource
    end_ns: int

    @property
    def topics(self) -> Mapping[str, TopicInfo]:
        """What is there in the whole recording, by name."""
        return self.recording.topics

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield the messages of some topics by log time, none filed after the end."""
        messages = self.recording.messages(topics, losses, start_ns)
        return takewhile(lambda message: message.log_ns <= self.end_ns, messages)

    def decode(self, message: RawMessage) -> Any:
        """Return a message's content; raise `BagError` where it does not fit its type."""
        return self.recording.decode(message)
