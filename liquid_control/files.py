"""Files that are there whole or not at all, whenever the process is killed."""

import glob
import os
from collections.abc import Callable
from pathlib import Path

from liquid_control.errors import OutputError


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, then move it into place.

    What a killed process left of an earlier attempt at the same file is removed.

    Raises:
        OutputError: the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(partial)
            partial.replace(path)
        finally:
            _remove_remains(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _remove_remains(path: Path) -> None:
    """Remove partial files, except those that another living process is writing."""
    for remains in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        process = int(remains.suffixes[-2][1:])
        if process == os.getpid() or not _lives(process):
            remains.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    write_whole(path, lambda partial: _write(partial, text))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
