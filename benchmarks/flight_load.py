"""CPU time of the processes of a flight, as part of a core."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

TICKS_HZ = os.sysconf("SC_CLK_TCK")
BEGIN_S = 5.0
"""Of the flight, after which processes, a viewer among them, have loaded what they need."""


def children(parent: int) -> dict[str, int]:
    """Return the process ids of the children that run a Python module, by its last name."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError, IndexError, ValueError):
            if int(_stat(int(folder.name))[1]) == parent:
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                module = words[words.index("-m") + 1]
                found[module.rpartition(".")[2]] = int(folder.name)
    return found


def cpu_time_s(process: int) -> float:
    """Return the user and system time of a process and all its threads, s; 0 if it has ended."""
    with suppress(OSError):
        user, system = _stat(process)[11:13]
        return (int(user) + int(system)) / TICKS_HZ
    return 0.0


def _stat(process: int) -> list[str]:
    """Return what proc(5) has of a process after its name: state, parent and so on."""
    return Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")[2].split()


class FlightLoad:
    """Measures processes from `BEGIN_S` of a flight to its last event.

    Args:
        processes: returns their ids by name; called once.
        time_s: returns the CPU time of a process, s.
        clock: steady time, s.
    """

    def __init__(
        self,
        processes: Callable[[], Mapping[str, int]] = lambda: children(os.getpid()),
        time_s: Callable[[int], float] = cpu_time_s,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes, self._time_s, self._clock = processes, time_s, clock
        self._found: Mapping[str, int] = {}
        self._first: tuple[float, Mapping[str, float]] | None = None
        self._last: tuple[float, Mapping[str, float]] | None = None

    def on_progress(self, event: Mapping[str, Any]) -> None:
        """Read the times at an event of the flight."""
        if event["time_s"] >= BEGIN_S:
            self._found = self._found or self._processes()
            times_s = {name: self._time_s(one) for name, one in self._found.items()}
            self._last = self._clock(), times_s
            self._first = self._first or self._last

    def cores(self) -> dict[str, float]:
        """Return the part of a core that each process took; nothing after too short a flight."""
        if self._first is None or self._last is None or self._last[0] <= self._first[0]:
            return {}
        (begin_s, before), (end_s, after) = self._first, self._last
        return {
            name: (after[name] - before[name]) / (end_s - begin_s)
            for name in before
            if after[name] >= before[name]  # else it has ended
        }
