"""What a part of a recording is, whatever its format: what it says about itself, and messages."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from liquid_control.bags.losses import Losses


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
class Definition:
    """What a type looks like, as text.

    Attributes:
        encoding: `ros2msg` or `ros2idl`; empty where the recording has none.
        text: with the definitions of the types that it is made of.
    """

    encoding: str
    text: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of one part; `count` is None where it could not be known."""

    name: str
    type: str
    count: int | None
    definition: Definition


@dataclass(frozen=True, slots=True)
class Contents:
    """What a part says about itself; times in ns, None where it holds no message."""

    topics: tuple[Topic, ...] = ()
    metadata: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    start_ns: int | None = None
    end_ns: int | None = None


class Part(Protocol):
    """One file of a recording."""

    contents: Contents

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int
    ) -> Iterator[RawMessage]:
        """Yield messages by log time as far as the file keeps it; count what is lost."""
        ...


class BrokenBytesError(Exception):
    """Bytes that are not what they claim to be; it never leaves this room."""
