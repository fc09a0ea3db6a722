"""Count unusable data of a bag by kind, with the first reason of each kind.

A damaged bag is read as far as possible. The caller passes a `Losses` object down and reports it.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Loss(str, Enum):
    """Kinds of losses; the values are the descriptions in reports."""

    MISSING_PART = "parts of the recording that are missing or cannot be opened"
    ENDS_EARLY = "truncated files"
    UNREADABLE_BYTES = "bytes outside of valid records"
    DAMAGED_CHUNK = "chunks that are damaged"
    NO_INDEX = "files without an index"
    NO_TYPE = "messages of a type that is not defined"
    UNDECODABLE = "messages that do not fit their type"
    WRONG_TYPE = "messages of another type than the topic's"
    BAD_PICTURE = "pictures that cannot be used"
    BAD_VALUE = "readings that are not finite"
    OUT_OF_ORDER = "messages out of order"
    STAMP_BACKWARDS = "stamps that do not advance"
    CLOCK_JUMP = "clock jumps"
    FRAME_WITHOUT_IMU = "frames without a complete IMU window"
    NO_HEADING = "commands whose frame cannot be converted without an attitude"


@dataclass
class Losses:
    """Losses of one reading.

    Attributes:
        counts: number of losses of each kind.
        reasons: first reason of each kind, in one line.
    """

    counts: Counter[Loss] = field(default_factory=Counter)
    reasons: dict[Loss, str] = field(default_factory=dict)

    def count(self, loss: Loss, reason: str, number: int = 1) -> None:
        """Count a loss; keep the first reason of its kind."""
        self.counts[loss] += number
        self.reasons.setdefault(loss, " ".join(reason.split()))

    def lines(self) -> list[str]:
        """Return one line per kind: number, description, first reason."""
        return [
            f"{number} {loss.value} ({self.reasons[loss]})"
            for loss, number in sorted(self.counts.items(), key=lambda pair: pair[0].name)
        ]
