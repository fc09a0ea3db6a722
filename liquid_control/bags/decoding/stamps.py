"""When a message happened: its own stamp, or when it was filed, on the camera's clock.

A flight is put together by stamps, so all must be of one clock: the camera's. Messages without a
stamp of their own, or with one of zero, are taken to have happened when they were filed. A topic
whose clock is another one altogether (an autopilot that counts from its start, a simulation) is
moved by the difference at the beginning of the bag, which keeps its own spacing.
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
"""Clocks that differ by more have nothing to do with each other."""
LATEST_NS = 2**62
"""Stamps beyond are no times: the sum of two would not fit into 64 bits."""
PREFIX_MESSAGES = 32768
PREFIX_BYTES = 48 << 20
PREFIX_NS = 2 * NANOSECONDS

ENCAPSULATION = 4
"""Bytes before every message's first field."""

_TIME = {True: Struct("<iI"), False: Struct(">iI")}
_MICROSECONDS = {True: Struct("<Q"), False: Struct(">Q")}
_OF_PX4 = (
    message_types.SENSOR_COMBINED,
    message_types.TRAJECTORY_SETPOINT,
    message_types.VEHICLE_LOCAL_POSITION,
    message_types.VEHICLE_ODOMETRY,
)
_WITHOUT = (message_types.TWIST,)


def is_little(data: bytes) -> bool:
    """Return whether a message's numbers are little-endian.

    Raises:
        BagError: it is no plain CDR.
    """
    if len(data) < ENCAPSULATION or data[0] != 0 or data[1] > 1:
        raise BagError(f"expected plain CDR, got bytes that begin with {data[:4].hex(' ')}")
    return data[1] == 1


def own_stamp(kind: str, data: bytes) -> int | None:
    """Return what a message says of its time, ns; None where its type has no stamp.

    The stamp is the first field of every type that has one.

    Raises:
        BagError: the message is too short for it.
    """
    if kind in _WITHOUT:
        return None
    little = is_little(data)
    fields = (_MICROSECONDS if kind in _OF_PX4 else _TIME)[little]
    if len(data) < ENCAPSULATION + fields.size:
        raise BagError(f"expected at least {fields.size} bytes of {kind}, got {len(data) - 4}")
    values = fields.unpack_from(data, ENCAPSULATION)
    if kind in _OF_PX4:
        return int(values[0]) * 1000
    return int(values[0]) * NANOSECONDS + int(values[1])


@dataclass(frozen=True, slots=True)
class TopicClock:
    """How a topic's messages get their stamps.

    Attributes:
        own: whether they have their own.
        from_zero: whether a stamp of zero is one, at the beginning: a simulation's first.
        lag_ns: what log time is ahead of the topic's clock, if that is another clock; else 0.
        shift_ns: added to get the camera's clock.
    """

    own: bool = True
    from_zero: bool = False
    lag_ns: int = 0
    shift_ns: int = 0


class Clocks:
    """The clocks of a flight's topics.

    Args:
        beginning: messages of the bag's beginning, from `beginning`.
        camera: the camera's topic; None where there is none.
    """

    def __init__(self, beginning: Iterable[RawMessage], camera: str | None) -> None:
        pairs: dict[str, list[tuple[int | None, int]]] = {}
        for message in beginning:
            try:
                told = own_stamp(message.type, message.data)
            except BagError:
                continue
            pairs.setdefault(message.topic, []).append((told, message.log_ns))
        self._reference_ns = _lag(pairs.get(camera or "", []))
        self._clocks = {topic: _clock(told, self._reference_ns) for topic, told in pairs.items()}
        self._counting: set[str] = set()

    def stamp(self, message: RawMessage) -> int:
        """Return a message's stamp on the camera's clock, ns.

        Raises:
            BagError: the message has none that could be one.
        """
        told = own_stamp(message.type, message.data)
        clock = self._clocks.get(message.topic) or self._late(message, told)
        if told:
            self._counting.add(message.topic)
        zero = told == 0 and clock.from_zero and message.topic not in self._counting
        if clock.own and told is not None and (told or zero):
            stamp_ns = told + clock.shift_ns
        else:
            stamp_ns = message.log_ns - clock.lag_ns + clock.shift_ns
        if abs(stamp_ns) > LATEST_NS:
            raise BagError(f"{message.topic}: expected a stamp, got {stamp_ns} ns")
        return stamp_ns

    def _late(self, message: RawMessage, told: int | None) -> TopicClock:
        """Return the clock of a topic that the beginning had not; its first stamp decides."""
        if told is not None and abs(told) > LATEST_NS:
            return TopicClock()
        clock = _clock([(told, message.log_ns)], self._reference_ns)
        if told:
            self._clocks[message.topic] = clock
        return clock


def beginning(
    messages: Iterable[RawMessage], topics: Iterable[str], camera: str | None = None
) -> list[RawMessage]:
    """Take messages until every topic was heard twice, or for as long as is worth while.

    What the other topics' clocks are compared with is the camera's: it is waited for longer.
    """
    missing = dict.fromkeys(topics, 2)
    taken: list[RawMessage] = []
    size = 0
    for message in islice(messages, PREFIX_MESSAGES):
        taken.append(message)
        size += len(message.data)
        left = missing.pop(message.topic, 0) - 1
        if left > 0:
            missing[message.topic] = left
        waited_ns = message.log_ns - taken[0].log_ns
        enough = waited_ns > PREFIX_NS and missing.get(camera or "", 0) < 2
        if not missing or size > PREFIX_BYTES or enough:
            break
    return taken


def _clock(told: list[tuple[int | None, int]], reference_ns: int) -> TopicClock:
    """Return a topic's clock by its stamps and log times, and what the camera's lags behind."""
    lag = _lag(told)
    stamps = [stamp for stamp, _ in told if stamp]
    return TopicClock(
        own=bool(stamps),
        from_zero=bool(stamps) and told[0][0] == 0 and 0 < stamps[0] < ANOTHER_CLOCK_NS,
        lag_ns=lag if abs(lag) > ANOTHER_CLOCK_NS else 0,
        shift_ns=lag - reference_ns if abs(lag - reference_ns) > ANOTHER_CLOCK_NS else 0,
    )


def _lag(told: list[tuple[int | None, int]]) -> int:
    """Return log time less stamp of the message that was filed soonest, 0 without stamps."""
    return min((log_ns - stamp for stamp, log_ns in told if stamp), default=0)
