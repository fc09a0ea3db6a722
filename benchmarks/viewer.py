"""Latency and CPU time of a flight in real time, with and without a viewer of Foxglove, in pairs.

    python -m benchmarks.viewer --pairs 4 --seconds 60 --out runs/viewer

The flights of a pair have the same forest and follow each other; the order changes from pair to
pair. With a viewer, `foxglove_node` is part of the graph, and a process reads all its channels.

Where other work fills the machine, a node of the idle class hardly runs, and its CPU time says
little. `--equal-priority` gives node and reader the priority of the flight: then CPU times are
those of all that viewers ask for, and latencies are not those of a flight.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.flight_load import FlightLoad, children
from benchmarks.graph import FIRST_SEED, REALTIME
from benchmarks.programs import one_line_errors
from liquid_control.config import format_settings
from liquid_control.files import atomic_write
from liquid_control.graph import GraphPlan, fly_through_graph

MODEL = Path("models/trail_cfc19")
LIMIT = 0.05
"""Largest part that a viewer may add to the median latency."""
NODE, READER = "foxglove_node", "viewer_load"


@contextmanager
def viewer_process(
    port: int, seconds: float, niceness: int = 19
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `viewer_load` beside a flight.

    It stands for a program on another machine, so it takes only what the flight leaves.
    """
    module = [sys.executable, "-m", "benchmarks.viewer_load", str(port), str(seconds)]
    command = ["nice", "-n", str(niceness), *module]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def raise_priority(process: int) -> None:
    """Give all threads of a process the priority of this one.

    Raises:
        PermissionError: this user may not raise priorities.
    """
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    for thread in map(int, os.listdir(f"/proc/{process}/task")):
        os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, thread, niceness)


class ViewerLoad(FlightLoad):
    """The load of a flight whose viewer has its priority."""

    _raised = False

    def on_progress(self, event: Mapping[str, Any]) -> None:
        """Read the times at an event of the flight."""
        if not self._raised:
            raise_priority(children(os.getpid())[NODE])
            self._raised = True
        super().on_progress(event)


def measure_pair(
    seed: int, seconds: float, first: bool, folder: Path, equal_priority: bool = False
) -> dict[str, Any]:
    """Return latencies, ms, and CPU times, cores, of a flight with a viewer and of one without.

    Args:
        seed: of the forest.
        seconds: of flight.
        first: whether the flight with a viewer comes first.
        folder: of logs.
        equal_priority: whether the viewer has the priority of the flight.
    """
    found: dict[str, Any] = {"seed": seed}
    for viewed in (first, not first):
        name = "viewer" if viewed else "alone"
        port = _free_port() if viewed else None
        plan = GraphPlan(
            "trail",
            seed,
            MODEL,
            folder / f"{seed}-{name}",
            overrides=format_settings(REALTIME | {"time_limit_s": seconds}),
            mode="realtime",
            record=False,
            foxglove_port=port,
        )
        load = ViewerLoad() if equal_priority and viewed else FlightLoad()
        if port is None:
            flown = fly_through_graph(plan, load.on_progress)
        else:
            with viewer_process(port, 1e6, 0 if equal_priority else 19) as process:
                flown = fly_through_graph(plan, load.on_progress)
                received, _ = process.communicate(timeout=30.0)
                found["received"] = json.loads(received)
        found[name] = {**flown.statistics, "cores": load.cores()}
    return found


def summary(pairs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return medians over pairs, and the median of the paired change of p50."""
    p50 = {
        name: np.array([pair[name]["latency_ms"]["p50"] for pair in pairs])
        for name in ("alone", "viewer")
    }
    change = p50["viewer"] / p50["alone"] - 1.0
    return {
        "p50_alone_ms": float(np.median(p50["alone"])),
        "p50_viewer_ms": float(np.median(p50["viewer"])),
        "change": float(np.median(change)),
        "smallest_change": float(change.min()),
        "largest_change": float(change.max()),
    }


def cpu_summary(pairs: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the median part of a core over pairs, by process, alone and with a viewer.

    `graph` is the sum of a flight's own processes, which a viewer adds nothing to but the work of
    one more reader.
    """
    return {
        name: {
            process: float(np.median([one[process] for one in flights]))
            for process in sorted(set.intersection(*map(set, flights)))
        }
        for name in ("alone", "viewer")
        if all(flights := [_with_graph(pair[name]["cores"]) for pair in pairs])
    }


def _with_graph(cores: Mapping[str, float]) -> dict[str, float]:
    own = [value for name, value in cores.items() if name not in (NODE, READER)]
    return {**cores, "graph": sum(own)} if own else {}


def cpu_table(summed: Mapping[str, Mapping[str, float]]) -> Table:
    """Return one row a process, with its part of what the graph takes alone.

    Args:
        summed: returned by `cpu_summary`.
    """
    alone, viewed = summed["alone"], summed["viewer"]
    table = Table(title="CPU time, % of a core", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("process")
    for name in ("alone", "with a viewer", "more, % of the graph alone"):
        table.add_column(name, justify="right")
    names = [name for name in viewed if name not in ("graph", NODE, READER)]
    for name in (*names, "graph", NODE, READER):
        if name in viewed:
            more = (viewed[name] - alone.get(name, 0.0)) / alone["graph"]
            before = f"{100.0 * alone[name]:.1f}" if name in alone else ""
            table.add_row(name, before, f"{100.0 * viewed[name]:.1f}", f"{100.0 * more:+.1f}")
    return table


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@one_line_errors()
def main() -> None:
    """Measure, print the summary, and write viewer.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each flight")
    parser.add_argument("--out", type=Path, default=Path("runs/viewer"))
    parser.add_argument(
        "--equal-priority", action="store_true", help="for CPU times on a busy machine"
    )
    given = parser.parse_args()
    pairs = []
    for index in range(given.pairs):
        seed = FIRST_SEED + index
        first = index % 2 == 0
        pairs.append(measure_pair(seed, given.seconds, first, given.out, given.equal_priority))
        found = {"summary": summary(pairs), "cores": cpu_summary(pairs), "pairs": pairs}
        atomic_write(given.out / "viewer.json", json.dumps(found, indent=2) + "\n")
        latencies = {name: pairs[-1][name]["latency_ms"] for name in ("alone", "viewer")}
        print(json.dumps({"seed": seed, **latencies}), flush=True)
    if len(cores := cpu_summary(pairs)) == 2:
        Console().print(cpu_table(cores))
    print(json.dumps(summary(pairs) | {"limit": LIMIT}))


if __name__ == "__main__":
    main()
