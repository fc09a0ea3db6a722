"""Atomic writing of files and folders: a reader sees the old content or the new one, whole."""

import glob
import os
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from liquid_control.errors import OutputError


def atomic_write(
    path: Path, content: str | bytes | Callable[[Path], None], *, parents: bool = False
) -> Path:
    """Write a file next to `path`, then rename it to `path`.

    If writing fails, the file that was there before stays, and nothing half-written is left.
    Partial files of killed processes that wrote to the same path are removed.

    Args:
        path: the file to write.
        content: text (written as UTF-8), bytes, or a function that writes a file at the path it
            receives.
        parents: create missing parent folders. Otherwise a missing folder is an error.

    Returns:
        `path`.

    Raises:
        OutputError: the file cannot be written; the message names the path and the reason.
    """
    # The id of the main thread is the process id; other threads write files of their own.
    partial = path.with_name(f".{path.name}.{threading.get_native_id()}.partial")
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write(partial, content)
            partial.replace(path)
        finally:
            _remove_remains(path, partial)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def unwritable(path: Path, error: OSError) -> OutputError:
    """Return the error for a path that could not be written, with the system's reason."""
    return OutputError(f"{path}: cannot be written ({error.strerror or error})")


def _write(path: Path, content: str | bytes | Callable[[Path], None]) -> None:
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content(path)


def _remove_remains(path: Path, own: Path) -> None:
    """Remove partial files of `path`, except those that a living thread is writing."""
    with suppress(OSError):
        own.unlink(missing_ok=True)
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.partial")
    for remains in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        found = pattern.fullmatch(remains.name)
        if found is not None and not _is_alive(int(found[1])):
            with suppress(OSError):
                remains.unlink(missing_ok=True)


def _is_alive(thread: int) -> bool:
    """Return whether a thread can still write: it exists, and is not a zombie."""
    try:
        os.kill(thread, 0)
    except PermissionError:
        pass
    except (ProcessLookupError, OverflowError):
        return False
    try:
        status = Path(f"/proc/{thread}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return status.rpartition(")")[2].split()[:1] not in (["Z"], ["X"])


def atomic_folder(path: Path, content: Mapping[str, bytes]) -> Path:
    """Write a folder of files next to `path`, then rename it to `path`.

    An older folder is replaced. If writing fails, the older folder stays, and nothing
    half-written is left.

    Args:
        path: the folder to write. Missing parents are created.
        content: file names and their bytes.

    Returns:
        `path`.

    Raises:
        OutputError: the folder cannot be written; the message names the path and the reason.
    """
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for name, data in content.items():
            (partial / name).write_bytes(data)
        _replace_folder(path, partial)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return path


def _replace_folder(path: Path, partial: Path) -> None:
    if not path.exists():
        partial.rename(path)
        return
    old = partial.with_name(f"{partial.name}.old")
    path.rename(old)
    try:
        partial.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old)


def move_to_free(partial: Path, path: Path) -> None:
    """Move a finished file or folder to a path that is free; never overwrite.

    Raises:
        OutputError: the path exists.
        OSError: the file or folder cannot be moved.
    """
    try:
        os.link(partial, path)
    except FileExistsError as error:
        raise _occupied(partial, path) from error
    except OSError as error:  # a folder, or a file system without hard links, such as FAT
        if os.path.lexists(path):
            raise _occupied(partial, path) from error
        partial.rename(path)
    else:
        partial.unlink()


def _occupied(partial: Path, path: Path) -> OutputError:
    return OutputError(f"{path}: exists already; the new one is {partial}")
