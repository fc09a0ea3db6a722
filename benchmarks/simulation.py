"""Simulator benchmark on one core: steps, pictures, resets, memory, and another package's camera.

Flights and pictures of the other camera alternate, so that load on the machine affects both alike.
Every figure is also given by CPU time of this process, which other processes affect less than the
wall clock.
"""

import io
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.measured import Measured
from benchmarks.simulation_timing import (
    WARM_SEEDS,
    FlightTimes,
    ResetTimes,
    time_flight,
    time_resets,
)
from liquid_control.config import shipped

if TYPE_CHECKING:
    from liquid_control.interfaces import Pilot

PACKAGE = "gym_pybullet_drones"


def peer_is_installed() -> bool:
    """Return whether gym-pybullet-drones can be imported."""
    return find_spec(PACKAGE) is not None


@dataclass(frozen=True, slots=True)
class PeerCamera:
    """On-board camera of gym-pybullet-drones: one hovering Crazyflie over an empty plane.

    It renders as that package's learning environments do, without a segmentation mask. The
    resolution, a property of the aviary, equals that of this benchmark.
    """

    aviary: Any

    @classmethod
    def of(cls, width: int, height: int) -> "PeerCamera":
        """Create the aviary; its printed parameters and warnings are suppressed."""
        import numpy as np

        with redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            aviary = import_module(f"{PACKAGE}.envs.CtrlAviary").CtrlAviary(
                gui=False, record=False, obstacles=False, user_debug_gui=False
            )
            aviary.reset(seed=0)
        aviary.IMG_RES = np.array([width, height])
        return cls(aviary)

    def frames_per_s(self, frames: int) -> tuple[float, float]:
        """Render pictures; return frames per second by wall clock and by CPU time."""
        start, start_cpu = time.perf_counter(), time.process_time()
        for _ in range(frames):
            self.aviary._getDroneImages(0, segmentation=False)
        cpu_s = time.process_time() - start_cpu
        return frames / (time.perf_counter() - start), frames / cpu_s

    def close(self) -> None:
        """Disconnect the physics client."""
        self.aviary.close()


SIZE = (96, 54)
"""Width and height of the expert's pictures, px; those of a model have its size."""
SETTINGS = {
    "camera.rate_hz": 20.0,
    "forest.trees": 120,
    "wind.mean_mps": 4.0,
    "wind.gust_mps": 6.0,
}
"""A control step consists of 12 physics sub-steps at 240 Hz."""

FIRST_SEED = 10_000
PEER_FRAMES = 200


@dataclass(frozen=True, slots=True)
class PeerTurn:
    """Measurement of the other package's camera, made directly after a flight.

    Attributes:
        seed: seed of the flight.
        peer_per_s: frames per second of the other camera in an empty world; likewise by CPU time.
        ratio: frames per second in the forest over `peer_per_s`; likewise by CPU time.
    """

    seed: int
    peer_per_s: float
    ratio: float
    peer_per_s_cpu: float
    ratio_cpu: float

    @classmethod
    def of(cls, flight: FlightTimes, peer_per_s: tuple[float, float]) -> "PeerTurn":
        """Compare a flight with frames per second of the peer, by wall clock and CPU time."""
        wall, cpu = peer_per_s
        ratios = (flight.camera_per_s / wall, flight.camera_per_s_cpu / cpu)
        return cls(flight.seed, wall, ratios[0], cpu, ratios[1])


@dataclass(frozen=True, slots=True)
class SimulationTimes:
    """All measurements; `turns` is empty if gym-pybullet-drones is not installed."""

    flights: tuple[FlightTimes, ...]
    turns: tuple[PeerTurn, ...]
    resets: ResetTimes


def measure_simulation(
    model: str, repeats: int, resets: int, measured: Measured | None = None
) -> tuple[SimulationTimes, dict[str, Any]]:
    """Time flights and resets on one core, after a warm-up flight.

    Args:
        model: model folder of the pilot, or `expert`.
        repeats: number of flights, each through another forest.
        resets: number of worlds created to measure memory growth.
        measured: what an interrupted run has measured.

    Returns:
        The measurements and the configuration.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = "1"
    from liquid_control.config import load_scenario
    from liquid_control.progress import progress_bar

    measured = measured or Measured()
    pilot, (width, height) = _load_pilot(model)
    settings = {"camera.width": width, "camera.height": height, **SETTINGS}
    scenario = load_scenario("trail", settings)
    steps = repeats + 1 + 2 * WARM_SEEDS + resets
    with _one_core(), progress_bar("flights and resets", steps) as bar:
        peer = PeerCamera.of(width, height) if peer_is_installed() else None
        flights, turns = [], []
        if measured.rows():
            time_flight(scenario, FIRST_SEED, pilot)  # a resumed run warms up too
        for seed in range(FIRST_SEED, FIRST_SEED + repeats + 1):
            flights.append(
                measured.once(
                    f"flight {seed}", FlightTimes, partial(time_flight, scenario, seed, pilot)
                )
            )
            if peer is not None:
                compare = partial(_compare, flights[-1], peer)
                turns.append(measured.once(f"peer {seed}", PeerTurn, compare))
            bar.advance("flights")
        if peer is not None:
            peer.close()
        first, advance = FIRST_SEED + repeats + 1, partial(bar.advance, "resets")
        reset = partial(time_resets, scenario, first, resets, advance)
        reset_times = measured.once("resets", ResetTimes, reset)
    times = SimulationTimes(tuple(flights[1:]), tuple(turns[1:]), reset_times)
    return times, {"model": model, "scenario": "trail", "set": settings, "cores": 1}


def _compare(flight: FlightTimes, peer: PeerCamera) -> PeerTurn:
    return PeerTurn.of(flight, peer.frames_per_s(PEER_FRAMES))


def _load_pilot(model: str) -> tuple["Pilot", tuple[int, int]]:
    """Return the pilot, and width and height of its pictures, px."""
    if model == "expert":
        from liquid_control_sim import Expert

        return Expert(), SIZE
    from liquid_control.policy import Policy, PolicyPilot, load_model

    loaded = load_model(shipped(Path(model)))
    camera = loaded.settings.camera
    return PolicyPilot(Policy(loaded)), (camera.width, camera.height)


@contextmanager
def _one_core() -> Iterator[None]:
    """Pin this process to one core where the operating system supports it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def simulation_table(measured: SimulationTimes) -> Table:
    """Return a table of median, range and target of each figure."""
    flights, resets = measured.flights, measured.resets
    title = (
        f"simulation on one core: {SIZE[0]} x {SIZE[1]} pixels, {SETTINGS['forest.trees']} trees, "
        f"wind,\n12 physics sub-steps a control step, {len(flights)} flights"
    )
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    for name in ("median", "least", "most", "aim"):
        table.add_column(name, justify="right")
    table.add_row("control steps a second", *_spread([f.steps_per_s for f in flights]), ">= 350")
    table.add_row("  by CPU time", *_spread([f.steps_per_s_cpu for f in flights]))
    table.add_row("times real time", *_spread([f.real_time for f in flights]))
    table.add_row("picture, ms a step", *_spread([f.camera_ms for f in flights]))
    table.add_row(
        "physics, wind and sensors, ms a step", *_spread([f.physics_ms for f in flights])
    )
    table.add_row("pilot, ms a step", *_spread([f.pilot_ms for f in flights]))
    table.add_row("camera frames a second", *_spread([f.camera_per_s for f in flights]))
    table.add_row("  by CPU time", *_spread([f.camera_per_s_cpu for f in flights]))
    _add_peer(table, measured.turns)
    warm = (resets.warm_ms, resets.warm_least_ms, resets.warm_most_ms)
    table.add_row("reset from a warm cache, ms", *_numbers(warm), "<= 60")
    table.add_row("  by CPU time", f"{resets.warm_cpu_ms:.3g}", "", "")
    if resets.cold_ms is not None and resets.growth_mb is not None:
        cold = (resets.cold_ms, resets.cold_least_ms or 0.0, resets.cold_most_ms or 0.0)
        table.add_row("reset to a new forest, ms", *_numbers(cold))
        growth = f"memory grown by {resets.resets} resets, MB"
        table.add_row(growth, f"{resets.growth_mb:.3g}", "", "", "< 200")
    return table


def _add_peer(table: Table, turns: Sequence[PeerTurn]) -> None:
    peer = "  gym-pybullet-drones in an empty world"
    if not turns:
        table.add_row(peer, "not installed", "", "")
        return
    table.add_row(peer, *_spread([turn.peer_per_s for turn in turns]))
    table.add_row("    by CPU time", *_spread([turn.peer_per_s_cpu for turn in turns]))
    ratios = _spread([turn.ratio for turn in turns])
    table.add_row("  frames in the forest over those", *ratios, ">= 1.5")
    table.add_row("    by CPU time", *_spread([turn.ratio_cpu for turn in turns]))


def _spread(values: Sequence[float]) -> list[str]:
    return _numbers((median(values), min(values), max(values)))


def _numbers(values: Sequence[float]) -> list[str]:
    return [f"{value:.3g}" for value in values]
