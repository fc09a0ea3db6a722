"""Speed of the ROS 2 graph in lockstep, and its latency in real time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.measured import Measured
from liquid_control.config import format_settings
from liquid_control.graph import GraphPlan, flight_progress_text, fly_through_graph
from liquid_control.progress import StatusLine

FIRST_SEED = 10_000
LOCKSTEP = {"camera.rate_hz": 20.0, "forest.trees": 120}
REALTIME = {
    "camera.width": 128,
    "camera.height": 72,
    "camera.rate_hz": 30.0,
    "trail.length_m": 130.0,
    "trail.difficulty": 0.1,
}
"""Long enough for more than 60 s at 2 m/s."""


@dataclass(frozen=True, slots=True)
class GraphRow:
    """One flight through the graph, measured.

    Attributes:
        real_time: simulated time over wall time, from the first tick to the last.
        frames_lost: number of frames without an answer.
        frames_late: number of frames that were answered after the next one.
        latency_p50_ms: wall time from a frame's publication to its command; likewise p99 and max.
    """

    mode: str
    seed: int
    simulated_s: float
    wall_s: float
    real_time: float
    frames: int
    frames_lost: int
    frames_late: int
    latency_p50_ms: float
    latency_p99_ms: float
    latency_max_ms: float


def measure_graph(
    model: Path,
    repeats: int,
    folder: Path,
    measured: Measured | None = None,
    composed: bool = False,
) -> tuple[list[GraphRow], dict[str, Any]]:
    """Fly `repeats` forests in lockstep, and one long trail in real time.

    Args:
        model: folder of the model.
        repeats: number of flights in lockstep.
        folder: receives the flights.
        measured: what an interrupted run has measured.
        composed: whether perception and controller share a process.

    Raises:
        GraphError: a process of the graph did not start or died.
    """
    measured = measured or Measured()
    flights = [("lockstep", FIRST_SEED + index, LOCKSTEP) for index in range(repeats)]
    flights.append(("realtime", FIRST_SEED, REALTIME))
    rows = [
        measured.once(
            f"{mode} {seed}",
            GraphRow,
            partial(_measure, mode, seed, keys, model, folder, composed),
        )
        for mode, seed, keys in flights
    ]
    config = {"model": str(model), "lockstep": LOCKSTEP, "realtime": REALTIME}
    return rows, config | {"composed": composed}


def _measure(
    mode: str, seed: int, settings: dict[str, Any], model: Path, folder: Path, composed: bool
) -> GraphRow:
    with StatusLine(f"{mode}, seed {seed}", flight_progress_text) as line:
        plan = GraphPlan(
            scenario="trail",
            seed=seed,
            model=model,
            out_dir=folder / f"{mode}-{seed}",
            overrides=format_settings(settings),
            mode=mode,
            record=False,
            composed=composed,
        )
        statistics = fly_through_graph(plan, line).statistics
    latency = {name: value or float("nan") for name, value in statistics["latency_ms"].items()}
    return GraphRow(
        mode=mode,
        seed=seed,
        simulated_s=statistics["simulated_s"],
        wall_s=statistics["wall_s"],
        real_time=statistics["rtf"],
        frames=statistics["frames"],
        frames_lost=statistics["frames_lost"],
        frames_late=statistics["frames_late"],
        latency_p50_ms=latency["p50"],
        latency_p99_ms=latency["p99"],
        latency_max_ms=latency["max"],
    )


def graph_table(rows: Sequence[GraphRow]) -> Table:
    """Return one row per flight, and the median of those in lockstep."""
    table = Table(title="graph over ROS 2", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("mode")
    names = ("seed", "simulated", "x real time", "frames", "lost", "late", "p50", "p99", "max")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        latencies = (row.latency_p50_ms, row.latency_p99_ms, row.latency_max_ms)
        table.add_row(
            row.mode,
            str(row.seed),
            f"{row.simulated_s:.1f} s",
            f"{row.real_time:.2f}",
            *(str(count) for count in (row.frames, row.frames_lost, row.frames_late)),
            *(f"{value:.1f} ms" for value in latencies),
        )
    lockstep = [row.real_time for row in rows if row.mode == "lockstep"]
    table.caption = f"lockstep: median {median(lockstep):.2f} x real time over {len(lockstep)}"
    return table
