"""What of a bag is enough to understand it: a bag, or whatever stands before one."""

from collections.abc import Collection, Iterator, Mapping
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
