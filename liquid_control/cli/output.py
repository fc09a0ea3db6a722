"""Output folder and console of a command.

The folder is checked before the work starts and removed if the command fails without output.
"""

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
    """Create the folder of a command's results.

    If the command fails or is interrupted while the folder is empty, the folder is removed.

    Args:
        out: the folder; `runs/<UTC time>-<command>` if None.
        command: name of the command.

    Raises:
        OutputError: the folder cannot be created or is not writable.
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
    """Return the console of standard output; it is 120 columns wide in files and pipes."""
    return Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)
