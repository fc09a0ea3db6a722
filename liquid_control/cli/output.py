"""Where a command writes: checked before the work starts, and left clean when it fails."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console

from liquid_control.errors import OutputError


@contextmanager
def output_folder(out: Path | None, command: str) -> Iterator[Path]:
    """Make the folder of a command's results; `runs/<UTC time>-<command>` unless named.

    If the command fails or is interrupted before it wrote anything, the folder goes again.

    Raises:
        OutputError: it cannot be made, or nothing can be written into it.
    """
    folder = out or Path("runs") / f"{datetime.now(timezone.utc):%Y-%m-%dT%H-%M-%SZ}-{command}"
    _probe(folder)
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
            if out is None:
                folder.parent.rmdir()
        raise


def _probe(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"--out {folder}: expected a folder that can be written to ({error.strerror})"
        ) from error


WIDTH_WITHOUT_TERMINAL = 120


def console() -> Console:
    """Return the console of standard output; wide enough for tables in files and pipes."""
    return Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)
