"""Child processes that run nodes, end with their parent, and have a ROS domain of their own."""

import ctypes
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

from liquid_control.config import project_file
from liquid_control.errors import GraphError, error_line
from liquid_control.files import has_no_space
from liquid_control.stall_timer import StallTimer, cpu_time_s

TERM_TIMEOUT_S = 3.0
"""Between SIGTERM and SIGKILL while a user waits; counted by the rule of `stall_timer`."""
FLUSH_TIMEOUT_S = 20.0
"""The same after a complete flight, whose bag the recorder still closes."""
POLL_PERIOD_S = 0.02
_BOOTSTRAPPED, _LIBRARIES = "_ROS_WHEELS_BOOTSTRAP_COMPLETE", "LD_LIBRARY_PATH"
"""Variables that ROS wheels set for this process; a child must find its own libraries."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Process:
    """A child process.

    Attributes:
        name: of the node, for messages.
        child: its handle; stdout is a pipe where that was requested.
        log: file with its stderr.
    """

    name: str
    child: "subprocess.Popen[bytes]"
    log: Path

    def last_error_line(self) -> str:
        """Return the last error line of its log, or else its last line."""
        return error_line(_read(self.log))

    def exit_message(self) -> str:
        """Return its exit status and its last error line; on a full disk that is the reason."""
        reason = self.last_error_line()
        if has_no_space(self.log.parent) and "No space left" not in reason:
            reason = f"No space left on device ({self.log.parent})"
        return f"{self.name} ended with status {self.child.poll()}: {reason}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def node_command(
    module: str,
    parameters: Mapping[str, object],
    parameter_file: Path | None = None,
    remaps: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """Return the command line of a node.

    Args:
        module: Python module that runs it, such as `liquid_control.nodes.guard_node`.
        parameters: by name; they take precedence over the file.
        parameter_file: YAML; None for none.
        remaps: other names of topics.
    """
    command = [sys.executable, "-m", module, "--ros-args"]
    if parameter_file is not None:
        command += ["--params-file", str(parameter_file)]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={json.dumps(value)}"]
    for name, other in remaps.items():
        command += ["-r", f"{name}:={other}"]
    return command


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment for a child: without leaked variables, with `extra`.

    Of the library path, only folders outside of this Python installation are the user's, such as
    those of a workspace with message packages.
    """
    environment = dict(os.environ)
    if environment.pop(_BOOTSTRAPPED, None) is not None:
        folders = environment.pop(_LIBRARIES, "").split(os.pathsep)
        own = [one for one in folders if one and not Path(one).is_relative_to(sys.prefix)]
        environment |= {_LIBRARIES: os.pathsep.join(own)} if own else {}
    return environment | dict(extra)


def ros_variables(domain: int) -> dict[str, str]:
    """Return the environment variables of a graph that is on this machine alone.

    Args:
        domain: ROS domain.
    """
    profiles = str(project_file("config/fastdds.xml"))
    return {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTRTPS_DEFAULT_PROFILES_FILE": profiles,
        "FASTDDS_DEFAULT_PROFILES_FILE": profiles,
    }


def node_environment(domain: int) -> dict[str, str]:
    """Return the environment of a node: this process's Python path, in a ROS domain."""
    path = os.pathsep.join(path for path in sys.path if path)
    return clean_environment(ros_variables(domain) | {"PYTHONPATH": path})


def start_process(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    pipe_stdout: bool = False,
) -> Process:
    """Start a process that receives SIGTERM when this one dies, even by SIGKILL.

    Args:
        name: for messages.
        command: the command line.
        environment: complete.
        log: file for its stderr.
        pipe_stdout: whether its stdout is a pipe to this process; else it joins the log.
    """
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as errors:
        out: int | IO[str] = subprocess.PIPE if pipe_stdout else errors
        child = subprocess.Popen(
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
    return Process(name, child, log)


def end_processes(
    processes: Iterable[Process], term_timeout_s: float = TERM_TIMEOUT_S
) -> dict[str, int]:
    """End processes with SIGTERM, idle ones after a time with SIGKILL; return exit statuses.

    Args:
        processes: any that have ended already included.
        term_timeout_s: longest idle time before SIGKILL, s.
    """
    children = list(processes)
    for process in children:
        if process.child.poll() is None:
            process.child.send_signal(signal.SIGTERM)
    wait_for_end(children, term_timeout_s)
    for process in children:
        if process.child.poll() is None:
            process.child.kill()
        process.child.wait()
        if process.child.stdout is not None:
            process.child.stdout.close()
    return {process.name: process.child.returncode for process in children}


def wait_for_end(processes: Iterable[Process], limit_s: float) -> bool:
    """Wait until processes have ended by themselves; return False if they stay idle.

    Args:
        processes: any that have ended already included.
        limit_s: longest idle time, s.
    """
    pids = [process.child.pid for process in processes]
    timer = StallTimer(limit_s, lambda: cpu_time_s(pids))
    waiting = list(processes)
    while waiting := [process for process in waiting if process.child.poll() is None]:
        if timer.expired(len(waiting)):
            return False
        time.sleep(POLL_PERIOD_S)
    return True


_FIRST, _LAST = 1, 101
"""Domains whose ports are below Linux's ephemeral ones."""


@contextmanager
def free_domain() -> Iterator[int]:
    """Yield a ROS domain that no process uses, and reserve it until the end.

    Raises:
        GraphError: all domains are in use, or this machine has no loopback interface.
    """
    _check_loopback()
    count = _LAST - _FIRST + 1
    for offset in range(count):
        domain = _FIRST + (os.getpid() + offset) % count
        lock = os.open(_lock_file(domain), os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_unused(domain):
                yield domain
                return
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
    raise GraphError(f"expected a free ROS domain from {_FIRST} to {_LAST}, all are in use")


def _check_loopback() -> None:
    """Check that processes of this machine can reach each other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("127.0.0.1", 9))
        except OSError as error:
            raise GraphError(
                f"expected a loopback interface for ROS 2, 127.0.0.1 cannot be reached "
                f"({error.strerror}); `ip link set lo up` starts it"
            ) from error


def _lock_file(domain: int) -> Path:
    return Path(tempfile.gettempdir()) / f"liquid_control-{os.getuid()}-domain-{domain}.lock"


def _is_unused(domain: int) -> bool:
    """Return whether no participant has bound the port that the first of a domain takes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", 7410 + 250 * domain))
        except OSError:
            return False
    return True
