"""Convert the stamps of all messages to the clock of the camera.

Events of a flight are matched by stamp, so all stamps must be on one clock: the camera's. A
message without a stamp, or with a stamp of zero, gets its log time. A topic on a different clock
(an autopilot that counts from its start, a simulation) is shifted by the difference at the start
of the bag, which preserves the intervals between its stamps. A smaller difference can be a delay
of the recording as well as a wrong clock: it is reported, and a flag corrects it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from struct import Struct

from liquid_control import message_types
from liquid_control.bags.decoding.clock_offsets import ANOTHER_CLOCK_NS, OffsetReport
from liquid_control.bags.losses import Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics.sources import Source
from liquid_control.bags.topics.topic_rules import Role
from liquid_control.errors import BagError
from liquid_control.types import NANOSECONDS

MAX_STAMP_NS = 2**62
"""Larger stamps are invalid: the sum of two would overflow 64 bits."""
PREFIX_MESSAGES = 32768
PREFIX_BYTES = 48 << 20
PREFIX_NS = 2 * NANOSECONDS

ENCAPSULATION = 4
"""Size of the encapsulation header before the first field of a message, bytes."""

STAMP_BYTES = 8

_TIME = {True: Struct("<iI"), False: Struct(">iI")}
_MICROSECONDS = {True: Struct("<Q"), False: Struct(">Q")}
_PX4_TYPES = frozenset(
    (
        message_types.SENSOR_COMBINED,
        message_types.TRAJECTORY_SETPOINT,
        message_types.VEHICLE_LOCAL_POSITION,
        message_types.VEHICLE_ODOMETRY,
    )
)


def is_little(data: bytes) -> bool:
    """Return whether the numbers of a message are little-endian.

    Raises:
        BagError: the message is not plain CDR.
    """
    if len(data) < ENCAPSULATION or data[0] != 0 or data[1] > 1:
        raise BagError(f"expected plain CDR, got bytes that begin with {data[:4].hex(' ')}")
    return data[1] == 1


def own_stamp(kind: str, data: bytes) -> int | None:
    """Return the stamp of a message, ns; None if its type has no stamp.

    The stamp is the first field of every type that has one.

    Raises:
        BagError: the message is too short for a stamp.
    """
    if kind == message_types.TWIST:
        return None
    little = is_little(data)
    if len(data) < ENCAPSULATION + STAMP_BYTES:
        raise BagError(f"expected at least {STAMP_BYTES} bytes of {kind}, got {len(data) - 4}")
    if kind in _PX4_TYPES:
        (time_us,) = _MICROSECONDS[little].unpack_from(data, ENCAPSULATION)
        return int(time_us) * 1000
    seconds, nanoseconds = _TIME[little].unpack_from(data, ENCAPSULATION)
    stamp_ns: int = seconds * NANOSECONDS + nanoseconds
    return stamp_ns


@dataclass(frozen=True, slots=True)
class TopicClock:
    """Conversion of the stamps of a topic.

    Attributes:
        own: whether the messages have stamps.
        from_zero: whether an initial stamp of zero is valid, as at the start of a simulation.
        lag_ns: log time minus the topic's clock if the two are unrelated, else 0.
        shift_ns: offset added to obtain the camera's clock.
    """

    own: bool = True
    from_zero: bool = False
    lag_ns: int = 0
    shift_ns: int = 0


class Clocks:
    """Clocks of the topics of a flight.

    Args:
        prefix: first messages of the bag, from `read_prefix`.
        camera: topic of the camera; None if there is none.
        sources: sources by role, with the shifts of their stamps.
        losses: receives a warning for each clock that differs from that of the camera.
    """

    def __init__(
        self,
        prefix: Iterable[RawMessage],
        camera: str | None,
        sources: Mapping[Role, Source] | None = None,
        losses: Losses | None = None,
    ) -> None:
        self._camera = camera or ""
        self._offsets = OffsetReport(sources or {}, self._camera, losses or Losses())
        pairs: dict[str, list[tuple[int | None, int]]] = {}
        for message in prefix:
            try:
                stamp_ns = own_stamp(message.type, message.data)
            except BagError:
                continue
            pairs.setdefault(message.topic, []).append((stamp_ns, message.log_ns))
        self._reference_ns = _lag(pairs.get(self._camera, []))
        self._clocks = {topic: self._clock(topic, stamps) for topic, stamps in pairs.items()}
        self._nonzero: set[str] = set()
        self._report(pairs)

    def stamp(self, message: RawMessage) -> int:
        """Return the stamp of a message on the camera's clock, ns.

        Raises:
            BagError: the stamp is invalid.
        """
        own_ns = own_stamp(message.type, message.data)
        clock = self._clocks.get(message.topic) or self._late_clock(message, own_ns)
        if own_ns:
            self._nonzero.add(message.topic)
            if message.topic == self._camera:
                self._offsets.add(message.topic, message.log_ns - own_ns)
        zero = own_ns == 0 and clock.from_zero and message.topic not in self._nonzero
        if clock.own and own_ns is not None and (own_ns or zero):
            stamp_ns = own_ns + clock.shift_ns
        else:
            stamp_ns = message.log_ns - clock.lag_ns + clock.shift_ns
        if abs(stamp_ns) > MAX_STAMP_NS:
            raise BagError(f"{message.topic}: expected a stamp, got {stamp_ns} ns")
        return stamp_ns

    def _late_clock(self, message: RawMessage, own_ns: int | None) -> TopicClock:
        """Return the clock of a topic missing from the prefix, from its first stamp."""
        if own_ns is not None and abs(own_ns) > MAX_STAMP_NS:
            return TopicClock()
        clock = self._clock(message.topic, [(own_ns, message.log_ns)])
        if own_ns:
            self._clocks[message.topic] = clock
            self._offsets.add_late(message.topic, message.log_ns - own_ns)
        return clock

    def _clock(self, topic: str, pairs: list[tuple[int | None, int]]) -> TopicClock:
        return _clock(pairs, self._reference_ns, self._offsets.shift_ns(topic))

    def _report(self, pairs: Mapping[str, list[tuple[int | None, int]]]) -> None:
        """Report the clocks that differ from the camera's at the start of the recording."""
        delays = [
            (log_ns, topic, log_ns - stamp_ns if stamp_ns else 0)
            for topic, stamps in pairs.items()
            for stamp_ns, log_ns in stamps
        ]
        first = [delay for delay in sorted(delays) if delay[1] == self._camera][:1]
        for _, topic, delay_ns in first + sorted(delays):
            self._offsets.add(topic, delay_ns)
        self._offsets.report()


def read_prefix(
    messages: Iterable[RawMessage], topics: Iterable[str], camera: str | None = None
) -> list[RawMessage]:
    """Read messages until every topic has occurred twice, up to limits of time and size.

    The other clocks are compared with that of the camera, so it has a longer time limit.
    """
    missing = dict.fromkeys(topics, 2)
    prefix: list[RawMessage] = []
    size = 0
    for message in islice(messages, PREFIX_MESSAGES):
        prefix.append(message)
        size += len(message.data)
        left = missing.pop(message.topic, 0) - 1
        if left > 0:
            missing[message.topic] = left
        waited_ns = message.log_ns - prefix[0].log_ns
        enough = waited_ns > PREFIX_NS and missing.get(camera or "", 0) < 2
        if not missing or size > PREFIX_BYTES or enough:
            break
    return prefix


def _clock(
    pairs: list[tuple[int | None, int]], reference_ns: int, shift_ns: int = 0
) -> TopicClock:
    """Return the clock of a topic from its (stamp, log time) pairs and the lag of the camera."""
    lag = _lag(pairs)
    stamps = [stamp for stamp, _ in pairs if stamp]
    return TopicClock(
        own=bool(stamps),
        from_zero=bool(stamps) and pairs[0][0] == 0 and 0 < stamps[0] < ANOTHER_CLOCK_NS,
        lag_ns=lag if abs(lag) > ANOTHER_CLOCK_NS else 0,
        shift_ns=shift_ns
        + (lag - reference_ns if abs(lag - reference_ns) > ANOTHER_CLOCK_NS else 0),
    )


def _lag(pairs: list[tuple[int | None, int]]) -> int:
    """Return the smallest difference of log time and stamp; 0 without stamps."""
    return min((log_ns - stamp for stamp, log_ns in pairs if stamp), default=0)
