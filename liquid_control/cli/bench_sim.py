"""How fast the simulator flies with camera and policy, on one core, and where the time goes."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar, cast

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from liquid_control.interfaces import Pilot
    from liquid_control_sim import SimulatedWorld

T = TypeVar("T")

SETTINGS = {"camera.rate_hz": 20.0, "forest.trees": 120}
FIRST_SEED = 10_000


@dataclass(frozen=True, slots=True)
class SimulationRow:
    """One flight, timed.

    Attributes:
        frames: control steps with a picture.
        world_s: making the world: forest, meshes, textures.
        flight_s: wall clock from take-off to the end.
        steps_per_s: control steps a second of wall clock, the world's making left out.
        real_time: simulated over wall clock, likewise.
        real_time_cpu: the same by this process's own CPU time, which other processes disturb less.
        real_time_with_world: the same with the world's making.
        render_ms: a step's share for the picture; likewise policy_ms.
        physics_ms: a step's share for physics, wind, sensors and the judge.
    """

    seed: int
    frames: int
    simulated_s: float
    world_s: float
    flight_s: float
    steps_per_s: float
    real_time: float
    real_time_cpu: float
    real_time_with_world: float
    render_ms: float
    policy_ms: float
    physics_ms: float


class _Stopwatch:
    """Adds up the time that calls take."""

    def __init__(self) -> None:
        self.total_s = 0.0

    def timed(self, function: Callable[..., T]) -> Callable[..., T]:
        def call(*arguments: object) -> T:
            start = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                self.total_s += time.perf_counter() - start

        return call


class _TimedWorld:
    """A world whose pictures are timed; everything else is the world's own."""

    def __init__(self, world: "SimulatedWorld", rendering: _Stopwatch) -> None:
        self._world = world
        self.take_picture = rendering.timed(world.take_picture)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


def measure_simulation(model: str, repeats: int) -> tuple[list[SimulationRow], dict[str, Any]]:
    """Fly `repeats` forests on one core; the first flight, which warms caches, is not counted."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = "1"
    with _one_core():
        from liquid_control.cli.pilots import PilotOf

        pilot = PilotOf(model)()
        rows = [_time_flight(pilot, FIRST_SEED + index) for index in range(repeats + 1)][1:]
    return rows, {"model": model, "scenario": "trail", "set": SETTINGS}


@contextmanager
def _one_core() -> Iterator[None]:
    """Keep this process on one core, where the system knows how."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _time_flight(pilot: "Pilot", seed: int) -> SimulationRow:
    from liquid_control.command.guard import Guard, GuardState
    from liquid_control.config import load_scenario
    from liquid_control_sim import Flight

    guard, state = Guard(), GuardState()
    rendering, thinking = _Stopwatch(), _Stopwatch()
    answer = thinking.timed(pilot.command)
    frames = stamp_ns = 0
    start = time.perf_counter()
    with Flight(load_scenario("trail", SETTINGS), seed) as flight:
        pilot.start(flight.world)
        flight.world = cast("SimulatedWorld", _TimedWorld(flight.world, rendering))
        made, made_cpu = time.perf_counter(), time.process_time()
        while (tick := flight.advance()) is not None:
            stamp_ns = tick.stamp_ns
            if tick.observation is None:
                state = guard.poll(stamp_ns, state)
            else:
                frames += 1
                state = guard.admit(answer(tick.observation, tick.truth), stamp_ns, state)
            flight.obey(state.output)
        flown, flown_cpu = time.perf_counter(), time.process_time()
    simulated_s, flight_s = stamp_ns / 1e9, flown - made
    rest_s = flight_s - rendering.total_s - thinking.total_s
    return SimulationRow(
        seed=seed,
        frames=frames,
        simulated_s=simulated_s,
        world_s=made - start,
        flight_s=flight_s,
        steps_per_s=frames / flight_s,
        real_time=simulated_s / flight_s,
        real_time_cpu=simulated_s / (flown_cpu - made_cpu),
        real_time_with_world=simulated_s / (flown - start),
        render_ms=1e3 * rendering.total_s / frames,
        policy_ms=1e3 * thinking.total_s / frames,
        physics_ms=1e3 * rest_s / frames,
    )


def simulation_table(rows: Sequence[SimulationRow]) -> Table:
    """Return median and range of each figure."""
    title = f"simulation, camera and policy on one core, {len(rows)} flights"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    for name in ("median", "least", "most"):
        table.add_column(name, justify="right")
    figures: dict[str, Callable[[SimulationRow], float]] = {
        "control steps a second": lambda row: row.steps_per_s,
        "times real time": lambda row: row.real_time,
        "times real time, by CPU time": lambda row: row.real_time_cpu,
        "times real time, world's making included": lambda row: row.real_time_with_world,
        "picture, ms a step": lambda row: row.render_ms,
        "physics, wind and sensors, ms a step": lambda row: row.physics_ms,
        "policy, ms a step": lambda row: row.policy_ms,
        "making the world, s": lambda row: row.world_s,
    }
    for name, figure in figures.items():
        values = [figure(row) for row in rows]
        numbers = (median(values), min(values), max(values))
        table.add_row(name, *(f"{number:.3g}" for number in numbers))
    return table
