"""Bounded reading, and atomic writing: a reader sees the old content or the new one, whole."""

import errno
import glob
import os
import pwd
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from liquid_control.errors import OutputError


def user_cache() -> Path:
    """Return `$XDG_CACHE_HOME`, else `.cache` in the home folder, else the temporary folder.

    The home folder is that of the user's account if `HOME` is unset or empty.
    """
    base, home = os.environ.get("XDG_CACHE_HOME", ""), os.environ.get("HOME", "")
    if os.path.isabs(base):
        return Path(base)
    if not os.path.isabs(home):
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return Path(tempfile.gettempdir())
    return Path(home) / ".cache"


def read_limited(path: Path, limit_bytes: int) -> bytes:
    """Return the content of a file of at most `limit_bytes`.

    Raises:
        OSError: the file cannot be read, or is larger; `/dev/zero` is larger than any limit.
    """
    with path.open("rb") as stream:
        content = stream.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise OSError(errno.EFBIG, f"it has more than {limit_bytes:,} bytes")
    return content


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


def reserve(file: int, size: int) -> None:
    """Take the space of a file on its disk.

    A mapped file of holes that does not find space later kills its process with SIGBUS.

    Args:
        file: descriptor.
        size: of the whole file, bytes.

    Raises:
        OSError: the disk has not enough space.
    """
    os.posix_fallocate(file, 0, size)


def unwritable(path: Path, error: OSError) -> OutputError:
    """Return the error for a path that could not be written, with the system's reason."""
    return OutputError(f"{path}: cannot be written ({error.strerror or error})")


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_IN_WORDS = ("no space left on device", "disk is full", "disk quota exceeded")
_LEAST_FREE_BYTES = 1 << 20


def full_disk_error(error: BaseException) -> OutputError | None:
    """Return the error for a full disk if that is why a program failed; None otherwise.

    Libraries report a full disk by different errors, some of which keep the system's only as
    their cause or in their text.

    Args:
        error: as it was raised.
    """
    cause: BaseException | None = error
    while cause is not None and not _is_full(cause):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    name = getattr(cause, "filename", None)
    if name is None:
        name = next((f"disk of {place}" for place in _usual_places() if has_no_space(place)), None)
    return OutputError(
        f"{name or 'a file or standard output'}: cannot be written (No space left on device)"
    )


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return any(words in str(error).lower() for words in _FULL_IN_WORDS)


def _usual_places() -> list[Path]:
    with suppress(OSError):
        return [Path.cwd(), Path(tempfile.gettempdir()), Path("/dev/shm")]
    return []


def has_no_space(place: Path) -> bool:
    """Return whether the disk of a file or folder is full."""
    try:
        return shutil.disk_usage(place).free < _LEAST_FREE_BYTES
    except OSError:
        return False


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
