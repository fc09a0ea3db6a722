"""Open a recording, whatever its format and state, and hand over its messages in order of time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from liquid_control.bags.losses import Losses
from liquid_control.errors import BagError


class RawMessage(NamedTuple):
    """A message as it lies in the bag.

    Attributes:
        topic: with its leading slash.
        type: such as `sensor_msgs/msg/Imu`.
        log_ns: when the recorder filed it, ns.
        data: CDR with its encapsulation header.
    """

    topic: str
    type: str
    log_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """What a bag says about a topic.

    Attributes:
        name: with its leading slash.
        type: such as `sensor_msgs/msg/Imu`.
        count: messages; None where it could not be known.
        definition: the type's definition in the bag, empty where it has none.
    """

    name: str
    type: str
    count: int | None
    definition: str


@dataclass
class Bag:
    """A recording: one file or several."""

    parts: tuple[Path, ...]
    topics: Mapping[str, TopicInfo]
    metadata: Mapping[str, Mapping[str, str]]
    start_ns: int | None
    end_ns: int | None
    _stores: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The first part."""
        return self.parts[0]

    @property
    def size_bytes(self) -> int:
        """Size of all parts together."""
        return sum(
            file.stat().st_size
            for part in self.parts
            for file in (part.iterdir() if part.is_dir() else [part])
        )

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield the messages of some topics by log time."""
        streams = [_part(part, topics, start_ns) for part in self.parts]
        yield from merge(*streams, key=lambda message: message.log_ns)

    def decode(self, message: RawMessage) -> Any:
        """Return the message's content as a rosbags message object.

        Raises:
            BagError: its bytes do not fit its type.
        """
        store = self._stores.setdefault("", get_typestore(Stores.ROS2_JAZZY))
        try:
            return store.deserialize_cdr(message.data, message.type)
        except Exception as error:
            raise BagError(f"{message.topic}: {message.type} expected, got {error}") from error


def _part(path: Path, topics: Collection[str], start_ns: int | None) -> Iterator[RawMessage]:
    store = get_typestore(Stores.ROS2_JAZZY)
    with AnyReader([path], default_typestore=store) as reader:
        wanted = [c for c in reader.connections if c.topic in topics]
        if wanted:
            for connection, log_ns, data in reader.messages(wanted, start=start_ns):
                yield RawMessage(connection.topic, connection.msgtype, log_ns, bytes(data))


def open_bag(path: Path | Sequence[Path]) -> Bag:
    """Open one `.mcap` or `.db3` file, a rosbag2 folder, or several as one recording in parts.

    Raises:
        BagError: it is missing, or nothing of it can be read.
    """
    parts = (path,) if isinstance(path, Path) else tuple(path)
    topics: dict[str, TopicInfo] = {}
    times: list[tuple[int, int]] = []
    for part in parts:
        try:
            store = get_typestore(Stores.ROS2_JAZZY)
            with AnyReader([part], default_typestore=store) as reader:
                for c in reader.connections:
                    have = topics.get(c.topic)
                    count = c.msgcount + ((have.count or 0) if have else 0)
                    topics[c.topic] = TopicInfo(c.topic, c.msgtype, count, str(c.msgdef.data))
                if reader.message_count:
                    times.append((reader.start_time, reader.end_time - 1))
        except Exception as error:
            raise BagError(f"{part}: cannot be read ({error})") from error
    start = min(t[0] for t in times) if times else None
    end = max(t[1] for t in times) if times else None
    return Bag(parts, topics, {}, start, end)
