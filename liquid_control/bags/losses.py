"""What of a bag could not be used: counted by kind, with the first reason of each.

A damaged bag is read as far as it goes. Whoever reads one hands a `Losses` down, and shows it.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Loss(str, Enum):
    """Kinds of losses; the values are the words of reports."""

    MISSING_PART = "parts of the recording that are missing or cannot be opened"
    ENDS_EARLY = "the file ends in the middle"
    UNREADABLE_BYTES = "bytes that are no record"
    DAMAGED_CHUNK = "chunks that are damaged"
    NO_INDEX = "files without an index"
    NO_TYPE = "messages of a type that is not defined"
    UNDECODABLE = "messages that do not fit their type"
    WRONG_TYPE = "messages of another type than the topic's"
    BAD_PICTURE = "pictures that cannot be used"
    BAD_VALUE = "readings that are not finite"
    OUT_OF_ORDER = "messages filed later than their time allows"
    STAMP_BACKWARDS = "stamps that do not advance"
    CLOCK_JUMP = "jumps of the clock"
    FRAME_WITHOUT_IMU = "frames that the IMU never reached"
    NO_HEADING = "commands whose frame cannot be turned without an attitude"


@dataclass
class Losses:
    """Losses of one reading.

    Attributes:
        counts: number of each kind.
        reasons: what was seen first of each kind, in a line.
    """

    counts: Counter[Loss] = field(default_factory=Counter)
    reasons: dict[Loss, str] = field(default_factory=dict)

    def count(self, loss: Loss, reason: str, number: int = 1) -> None:
        """Count a loss; the first reason of its kind is kept."""
        self.counts[loss] += number
        self.reasons.setdefault(loss, " ".join(reason.split()))

    def lines(self) -> list[str]:
        """Return a line a kind: number, what, first reason."""
        return [
            f"{number} {loss.value} ({self.reasons[loss]})"
            for loss, number in sorted(self.counts.items(), key=lambda pair: pair[0].name)
        ]
