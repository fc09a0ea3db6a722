"""Stopwatch for wall time and CPU time; other processes affect CPU time less."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall time and CPU time of this process, s."""

    wall_s: float
    cpu_s: float


class Stopwatch:
    """Measures from its construction on."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def read(self) -> Timing:
        """Return the time since construction."""
        return Timing(time.perf_counter() - self._wall_s, time.process_time() - self._cpu_s)
