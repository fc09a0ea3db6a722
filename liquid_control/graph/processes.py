"""Child processes that never outlive us, and that are ended kindly first."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from liquid_control.errors import GraphError

TERM_TIMEOUT_S = 3.0
"""Between SIGTERM and SIGKILL when somebody waits for the end."""
FLUSH_TIMEOUT_S = 20.0
"""The same after a complete flight: a busy machine still closes the bag."""
_LEAKED = ("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "LD_LIBRARY_PATH")
"""What ROS wheels leave in the environment, and what would keep a child from finding its own."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Process:
    """A child process.

    Attributes:
        name: of the node, for messages.
        child: its handle; stdout is a pipe where it was asked for.
        log: where its stderr goes.
    """

    name: str
    child: "subprocess.Popen[bytes]"
    log: Path

    def last_error_line(self) -> str:
        """Return the last error line of its log, or else its last line."""
        lines = [line for line in _read(self.log).splitlines() if line.strip()]
        errors = [line for line in lines if "[ERROR]" in line or "[FATAL]" in line]
        line = (errors or lines or ["no output"])[-1]
        return line.rpartition("]: ")[2].strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return our environment for a child: without what ROS wheels leaked, with some more."""
    leaked = _LEAKED if _LEAKED[0] in os.environ else ()
    return {key: value for key, value in os.environ.items() if key not in leaked} | dict(extra)


def start(
    name: str, words: Sequence[str], environment: Mapping[str, str], log: Path, heard: bool
) -> Process:
    """Start a process that gets SIGTERM when we die, even by SIGKILL.

    Args:
        name: for messages.
        words: the command line.
        environment: complete.
        log: file for its stderr.
        heard: whether its stdout is a pipe for us; else it joins the log.
    """
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as errors:
        out: int | IO[str] = subprocess.PIPE if heard else errors
        child = subprocess.Popen(
            list(words),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
    return Process(name, child, log)


def end(processes: Iterable[Process], term_timeout_s: float = TERM_TIMEOUT_S) -> dict[str, int]:
    """End processes with SIGTERM, after a while with SIGKILL; return their exit statuses."""
    ending = list(processes)
    for process in ending:
        if process.child.poll() is None:
            process.child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + term_timeout_s
    for process in ending:
        try:
            process.child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.child.kill()
            process.child.wait()
        if process.child.stdout is not None:
            process.child.stdout.close()
    return {process.name: process.child.returncode for process in ending}


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
