"""Child processes that never outlive us, and that are ended kindly first."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

KINDNESS_S = 3.0
"""Between SIGTERM and SIGKILL when somebody waits for the end."""
PATIENCE_S = 20.0
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

    def last_words(self) -> str:
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


def end(processes: Iterable[Process], kindness_s: float = KINDNESS_S) -> dict[str, int]:
    """End processes with SIGTERM, after a while with SIGKILL; return their exit statuses."""
    ending = list(processes)
    for process in ending:
        if process.child.poll() is None:
            process.child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + kindness_s
    for process in ending:
        try:
            process.child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.child.kill()
            process.child.wait()
        if process.child.stdout is not None:
            process.child.stdout.close()
    return {process.name: process.child.returncode for process in ending}
