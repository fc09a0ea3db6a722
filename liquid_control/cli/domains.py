"""A ROS domain of our own, so that two flights on one machine do not hear each other."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from liquid_control.errors import GraphError

FIRST, LAST = 1, 101
"""Domains whose ports lie below Linux's ephemeral ones."""


@contextmanager
def free_domain() -> Iterator[int]:
    """Yield a domain that nobody uses, and keep it until the end.

    Raises:
        GraphError: all are taken.
    """
    count = LAST - FIRST + 1
    for offset in range(count):
        domain = FIRST + (os.getpid() + offset) % count
        lock = os.open(_lock_file(domain), os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _silent(domain):
                yield domain
                return
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
    raise GraphError(f"expected a free ROS domain from {FIRST} to {LAST}, all are taken")


def _lock_file(domain: int) -> Path:
    return Path(tempfile.gettempdir()) / f"liquid_control-{os.getuid()}-domain-{domain}.lock"


def _silent(domain: int) -> bool:
    """Return whether no participant listens on the port that the first of a domain takes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", 7410 + 250 * domain))
        except OSError:
            return False
    return True
