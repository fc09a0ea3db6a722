"""Lock of a command's output folder, which ends with the process that holds it."""

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from liquid_control.errors import OutputError
from liquid_control.files import unwritable

LOCK_FILE = ".lock"
_WRITING_S = 0.5
"""Time in which the holder of a lock writes its name into it."""


@contextmanager
def folder_lock(folder: Path, command: str) -> Iterator[None]:
    """Hold the lock of a folder.

    The lock is `flock` on the file `.lock`, which holds process, host, command and start time of
    the holder. The system releases it when the process ends, however it ends.

    Args:
        folder: an existing folder.
        command: name of the command.

    Raises:
        OutputError: another command holds the lock, which the message names, or the lock file
            cannot be written.
    """
    path = folder / LOCK_FILE
    try:
        file = _locked(path)
    except OSError as error:
        raise unwritable(path, error) from error
    if file is None:
        raise OutputError(
            f"--out {folder}: is in use by {_holder(path)}; wait for it, or give another --out"
        )
    try:
        _write_holder(path, file, command)
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(file)


def _locked(path: Path) -> int | None:
    """Return the locked file; None if another process holds the lock."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        except OSError as error:
            print(
                f"liquid-control: warning: {path.parent}: its file system has no locks "
                f"({error.strerror}); start no second command with this --out",
                file=sys.stderr,
            )
            return file
        if _is_at(path, file):
            return file
        os.close(file)  # its holder removed it after it was opened here


def _is_at(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _write_holder(path: Path, file: int, command: str) -> None:
    started = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    holder = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "command": command,
        "started_utc": started,
    }
    try:
        os.ftruncate(file, 0)
        os.write(file, (json.dumps(holder) + "\n").encode())
    except OSError as error:
        raise unwritable(path, error) from error


def _holder(path: Path) -> str:
    """Return the holder of a lock in words; it may be writing them."""
    end_s = time.monotonic() + _WRITING_S
    while time.monotonic() < end_s:
        with suppress(OSError, ValueError, KeyError, TypeError):
            holder = json.loads(path.read_text(encoding="utf-8"))
            return (
                f"`{holder['command']}` (process {holder['process']} on {holder['host']}, "
                f"started {holder['started_utc']})"
            )
        time.sleep(0.02)
    return "another command"
