"""Output folder and console of a command.

The folder is checked and locked before the work starts, and removed if the command fails without
output.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from liquid_control.errors import OutputError
from liquid_control.folder_lock import folder_lock

RESULTS = "results.json"
RUNS = Path("runs")
"""Parent of the folders that commands name themselves."""
_PROBE_BYTES = 4096


@contextmanager
def output_folder(
    out: Path | None, command: str, results: Sequence[str] = (), *, resume: bool | None = None
) -> Iterator[Path]:
    """Create and lock the folder of a command's results.

    If the command fails or is interrupted while the folder is empty, the folder is removed, and
    with it the parents that were created for it.

    Args:
        out: the folder; a new one, `runs/<UTC time>-<command>`, if None.
        command: name of the command.
        results: names of its files that it never replaces.
        resume: whether the command continues an earlier one in the folder; None for a command
            that cannot.

    Raises:
        OutputError: the folder cannot be created or is not writable, is in use by another
            command, or holds results.
    """
    folder, created = _make(out, command)
    try:
        _probe(folder)
        with folder_lock(folder, command_line()):
            if not resume:
                _check_unused(folder, results, resumable=resume is not None)
            yield folder
    except BaseException:
        with suppress(OSError):
            for made in created:
                made.rmdir()
        raise


def _make(out: Path | None, command: str) -> tuple[Path, list[Path]]:
    """Create the folder; return it and the folders that were created, itself first."""
    while True:
        folder = out or RUNS / f"{datetime.now(timezone.utc):%Y-%m-%dT%H-%M-%SZ}-{command}"
        missing = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
        try:
            folder.mkdir(parents=True, exist_ok=out is not None)
        except FileExistsError:
            if out is not None:
                raise _unusable(folder, "is a file") from None
            time.sleep(0.1)  # another command began in the same second
        except OSError as error:
            raise _unusable(folder, error.strerror) from error
        else:
            return folder, missing


def _probe(folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
    except OSError as error:
        raise _unusable(folder, error.strerror) from error


def _unusable(folder: Path, reason: str | None) -> OutputError:
    return OutputError(f"--out {folder}: expected a folder that can be written to ({reason})")


def _check_unused(folder: Path, results: Sequence[str], resumable: bool) -> None:
    for name in results:
        if os.path.lexists(folder / name):
            other = "--resume to go on, or another --out" if resumable else "another --out"
            raise OutputError(
                f"--out {folder}: holds {name} of an earlier command, and results never replace "
                f"results; give {other}"
            )


def command_line() -> str:
    """Return the words of this process's command line."""
    return " ".join(["liquid-control", *sys.argv[1:]])


def write_document(
    folder: Path,
    config: Mapping[str, Any],
    rows: Sequence[Any],
    summary: Sequence[Any] = (),
    complete: bool = True,
    begun_with: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write results.json of this command; return its content."""
    from liquid_control.evaluation import results_document, write_results

    words = ["liquid-control", *sys.argv[1:]]
    document = results_document(words, config, rows, summary, complete=complete)
    if begun_with:
        document["begun_with"] = begun_with
    write_results(folder / RESULTS, document)
    return document


def note(text: str) -> None:
    """Print a line about the command to stderr."""
    print(f"liquid-control: {text}", file=sys.stderr, flush=True)


WIDTH_WITHOUT_TERMINAL = 120


def console() -> Console:
    """Return the console of standard output; it is 120 columns wide in files and pipes."""
    return Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)
