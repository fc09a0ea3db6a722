"""Count unusable data of a bag by kind, with the first reason of each kind.

A damaged bag is read as far as possible. The caller passes a `Losses` object down and reports it.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

WARNING = "warning: "
"""Beginning of the lines that are no losses."""
MAX_WARNINGS = 32


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
    SURPLUS_BYTES = "pictures with bytes after their end, which were ignored"
    BAD_VALUE = "readings that cannot be used"
    NOT_MEASURED = "IMU samples without rates or without accelerations"
    UNSET_AXIS = "set-points in which an axis is not set and is read as 0"
    OUT_OF_ORDER = "messages out of order"
    STAMP_BACKWARDS = "stamps that do not advance"
    CLOCK_JUMP = "clock jumps"
    FRAME_WITHOUT_IMU = "frames without a complete IMU window"
    NO_HEADING = "commands whose frame cannot be converted without an attitude"


@dataclass
class Losses:
    """Losses and warnings of one reading.

    Attributes:
        counts: number of losses of each kind.
        reasons: first reason of each kind, in one line.
        warnings: facts that make the data doubtful, each in one line, in order.
    """

    counts: Counter[Loss] = field(default_factory=Counter)
    reasons: dict[Loss, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def count(self, loss: Loss, reason: str, number: int = 1) -> None:
        """Count a loss; keep the first reason of its kind."""
        self.counts[loss] += number
        self.reasons.setdefault(loss, " ".join(reason.split()))

    def warn(self, text: str) -> None:
        """Keep a warning, once; of very many only the first ones."""
        line = " ".join(text.split())
        if line not in self.warnings and len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(line)

    def add(self, other: "Losses") -> None:
        """Add the losses and warnings of another reading."""
        for loss, number in other.counts.items():
            self.count(loss, other.reasons[loss], number)
        for text in other.warnings:
            self.warn(text)

    def lines(self) -> list[str]:
        """Return one line per kind (number, description, first reason), then the warnings."""
        return [
            f"{number} {loss.value} ({self.reasons[loss]})"
            for loss, number in sorted(self.counts.items(), key=lambda pair: pair[0].name)
        ] + [f"{WARNING}{text}" for text in self.warnings]


def labelled(line: str) -> str:
    """Return a line of `Losses.lines` for print: losses are labelled as lost."""
    return line if line.startswith(WARNING) else f"lost: {line}"
