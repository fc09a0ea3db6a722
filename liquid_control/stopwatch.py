"""How long work took: by the clock, and of this process's CPU, which others disturb less."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall time and CPU time of this process, s."""

    wall_s: float
    cpu_s: float


class Stopwatch:
    """Runs from where it is made."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def read(self) -> Timing:
        """Return what passed so far."""
        return Timing(time.perf_counter() - self._wall_s, time.process_time() - self._cpu_s)
