"""Lock that lets one of two guard processes of a machine publish, until it ends."""

import fcntl
import os
import struct
import tempfile
from pathlib import Path

from liquid_control.errors import GraphError

_FLOCK = struct.Struct("hhqqi0q")
"""C's `struct flock` on 64-bit Linux: type, whence, start, length, process."""


class GuardLock:
    """Record lock on a file of the machine, named after user, ROS domain and topic.

    The system releases it when its holder ends, however it ends; within milliseconds of SIGKILL.
    So two processes never both hold it, and no heartbeat is needed. A holder that is stopped keeps
    it.

    Args:
        domain: ROS domain.
        topic: full name of the guarded topic.
        folder: for the file; None for the system's folder for temporary files.

    Raises:
        GraphError: the file cannot be written.
    """

    def __init__(self, domain: int, topic: str, folder: Path | None = None) -> None:
        name = f"liquid_control-{os.getuid()}-guard-{domain}{topic.replace('/', '-')}.lock"
        self.path = (folder or Path(tempfile.gettempdir())) / name
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            reason = f"expected a file that can be written ({error.strerror})"
            raise GraphError(f"{self.path}: {reason}") from error

    def acquire(self) -> bool:
        """Take the lock if no process holds it; return whether this one does."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def other_holder(self) -> int | None:
        """Return the process that holds the lock; None if no other one does."""
        query = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, process = _FLOCK.unpack(fcntl.fcntl(self._file, fcntl.F_GETLK, query))
        return None if kind == fcntl.F_UNLCK else int(process)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._file)
