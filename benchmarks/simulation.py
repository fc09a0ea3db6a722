"""How fast the simulator flies on one core: steps, pictures, resets, memory, and a peer's camera.

Flights and the peer's pictures take turns, so that what slows the machine slows both. Figures
stand there by this process's CPU time too, which others disturb less than the wall clock.
"""

import io
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.simulation_timing import (
    WARM_SEEDS,
    FlightTimes,
    ResetTimes,
    time_flight,
    time_resets,
)

PACKAGE = "gym_pybullet_drones"


def peer_is_installed() -> bool:
    """Return whether gym-pybullet-drones can be imported."""
    return find_spec(PACKAGE) is not None


@dataclass(frozen=True, slots=True)
class PeerCamera:
    """The on-board camera of one hovering Crazyflie over an empty plane.

    It is asked as the package's own learning environments ask it, without a segmentation mask; its
    resolution is a property of the aviary, which is set to ours.
    """

    aviary: Any

    @classmethod
    def of(cls, width: int, height: int) -> "PeerCamera":
        """Make the aviary, which prints its parameters and warns, in silence."""
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
        """Take pictures; return how many a second, by the wall clock and by CPU time."""
        start, start_cpu = time.perf_counter(), time.process_time()
        for _ in range(frames):
            self.aviary._getDroneImages(0, segmentation=False)
        cpu_s = time.process_time() - start_cpu
        return frames / (time.perf_counter() - start), frames / cpu_s

    def close(self) -> None:
        """Release its physics."""
        self.aviary.close()


SIZE = (96, 54)
SETTINGS = {
    "camera.width": SIZE[0],
    "camera.height": SIZE[1],
    "camera.rate_hz": 20.0,
    "forest.trees": 120,
    "wind.mean_mps": 4.0,
    "wind.gust_mps": 6.0,
}
"""A step is 12 physics sub-steps at 240 Hz."""

FIRST_SEED = 10_000
PEER_FRAMES = 200


@dataclass(frozen=True, slots=True)
class PeerTurn:
    """One turn of the peer's camera, after our flight of the same turn.

    Attributes:
        peer_per_s: its frames a second in an empty world.
        ratio: ours, in the full forest, over that.
    """

    seed: int
    peer_per_s: float
    ratio: float
    peer_per_s_cpu: float
    ratio_cpu: float

    @classmethod
    def of(cls, ours: FlightTimes, theirs: tuple[float, float]) -> "PeerTurn":
        """Compare our flight with their frames a second, by wall clock and CPU time."""
        wall, cpu = theirs
        ratios = (ours.camera_per_s / wall, ours.camera_per_s_cpu / cpu)
        return cls(ours.seed, wall, ratios[0], cpu, ratios[1])


@dataclass(frozen=True, slots=True)
class SimulationTimes:
    """All that was measured; no turns of the peer where it is not installed."""

    flights: tuple[FlightTimes, ...]
    turns: tuple[PeerTurn, ...]
    resets: ResetTimes


def measure_simulation(
    model: str, repeats: int, resets: int
) -> tuple[SimulationTimes, dict[str, Any]]:
    """Fly `repeats` forests on one core, then reset; a first flight, to warm up, does not count.

    Args:
        model: folder of the pilot, or `expert`.
        repeats: flights, each through another forest.
        resets: worlds made to see what they leave in memory.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = "1"
    from liquid_control.cli.pilots import PilotOf
    from liquid_control.config import load_scenario
    from liquid_control.progress import progress_bar

    pilot, scenario = PilotOf(model)(), load_scenario("trail", SETTINGS)
    steps = repeats + 1 + 2 * WARM_SEEDS + resets
    with _one_core(), progress_bar("flights and resets", steps) as bar:
        peer = PeerCamera.of(*SIZE) if peer_is_installed() else None
        flights, turns = [], []
        for seed in range(FIRST_SEED, FIRST_SEED + repeats + 1):
            flights.append(time_flight(scenario, seed, pilot))
            if peer is not None:
                turns.append(PeerTurn.of(flights[-1], peer.frames_per_s(PEER_FRAMES)))
            bar.advance("flights")
        if peer is not None:
            peer.close()
        begun = time_resets(
            scenario, FIRST_SEED + repeats + 1, resets, lambda: bar.advance("resets")
        )
    measured = SimulationTimes(tuple(flights[1:]), tuple(turns[1:]), begun)
    return measured, {"model": model, "scenario": "trail", "set": SETTINGS, "cores": 1}


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


def simulation_table(measured: SimulationTimes) -> Table:
    """Return median and range of each figure, and what it is to be."""
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
    table.add_row("  ours, in the forest, over theirs", *ratios, ">= 1.5")
    table.add_row("    by CPU time", *_spread([turn.ratio_cpu for turn in turns]))


def _spread(values: Sequence[float]) -> list[str]:
    return _numbers((median(values), min(values), max(values)))


def _numbers(values: Sequence[float]) -> list[str]:
    return [f"{value:.3g}" for value in values]
