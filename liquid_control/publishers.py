"""Rule by which a node uses the messages of one publisher a topic, and refuses all others.

Neither rclpy's callbacks nor its executors deliver the publisher of a message, so the messages of
two publishers of one topic cannot be separated. The rule therefore uses the graph: while a topic
has a publisher besides the bound one, none of its messages is used.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from liquid_control.errors import ConfigError

SecondPublisher = Literal["hover", "same_name", "accept"]
UNKNOWN = "an unknown node"
"""Name of a publisher whose node the graph does not name, or not yet."""
UNNAMED_UPDATES = 10
"""A publisher is announced without a name if it has none for so many updates."""
LINGER_S = 25.0
"""The graph keeps a publisher whose process was killed for 20 s."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A publisher of a topic.

    Attributes:
        node: full name of its node, such as `/drone/controller_node`; `UNKNOWN` at first.
        gid: its global identifier, which a restarted node does not keep.
    """

    node: str
    gid: bytes


class Notice(NamedTuple):
    """News of a topic's publishers: a sentence, and whether it is about a second publisher."""

    text: str
    second: bool


@dataclass
class PublisherBinding:
    """Binding of a topic to one publisher.

    The first publisher found is bound. When it is gone, another one of the same name is bound, as
    after a restart of its node; one of another name is not, before `release`. Where several are
    found at once, only an expected name shows which of them is right.

    Args:
        topic: as it is named in messages.
        expected: name of the node that must publish it, full or without namespace; empty: any.
        second: `hover`: messages are refused while there is another publisher; `same_name`: unless
            all have the name of the bound one's node; `accept`: never refused, only announced.

    Attributes:
        bound: the publisher whose messages are used; None before the first, and where it cannot
            be decided.
        others: all other publishers of the topic.
        refusal: reason to refuse the topic's messages; empty if they are used.
    """

    topic: str
    expected: str = ""
    second: SecondPublisher = "hover"
    bound: Endpoint | None = None
    others: tuple[Endpoint, ...] = ()
    refusal: str = ""
    _unnamed: dict[bytes, int] = field(default_factory=dict)
    _announced: set[bytes] = field(default_factory=set)
    _name: str = ""

    def update(self, endpoints: Iterable[Endpoint]) -> list[Notice]:
        """Process the topic's present publishers; return the news."""
        present = {endpoint.gid: endpoint for endpoint in endpoints}
        self._unnamed = {
            gid: self._unnamed.get(gid, 0) + 1
            for gid, endpoint in present.items()
            if endpoint.node == UNKNOWN
        }
        moved = self._bind(present)
        bound = None if self.bound is None else self.bound.gid
        self.others = tuple(one for gid, one in sorted(present.items()) if gid != bound)
        self.refusal = self._reason()
        return [*moved, *self._announcements()]

    def release(self) -> None:
        """Forget the bound publisher and its name; the next update binds anew."""
        self.bound, self._name = None, ""
        self._announced = set()

    def _bind(self, present: Mapping[bytes, Endpoint]) -> list[Notice]:
        if self.bound is not None and self.bound.gid in present:
            self.bound = present[self.bound.gid]
        else:
            fitting = [one for one in present.values() if self._fits(one)]
            certain = len(fitting) == 1 and (bool(self._wanted) or len(present) == 1)
            self.bound = fitting[0] if certain else None
        name = "" if self.bound is None else self.bound.node
        if name in ("", UNKNOWN):
            return []
        before, self._name = self._name, name
        if before in ("", name):
            return []
        text = f"{self.topic} is now published by {name}; it was published by {before}"
        return [Notice(text, second=False)]

    @property
    def _wanted(self) -> str:
        """Name that a publisher must have to be bound; empty for any."""
        return self.expected or ("" if self.second == "accept" else self._name)

    def _fits(self, endpoint: Endpoint) -> bool:
        return self._wanted in ("", endpoint.node, endpoint.node.rpartition("/")[2])

    def _reason(self) -> str:
        if self.second == "accept" or not self.others:
            return ""
        names = _listed(one.node for one in self.others)
        if self.bound is None and self._wanted:
            return f"{self.topic} is published by {names}, not by {self._wanted}"
        if self.bound is None:
            return f"{self.topic} has {len(self.others)} publishers: {names}"
        if self.second == "same_name" and {one.node for one in self.others} == {self.bound.node}:
            return ""
        return f"{self.topic} is published by {names} besides {self.bound.node}"

    def _announcements(self) -> list[Notice]:
        """Return one sentence when publishers were added that have names, and one at the end."""
        gids = {one.gid for one in self.others}
        fresh = {gid for gid in gids if self._is_final(gid)} - self._announced
        ended = bool(self._announced) and not gids
        self._announced = (self._announced & gids) | fresh
        if fresh:
            names = _listed(one.node for one in self.others)
            text = f"{self.topic} is published by {names}"
            text += f" besides {self.bound.node}" if self.bound is not None else ""
            effect = "no message is used" if self.refusal else "every message is used"
            return [Notice(f"{self.refusal or text}: {effect}", second=True)]
        if ended and self.bound is not None:
            return [Notice(f"{self.topic} is published by {self.bound.node} alone", second=False)]
        return []

    def _is_final(self, gid: bytes) -> bool:
        return not 0 < self._unnamed.get(gid, 0) < UNNAMED_UPDATES


@dataclass
class SolePublisher:
    """Check that a node is the only publisher of its topic.

    Args:
        topic: as it is named in messages.
        own: full name of the node.
        partner: full name of a node that may publish it as well, such as a standby; or empty.

    Attributes:
        problem: names the topic's other publishers; empty for none.
    """

    topic: str
    own: str
    partner: str = ""
    problem: str = ""
    _since_s: dict[bytes, float] = field(default_factory=dict)

    def update(self, endpoints: Iterable[Endpoint], now_s: float) -> bool:
        """Process the topic's present publishers; return whether the problem is a new one.

        Args:
            endpoints: the publishers, this node's included.
            now_s: time, s. A second publisher with the name of a permitted one counts after
                `LINGER_S`: it may be what remains of a process that was killed.
        """
        present = list(endpoints)
        self._since_s = {one.gid: self._since_s.get(one.gid, now_s) for one in present}
        others = [one.node for one in present if one.node not in (self.own, self.partner, UNKNOWN)]
        for name in filter(None, (self.own, self.partner)):
            same = [one.gid for one in present if one.node == name]
            if len(same) > 1 and now_s - max(self._since_s[gid] for gid in same) > LINGER_S:
                others += [name] * (len(same) - 1)
        before = self.problem
        named = f"{self.topic} is published by {_listed(others)} besides {self.own}"
        self.problem = named if others else ""
        return bool(self.problem) and self.problem != before


def _listed(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))


def expected_publishers(pairs: Sequence[str], topics: Sequence[str]) -> dict[str, str]:
    """Return the expected node by topic from `topic=node` pairs.

    Args:
        pairs: the pairs.
        topics: those that the node subscribes to.

    Raises:
        ConfigError: a pair has no node, or another topic.
    """
    expected = {}
    for pair in pairs:
        topic, _, node = pair.partition("=")
        if topic not in topics or not node:
            known = ", ".join(topics)
            raise ConfigError(f"publishers: expected topic=node, topic of {known}, got {pair!r}")
        expected[topic] = node
    return expected
