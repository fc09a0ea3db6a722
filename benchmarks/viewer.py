"""Latency from picture to command in real time, with and without a viewer of Foxglove, in pairs.

    python -m benchmarks.viewer --pairs 4 --seconds 60 --out runs/viewer

The flights of a pair have the same forest and follow each other; the order changes from pair to
pair. With a viewer, `foxglove_node` is part of the graph, and a process reads all its channels.
"""

import argparse
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.graph import FIRST_SEED, REALTIME
from benchmarks.programs import one_line_errors
from liquid_control.config import format_settings
from liquid_control.files import atomic_write
from liquid_control.graph import GraphPlan, fly_through_graph

MODEL = Path("models/trail_cfc19")
LIMIT = 0.05
"""Largest part that a viewer may add to the median latency."""


@contextmanager
def viewer_process(port: int, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Run `viewer_load` beside a flight.

    It stands for a program on another machine, so it takes only what the flight leaves.
    """
    command = [
        "nice",
        "-n",
        "19",
        sys.executable,
        "-m",
        "benchmarks.viewer_load",
        str(port),
        str(seconds),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def measure_pair(seed: int, seconds: float, first: bool, folder: Path) -> dict[str, Any]:
    """Return latencies, ms, of a flight with a viewer and of one without.

    Args:
        seed: of the forest.
        seconds: of flight.
        first: whether the flight with a viewer comes first.
        folder: of logs.
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
        if port is None:
            found[name] = fly_through_graph(plan).statistics
            continue
        with viewer_process(port, 1e6) as process:
            found[name] = fly_through_graph(plan).statistics
            received, _ = process.communicate(timeout=30.0)
            found["received"] = json.loads(received)
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
    given = parser.parse_args()
    pairs = []
    for index in range(given.pairs):
        seed = FIRST_SEED + index
        pairs.append(measure_pair(seed, given.seconds, index % 2 == 0, given.out))
        found = {"summary": summary(pairs), "pairs": pairs}
        atomic_write(given.out / "viewer.json", json.dumps(found, indent=2) + "\n")
        latencies = {name: pairs[-1][name]["latency_ms"] for name in ("alone", "viewer")}
        print(json.dumps({"seed": seed, **latencies}), flush=True)
    print(json.dumps(summary(pairs) | {"limit": LIMIT}))


if __name__ == "__main__":
    main()
