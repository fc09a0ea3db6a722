"""Offset between an autopilot's clock and ours, from TIMESYNC round trips."""

from collections import deque

WINDOW = 20
"""Round trips of which the shortest gives the offset."""
FIRST = 5
"""Round trips at the higher rate, after the start or a reset."""
FAST_PERIOD_NS = 200_000_000
PERIOD_NS = 1_000_000_000
MAX_ROUND_TRIP_NS = 500_000_000
JUMP_NS = 20_000_000
"""A change of the offset beyond half of both round trips and this means that a clock was reset."""
MAX_AGE_NS = 1_000_000_000
"""A stamp that is converted to a time longer ago than this is not of the synchronised clock."""
MAX_AHEAD_NS = 20_000_000


class TimeSync:
    """Estimates the offset of a remote clock; all times are ns.

    The request holds our time `ts1` and `tc1 = 0`; the response holds `ts1` unchanged and the
    responder's time `tc1` (MAVLink, message TIMESYNC). With equal delays both ways the offset is
    tc1 - (ts1 + now) / 2, and the error is at most half of the round trip. The round trip that was
    shortest among the last `WINDOW` is used.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=WINDOW)
        self._next_ns = 0
        self._sent: deque[int] = deque(maxlen=WINDOW)

    @property
    def round_trip_ns(self) -> int | None:
        """Shortest recent round trip; None before the first."""
        return min(self._samples)[0] if self._samples else None

    @property
    def offset_ns(self) -> int | None:
        """Remote time minus ours; None before the first round trip."""
        return min(self._samples)[1] if self._samples else None

    def request(self, now_ns: int) -> int | None:
        """Return the time to send as `ts1` if a request is due."""
        if now_ns < self._next_ns:
            return None
        fast = len(self._samples) < FIRST
        self._next_ns = now_ns + (FAST_PERIOD_NS if fast else PERIOD_NS)
        self._sent.append(now_ns)
        return now_ns

    def response(self, tc1_ns: int, ts1_ns: int, now_ns: int) -> bool:
        """Process a response; return whether the remote clock has jumped.

        A response to a request that was not ours, or that took too long, is ignored.
        """
        if ts1_ns not in self._sent:
            return False
        self._sent.remove(ts1_ns)
        round_trip_ns = now_ns - ts1_ns
        if not 0 <= round_trip_ns <= MAX_ROUND_TRIP_NS:
            return False
        offset_ns = tc1_ns - (ts1_ns + now_ns) // 2
        jumped = False
        if self._samples:
            best_ns, known_ns = min(self._samples)
            allowed_ns = (best_ns + round_trip_ns) // 2 + JUMP_NS
            jumped = abs(offset_ns - known_ns) > allowed_ns
        if jumped:
            self._samples.clear()
        self._samples.append((round_trip_ns, offset_ns))
        return jumped

    def local_ns(self, remote_ns: int, arrival_ns: int) -> int:
        """Return a remote stamp in our time.

        It is the time of arrival while the offset is not known, and where the stamp does not fit
        it, as one of another clock.
        """
        if self.offset_ns is None:
            return arrival_ns
        local_ns = remote_ns - self.offset_ns
        if not -MAX_AHEAD_NS <= arrival_ns - local_ns <= MAX_AGE_NS:
            return arrival_ns
        return min(local_ns, arrival_ns)
