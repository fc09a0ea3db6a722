"""Timeouts that count only without progress, so that a busy machine does not exceed them.

The rule for every wait for other processes in this package: a wait fails when there was no
progress for its time limit. Progress is

- a change of the observed state: a node joined the graph or became active, an answer arrived, a
  process ended; or
- work: the awaited processes used at least `MIN_LOAD` of one core over the limit, as a process
  does that still starts on a busy machine. A node that only waits uses less.

Time in which the waiting process itself did not run does not count. Processes that used
`MAX_WORK` times the limit of CPU time without a change of the state do not progress either: CPU
time does not depend on how busy the machine is.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

MIN_LOAD = 0.03
"""Of one core, all awaited processes together. Four idle nodes use 0.013 (AMD EPYC)."""
MAX_WORK = 10.0
"""CPU time without a change of the state, in multiples of the limit."""
MAX_STEP_S = 1.0
"""Longest time that counts between two calls of `expired`."""
_BASELINE = 0.1
"""Fraction of the limit after which CPU time is read first: short waits never read it."""


def _no_work() -> float:
    return 0.0


class StallTimer:
    """Timer of one wait. Call `expired` periodically.

    Args:
        limit_s: time without progress after which the wait fails.
        cpu_time_s: returns the CPU time of the awaited processes, s.
        clock: monotonic time, s.
    """

    def __init__(
        self,
        limit_s: float,
        cpu_time_s: Callable[[], float] = _no_work,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit_s = limit_s
        self._cpu_time_s = cpu_time_s
        self._clock = clock
        self._state: object = None
        self.restart()

    def restart(self) -> None:
        """Begin a new wait."""
        self._last_s = self._clock()
        self._idle_s = 0.0
        self._cpu_before_s: float | None = None
        self._work_s = 0.0

    def expired(self, state: object = None) -> bool:
        """Return whether nothing has progressed for the time limit.

        Args:
            state: any value that compares equal as long as nothing changes.
        """
        now_s = self._clock()
        self._idle_s += min(now_s - self._last_s, MAX_STEP_S)
        self._last_s = now_s
        if state != self._state:
            self._state = state
            self.restart()
        elif self._cpu_before_s is None and self._idle_s > _BASELINE * self.limit_s:
            self._cpu_before_s = self._cpu_time_s()
        return self._idle_s > self.limit_s and not self._worked()

    def _worked(self) -> bool:
        """Return whether the awaited processes worked; if so, begin a new period of the limit."""
        cpu_s = self._cpu_time_s()
        used_s = 0.0 if self._cpu_before_s is None else cpu_s - self._cpu_before_s
        self._work_s += used_s
        if used_s < MIN_LOAD * self.limit_s or self._work_s > MAX_WORK * self.limit_s:
            return False
        self._idle_s, self._cpu_before_s = 0.0, cpu_s
        return True


def cpu_time_s(pids: Iterable[int]) -> float:
    """Return user and system time of processes, s; a process that does not exist has none."""
    ticks = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def siblings(programs: Collection[str]) -> list[int]:
    """Return the ids of processes that have this process's parent and run one of some programs.

    Nodes of one flight are siblings, whether `liquid_control.graph` or a launch file started them.

    Args:
        programs: names as the command line has them, as a file or as the last part of a module.
    """
    parent = os.getppid()
    return [
        pid
        for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
        if pid != os.getpid()
        and (fields := _stat(pid))
        and int(fields[1]) == parent
        and _programs(pid) & set(programs)
    ]


def _stat(pid: int) -> list[str]:
    """Return the fields of proc_pid_stat(5) from the third on; none where there is no process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def _programs(pid: int) -> set[str]:
    """Return the last part of every word of a command line: of a path, or of a module's name."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return set()
    return {word.rpartition("/")[2].rpartition(".")[2] for word in words}
