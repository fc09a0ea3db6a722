"""One flight of the simulator, timed: where a control step's time goes."""

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
    """One flight, timed.

    Attributes:
        frames: control steps with a picture.
        flight_s: wall clock from take-off to the end, the world's making left out.
        steps_per_s: control steps a second of wall clock.
        steps_per_s_cpu: the same by this process's own CPU time, which other processes disturb
            less.
        real_time: simulated over wall clock.
        camera_per_s: frames a second of what taking pictures took; likewise by CPU time.
        camera_ms: a step's share for the picture; likewise pilot_ms.
        physics_ms: a step's share for physics, wind, sensors and the judge.
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
    """Adds up what calls take, by the wall clock and by this process's CPU time."""

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
    """A world whose pictures are timed; everything else is the world's own."""

    def __init__(self, world: "SimulatedWorld", rendering: _Stopwatch) -> None:
        self._world = world
        self.take_picture = rendering.timed(world.take_picture)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


def time_flight(scenario: "Scenario", seed: int, pilot: "Pilot") -> FlightTimes:
    """Fly a scenario from start to end and say what took how long."""
    from liquid_control.command.guard import Guard, GuardState
    from liquid_control_sim import Flight

    guard, state = Guard(), GuardState()
    rendering, thinking = _Stopwatch(), _Stopwatch()
    answer = thinking.timed(pilot.command)
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
                state = guard.admit(answer(tick.observation, tick.truth), stamp_ns, state)
            flight.obey(state.output)
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
        pilot_ms=1e3 * thinking.total_s / frames,
        physics_ms=1e3 * (flight_s - rendering.total_s - thinking.total_s) / frames,
    )


WARM_SEEDS = 20
"""Worlds whose making is timed once they are in the cache."""

STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class ResetTimes:
    """Beginnings of flights: the world's making up to and with the first frame.

    Attributes:
        warm_ms: from a warm cache, median over seeds; likewise least, most, and by CPU time.
        cold_ms: of worlds that this process has not seen, likewise; None if none were made.
        resets: how many of those were made in this process, each another world.
        growth_mb: by how much they grew this process's resident memory.
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
    """Time resets from a warm cache; then make `resets` more worlds and weigh what they leave.

    Args:
        scenario: what is made.
        first_seed: the seeds count up from here.
        resets: how many worlds are made for the memory's sake; 0 for none.
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
    """Return what the beginning of a flight takes, by the wall clock and by CPU time."""
    from liquid_control_sim import Flight

    start, start_cpu = time.perf_counter(), time.process_time()
    with Flight(scenario, seed) as flight:
        flight.advance()
        elapsed_s, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    advance()
    return 1e3 * elapsed_s, 1e3 * cpu_s


def _resident_mb() -> float:
    """Return this process's resident memory, MB."""
    if not STATM.exists():
        raise DependencyError(f"the growth of memory is read from {STATM}, which is not there")
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
