"""Names of unfinished bags, so that an incomplete bag is not mistaken for a finished one."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from liquid_control.errors import OutputError


def check_free(path: Path) -> None:
    """Check that a path does not exist.

    Raises:
        OutputError: the path exists.
    """
    if os.path.lexists(path):
        raise OutputError(f"{path}: exists already, and bags are not overwritten")


def partial_names(path: Path) -> Iterator[Path]:
    """Return candidate names for an unfinished bag, in the order in which they are tried.

    `flight.mcap` yields `flight.mcap.partial`, `flight-2.mcap.partial` and so on: the bag of a
    killed recorder is never overwritten.
    """

    def name(number: int) -> Path:
        stem = path.stem if number == 1 else f"{path.stem}-{number}"
        return path.with_name(f"{stem}{path.suffix}.partial")

    return map(name, count(1))
