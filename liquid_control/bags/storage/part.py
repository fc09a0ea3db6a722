"""Types shared by all storage formats: messages, definitions, topics and parts of a recording."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from liquid_control.bags.losses import Losses


class RawMessage(NamedTuple):
    """A serialised message of a bag.

    Attributes:
        topic: topic name with its leading slash.
        type: message type such as `sensor_msgs/msg/Imu`.
        log_ns: log time, ns: when the recorder received the message.
        data: CDR with its encapsulation header.
    """

    topic: str
    type: str
    log_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Definition:
    """Definition of a message type.

    Attributes:
        encoding: `ros2msg` or `ros2idl`; empty if the recording has no definition.
        text: definition text, including the definitions of nested types.
    """

    encoding: str
    text: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of one part; `count` is None if unknown."""

    name: str
    type: str
    count: int | None
    definition: Definition


@dataclass(frozen=True, slots=True)
class Contents:
    """Contents of a part; times in ns, None if it holds no messages."""

    topics: tuple[Topic, ...] = ()
    metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    start_ns: int | None = None
    end_ns: int | None = None


class Part(Protocol):
    """Protocol of one file of a recording."""

    contents: Contents

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int
    ) -> Iterator[RawMessage]:
        """Yield messages by log time as far as the file allows; count losses."""
        ...


class DamageError(Exception):
    """Bytes do not have the expected format. This error does not leave `bags.storage`."""
