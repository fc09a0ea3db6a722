"""Measurements of a benchmark as they are made, so that an interrupted one goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from liquid_control.journal import Journal, restored

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements that a journal holds.

    Attributes:
        journal: of the run; None measures everything anew and keeps nothing.
    """

    journal: Journal | None = None

    def once(self, key: str, kind: type[Row], measure: Callable[[], Row]) -> Row:
        """Return the measurement of a name; make and write it if the journal does not hold it.

        Args:
            key: name of the measurement, unique in its benchmark.
            kind: dataclass of the measurement.
            measure: makes it.

        Raises:
            OutputError: the journal cannot be written.
        """
        if self.journal is None:
            return measure()
        for line in self.journal.rows:
            if line.get("key") == key:
                return restored(kind, line["row"])
        row = measure()
        self.journal.append({"key": key, "row": row})
        return row

    def rows(self) -> list[Any]:
        """Return the measurements so far as plain data."""
        return [] if self.journal is None else [line["row"] for line in self.journal.rows]
