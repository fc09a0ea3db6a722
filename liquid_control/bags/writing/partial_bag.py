"""Where a bag stands while it is written: beside its place, so that half a bag passes for none."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from liquid_control.errors import OutputError


def check_free(path: Path) -> None:
    """Refuse a place that is taken.

    Raises:
        OutputError: something is there.
    """
    if os.path.lexists(path):
        raise OutputError(f"{path}: exists already, and bags are not overwritten")


def partial_names(path: Path) -> Iterator[Path]:
    """Return names beside a bag's place, in the order in which they are tried.

    `flight.mcap` gives `flight.mcap.partial`, `flight-2.mcap.partial` and so on: what a killed
    recorder left behind is somebody's flight.
    """

    def name(number: int) -> Path:
        stem = path.stem if number == 1 else f"{path.stem}-{number}"
        return path.with_name(f"{stem}{path.suffix}.partial")

    return map(name, count(1))


def put_in_place(partial: Path, path: Path) -> None:
    """Move a finished file to its place.

    Raises:
        OutputError: something came to stand there meanwhile.
        OSError: it cannot be moved.
    """
    try:
        os.link(partial, path)
    except FileExistsError as error:
        raise OutputError(f"{path}: was made by somebody else; this bag is {partial}") from error
    except OSError:  # a file system without hard links, such as a memory card's
        check_free(path)
        partial.rename(path)
    else:
        partial.unlink()
