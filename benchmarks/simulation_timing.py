"""Timing of simulated flights by part of a control step, and of resets."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar, cast

from liquid_control.errors import DependencyError

if TYPE_CHECKING:
    from liquid_control.config import Scenario
    from liquid_control.interfaces import Pilot
    from liquid_control_sim import SimulatedWorld


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FlightTimes:
    """Times of a flight.

    Attributes:
        seed: seed of the flight.
        frames: number of control steps with a picture.
        simulated_s: simulated time, s.
        flight_s: wall-clock time from take-off to the end, without building the world, s.
        steps_per_s: control steps per second of wall-clock time.
        steps_per_s_cpu: control steps per second of this process's CPU time, which other
            processes affect less.
        real_time: simulated time over wall-clock time.
        camera_per_s: frames per second of rendering time; likewise by CPU time.
        camera_ms: rendering time per step, ms.
        pilot_ms: time of the pilot per step, ms.
        physics_ms: time of physics, wind, sensors and task status per step, ms.
    """

    seed: int
    frames: int
    simulated_s: float
    flight_s: float
    steps_per_s: float
    steps_per_s_cpu: float
    real_time: float
    camera_per_s: float
    camera_per_s_cpu: float
    camera_ms: float
    pilot_ms: float
    physics_ms: float


class _Stopwatch:
    """Total duration of timed calls, by wall clock and by CPU time of this process."""

    def __init__(self) -> None:
        self.total_s = self.cpu_s = 0.0

    def timed(self, function: Callable[..., T]) -> Callable[..., T]:
        def call(*arguments: object) -> T:
            start, start_cpu = time.perf_counter(), time.process_time()
            try:
                return function(*arguments)
            finally:
                self.total_s += time.perf_counter() - start
                self.cpu_s += time.process_time() - start_cpu

        return call


class _TimedWorld:
    """Proxy of a world that times `take_picture`."""

    def __init__(self, world: "SimulatedWorld", rendering: _Stopwatch) -> None:
        self._world = world
        self.take_picture = rendering.timed(world.take_picture)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


def time_flight(scenario: "Scenario", seed: int, pilot: "Pilot") -> FlightTimes:
    """Fly a scenario from start to end and return the times of its parts."""
    from liquid_control.command.guard import Guard, GuardState
    from liquid_control_sim import Flight

    guard, state = Guard(), GuardState()
    rendering, deciding = _Stopwatch(), _Stopwatch()
    command = deciding.timed(pilot.command)
    frames = stamp_ns = 0
    with Flight(scenario, seed) as flight:
        pilot.start(flight.world)
        flight.world = cast("SimulatedWorld", _TimedWorld(flight.world, rendering))
        start, start_cpu = time.perf_counter(), time.process_time()
        while (tick := flight.advance()) is not None:
            stamp_ns = tick.stamp_ns
            if tick.observation is None:
                state = guard.poll(stamp_ns, state)
            else:
                frames += 1
                state = guard.admit(command(tick.observation, tick.truth), stamp_ns, state)
            flight.apply_command(state.output)
        flight_s, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    simulated_s = stamp_ns / 1e9
    return FlightTimes(
        seed=seed,
        frames=frames,
        simulated_s=simulated_s,
        flight_s=flight_s,
        steps_per_s=frames / flight_s,
        steps_per_s_cpu=frames / cpu_s,
        real_time=simulated_s / flight_s,
        camera_per_s=frames / rendering.total_s,
        camera_per_s_cpu=frames / rendering.cpu_s,
        camera_ms=1e3 * rendering.total_s / frames,
        pilot_ms=1e3 * deciding.total_s / frames,
        physics_ms=1e3 * (flight_s - rendering.total_s - deciding.total_s) / frames,
    )


WARM_SEEDS = 20
"""Number of worlds whose reset from a warm cache is timed."""

STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class ResetTimes:
    """Durations of resets: building the world and rendering the first frame.

    Attributes:
        warm_ms: with a warm cache, median over seeds; likewise minimum, maximum and CPU time.
        cold_ms: for worlds new to this process, median; likewise minimum and maximum. None if
            there were none.
        resets: number of new worlds.
        growth_mb: growth of this process's resident memory by the new worlds, MB.
    """

    warm_ms: float
    warm_least_ms: float
    warm_most_ms: float
    warm_cpu_ms: float
    resets: int
    cold_ms: float | None
    cold_least_ms: float | None
    cold_most_ms: float | None
    growth_mb: float | None


def time_resets(
    scenario: "Scenario", first_seed: int, resets: int, advance: Callable[[], None]
) -> ResetTimes:
    """Time resets from a warm cache, then create new worlds and measure the memory growth.

    Args:
        scenario: scenario of all worlds.
        first_seed: first of the consecutive seeds.
        resets: number of new worlds; 0 for none.
        advance: called after each reset.
    """
    warm_seeds = range(first_seed, first_seed + WARM_SEEDS)
    for seed in warm_seeds:
        _reset_ms(scenario, seed, advance)
    warm = [_reset_ms(scenario, seed, advance) for seed in warm_seeds]
    before = _resident_mb() if resets else 0.0
    new = range(first_seed + WARM_SEEDS, first_seed + WARM_SEEDS + resets)
    cold = [_reset_ms(scenario, seed, advance)[0] for seed in new]
    wall, cpu = zip(*warm, strict=True)
    return ResetTimes(
        median(wall),
        min(wall),
        max(wall),
        median(cpu),
        resets,
        median(cold) if cold else None,
        min(cold) if cold else None,
        max(cold) if cold else None,
        _resident_mb() - before if resets else None,
    )


def _reset_ms(scenario: "Scenario", seed: int, advance: Callable[[], None]) -> tuple[float, float]:
    """Return the duration of a reset, ms, by wall clock and by CPU time."""
    from liquid_control_sim import Flight

    start, start_cpu = time.perf_counter(), time.process_time()
    with Flight(scenario, seed) as flight:
        flight.advance()
        elapsed_s, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    advance()
    return 1e3 * elapsed_s, 1e3 * cpu_s


def _resident_mb() -> float:
    """Return this process's resident memory, MB.

    Raises:
        DependencyError: the operating system has no `/proc`.
    """
    if not STATM.exists():
        raise DependencyError(f"measuring memory growth needs {STATM}, which does not exist")
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
