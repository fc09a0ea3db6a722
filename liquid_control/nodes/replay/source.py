"""Bag of a replay: opened, with its topics resolved and positions in seconds."""

from collections.abc import Iterator
from pathlib import Path

from liquid_control.bags.bag import Excerpt, open_bag
from liquid_control.bags.events import Event
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.losses import Losses
from liquid_control.bags.topics import load_rules, resolve
from liquid_control.bags.topics.topic_rules import Role
from liquid_control.errors import BagError, ConfigError
from liquid_control.nodes.node_settings import ReplaySettings
from liquid_control.nodes.replay.timeline import ReplayTimeline
from liquid_control.types import NANOSECONDS


class ReplaySource:
    """A bag and its timeline.

    Attributes:
        timeline: its ticks.
        losses: unusable parts of the bag since the last seek.
        duration_s: of the replayed part, s; None where the bag's end is unknown.

    Raises:
        BagError: the bag cannot be read, or has no camera.
        ConfigError: a topic's role or a preset is unknown, or the bag ends before `start_s`.
    """

    def __init__(self, settings: ReplaySettings) -> None:
        if not settings.bag:
            raise ConfigError("expected a bag in the parameter bag, got nothing")
        self.losses = Losses()
        self._bag = open_bag(Path(settings.bag))
        self._topics = resolve(self._bag, load_rules(settings.topics, _flags(settings.topic)))
        self._begin_ns = self._first_ns()
        self._check("start_s", settings.start_s)
        first_ns = self._at(settings.start_s)
        last_ns = first_ns + _ns(settings.duration_s) if settings.duration_s else None
        self._recording = self._bag if last_ns is None else Excerpt(self._bag, last_ns)
        end_ns = last_ns if last_ns is not None else self._bag.end_ns
        self.duration_s = None if end_ns is None else (end_ns - first_ns) / NANOSECONDS
        self.timeline = ReplayTimeline(
            self._read,
            gap_ns=_ns(settings.gap_s),
            tick_ns=_ns(settings.tick_s),
            first_ns=first_ns if settings.start_s else None,
            last_ns=last_ns,
            loop=settings.loop,
        )

    @property
    def has_range(self) -> bool:
        """Whether the bag has ranges, as a topic or among the recorded inputs."""
        return Role.RANGE in self._topics or Role.INPUTS in self._topics

    @property
    def position_s(self) -> float:
        """Position in the bag, s after its start."""
        log_ns = self.timeline.log_ns
        return 0.0 if log_ns is None else max(0.0, (log_ns - self._begin_ns) / NANOSECONDS)

    def seek(self, position_s: float) -> None:
        """Continue at a position.

        Raises:
            ConfigError: it is after the end.
        """
        self._check("position_s", position_s)
        self.timeline.seek(self._at(position_s))

    def _at(self, position_s: float) -> int:
        return self._begin_ns + _ns(position_s)

    def _check(self, name: str, position_s: float) -> None:
        end_ns = self._bag.end_ns
        if end_ns is not None and self._at(position_s) > end_ns:
            length_s = (end_ns - self._begin_ns) / NANOSECONDS
            raise ConfigError(
                f"{name}: expected 0 to {length_s:.3f} s, the length of {self._bag.path}, "
                f"got {position_s:g}"
            )

    def _first_ns(self) -> int:
        """Return the log time at which the bag begins; its first picture's if it has no index."""
        if self._bag.start_ns is not None:
            return self._bag.start_ns
        camera = self._topics.sources[Role.CAMERA].topic
        first = next(self._bag.messages([camera], Losses()), None)
        if first is None:
            raise BagError(f"{self._bag.path}: expected pictures on {camera}, got none")
        return first.log_ns

    def _read(self, log_ns: int | None) -> Iterator[Event]:
        self.losses = Losses()
        return read_flight(self._recording, self._topics, self.losses, log_ns)


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS)


def _flags(pairs: list[str]) -> dict[str, str]:
    flags = {}
    for pair in pairs:
        role, sign, topic = pair.partition("=")
        if not sign:
            raise ConfigError(f"topic: expected role=/name, got {pair!r}")
        flags[role] = topic
    return flags
