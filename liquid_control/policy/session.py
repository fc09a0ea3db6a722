"""From frame stamps to elapsed time, the same in flight, in process and in replay."""

from dataclasses import dataclass

from liquid_control.errors import ObservationError
from liquid_control.types import NANOSECONDS


@dataclass(frozen=True, slots=True)
class Elapsed:
    """What passed before a frame.

    Attributes:
        dt_s: for the policy, s.
        fresh: whether the policy must start from a fresh state: at the first frame, after a jump.
        stamp_ns: the frame's stamp: the state of the clock for the next one.
    """

    dt_s: float
    fresh: bool
    stamp_ns: int


@dataclass(frozen=True, slots=True)
class FrameClock:
    """Turns the stamps of the frames that were processed into dt.

    Attributes:
        nominal_dt_s: dt of a frame that has no frame before it, s.
        max_gap_s: frames farther apart have nothing to do with each other, s.
    """

    nominal_dt_s: float
    max_gap_s: float = 1.0

    def elapsed(self, stamp_ns: int, previous_ns: int | None) -> Elapsed:
        """Return what passed since the previous frame.

        Args:
            stamp_ns: the frame's stamp.
            previous_ns: the stamp of the frame processed before, None at the start.

        Raises:
            ObservationError: the stamp is not later than the previous one.
        """
        if previous_ns is None:
            return Elapsed(self.nominal_dt_s, True, stamp_ns)
        if stamp_ns <= previous_ns:
            raise ObservationError(
                f"expected a frame stamped after {previous_ns} ns, got {stamp_ns} ns"
            )
        dt_s = (stamp_ns - previous_ns) / NANOSECONDS
        if dt_s > self.max_gap_s:
            return Elapsed(self.nominal_dt_s, True, stamp_ns)
        return Elapsed(dt_s, False, stamp_ns)
