"""Convert the stamps of all messages to the clock of the camera.

Events of a flight are matched by stamp, so all stamps must be on one clock: the camera's. A
message without a stamp, or with a stamp of zero, gets its log time. A topic on a different clock
(an autopilot that counts from its start, a simulation) is shifted by the difference at the start
of the bag, which preserves the intervals between its stamps.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from struct import Struct

from liquid_control import message_types
from liquid_control.bags.storage.part import RawMessage
from liquid_control.errors import BagError
from liquid_control.types import NANOSECONDS

ANOTHER_CLOCK_NS = 3600 * NANOSECONDS
"""Clocks that differ by more than this are unrelated."""
MAX_STAMP_NS = 2**62
"""Larger stamps are invalid: the sum of two would overflow 64 bits."""
PREFIX_MESSAGES = 32768
PREFIX_BYTES = 48 << 20
PREFIX_NS = 2 * NANOSECONDS

ENCAPSULATION = 4
"""Size of the encapsulation header before the first field of a message, bytes."""

_TIME = {True: Struct("<iI"), False: Struct(">iI")}
_MICROSECONDS = {True: Struct("<Q"), False: Struct(">Q")}
_PX4_TYPES = (
    message_types.SENSOR_COMBINED,
    message_types.TRAJECTORY_SETPOINT,
    message_types.VEHICLE_LOCAL_POSITION,
    message_types.VEHICLE_ODOMETRY,
)
_UNSTAMPED_TYPES = (message_types.TWIST,)


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
    if kind in _UNSTAMPED_TYPES:
        return None
    little = is_little(data)
    fields = (_MICROSECONDS if kind in _PX4_TYPES else _TIME)[little]
    if len(data) < ENCAPSULATION + fields.size:
        raise BagError(f"expected at least {fields.size} bytes of {kind}, got {len(data) - 4}")
    values = fields.unpack_from(data, ENCAPSULATION)
    if kind in _PX4_TYPES:
        return int(values[0]) * 1000
    return int(values[0]) * NANOSECONDS + int(values[1])


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
    """

    def __init__(self, prefix: Iterable[RawMessage], camera: str | None) -> None:
        pairs: dict[str, list[tuple[int | None, int]]] = {}
        for message in prefix:
            try:
                stamp_ns = own_stamp(message.type, message.data)
            except BagError:
                continue
            pairs.setdefault(message.topic, []).append((stamp_ns, message.log_ns))
        self._reference_ns = _lag(pairs.get(camera or "", []))
        self._clocks = {
            topic: _clock(stamps, self._reference_ns) for topic, stamps in pairs.items()
        }
        self._nonzero: set[str] = set()

    def stamp(self, message: RawMessage) -> int:
        """Return the stamp of a message on the camera's clock, ns.

        Raises:
            BagError: the stamp is invalid.
        """
        own_ns = own_stamp(message.type, message.data)
        clock = self._clocks.get(message.topic) or self._late_clock(message, own_ns)
        if own_ns:
            self._nonzero.add(message.topic)
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
        clock = _clock([(own_ns, message.log_ns)], self._reference_ns)
        if own_ns:
            self._clocks[message.topic] = clock
        return clock


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


def _clock(pairs: list[tuple[int | None, int]], reference_ns: int) -> TopicClock:
    """Return the clock of a topic from its (stamp, log time) pairs and the lag of the camera."""
    lag = _lag(pairs)
    stamps = [stamp for stamp, _ in pairs if stamp]
    return TopicClock(
        own=bool(stamps),
        from_zero=bool(stamps) and pairs[0][0] == 0 and 0 < stamps[0] < ANOTHER_CLOCK_NS,
        lag_ns=lag if abs(lag) > ANOTHER_CLOCK_NS else 0,
        shift_ns=lag - reference_ns if abs(lag - reference_ns) > ANOTHER_CLOCK_NS else 0,
    )


def _lag(pairs: list[tuple[int | None, int]]) -> int:
    """Return the smallest difference of log time and stamp; 0 without stamps."""
    return min((log_ns - stamp for stamp, log_ns in pairs if stamp), default=0)
