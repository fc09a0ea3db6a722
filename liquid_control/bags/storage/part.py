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


CDR = "cdr"
"""Encoding of the messages of ROS 2."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of one part.

    Attributes:
        name: topic name with its leading slash.
        type: message type such as `sensor_msgs/msg/Imu`.
        count: number of messages; None if unknown.
        definition: definition of the type.
        encoding: encoding of the messages.
    """

    name: str
    type: str
    count: int | None
    definition: Definition
    encoding: str = CDR


def topic_of(
    name: str, kind: str, count: int | None, definition: Definition, encoding: str = CDR
) -> Topic:
    """Return a topic with an absolute name and, for ROS 2, the full name of its type.

    Some recorders write names without a leading slash, and types as `sensor_msgs/Imu`.
    """
    package, slash, message = kind.partition("/")
    if encoding == CDR and package and slash and message and "/" not in message:
        kind = f"{package}/msg/{message}"
    return Topic(f"/{name.lstrip('/')}", kind, count, definition, encoding)


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
