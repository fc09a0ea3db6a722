"""What of a bag is enough to understand it: a bag, or whatever stands before one."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol

from liquid_control.bags.bag import RawMessage, TopicInfo
from liquid_control.bags.losses import Losses


class Recording(Protocol):
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

    recording: Recording
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
