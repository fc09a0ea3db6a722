"""Benchmarks by the names of `liquid-control bench`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rich.table import Table

from benchmarks.measured import Measured
from liquid_control.config import shipped
from liquid_control.policy import load_model
from liquid_control.provenance import git_revision, machine, model_fingerprint, package_versions

NOTHING_MEASURED = Measured()
FLOWN_MODEL, EXPERT = "models/trail_cfc19", "expert"
Measurement: TypeAlias = tuple[Table, Sequence[Any], dict[str, Any]]
"""Table to print, rows of `results.json`, and configuration."""


@dataclass(frozen=True, slots=True)
class BenchmarkRequest:
    """Options of a benchmark.

    Attributes:
        model: model folder, or `expert`; None for the benchmark's default.
        repeats: number of flights, each with its own seed, or of rounds.
        resets: number of worlds created in one process to measure memory growth.
        composed: whether the policy of `graph` and `link` is one process.
        measured: what an interrupted run has measured.
    """

    model: str | None
    repeats: int
    resets: int
    composed: bool = False
    measured: Measured = NOTHING_MEASURED

    @property
    def plan(self) -> dict[str, Any]:
        """What the measurements depend on, for `liquid_control.journal`."""
        marks: dict[str, Any] = {"model": self.model}
        if self.model not in (None, EXPERT):
            marks |= model_fingerprint(load_model(shipped(Path(str(self.model)))).path)
        return {
            **marks,
            "repeats": self.repeats,
            "resets": self.resets,
            "composed": self.composed,
            "machine": machine(),
            "versions": package_versions(),
            "revision": git_revision(),
        }


def _cores(request: BenchmarkRequest, folder: Path) -> Measurement:
    from benchmarks.cores import core_table, measure_cores

    rows, config = measure_cores(request.repeats, request.measured)
    return core_table(rows), rows, config


def _training(request: BenchmarkRequest, folder: Path) -> Measurement:
    from benchmarks.training import measure_training, training_table

    rows, config = measure_training(request.repeats, request.measured)
    return training_table(rows), rows, config


def _simulation(request: BenchmarkRequest, folder: Path) -> Measurement:
    from benchmarks.simulation import measure_simulation, simulation_table

    measured, config = measure_simulation(
        request.model or EXPERT, request.repeats, request.resets, request.measured
    )
    return simulation_table(measured), [measured], config


def _graph(request: BenchmarkRequest, folder: Path) -> Measurement:
    from benchmarks.graph import graph_table, measure_graph

    model = shipped(Path(request.model or FLOWN_MODEL))
    rows, config = measure_graph(
        model, request.repeats, folder, request.measured, request.composed
    )
    return graph_table(rows), rows, config


def _link(request: BenchmarkRequest, folder: Path) -> Measurement:
    from benchmarks.link import link_table, measure_link
    from liquid_control.dependencies import check_installed

    check_installed("rclpy", "ros", "run the graph of a companion computer")
    model = shipped(Path(request.model or FLOWN_MODEL))
    rows, config = measure_link(model, request.repeats, folder, request.measured, request.composed)
    return link_table(rows), rows, config


def _recording(request: BenchmarkRequest, folder: Path) -> Measurement:
    from benchmarks.recording import measure_recording, record_table
    from liquid_control.dependencies import check_installed

    check_installed("rclpy", "ros", "record what nodes publish")
    rows, config = measure_recording(request.repeats, folder, request.measured)
    return record_table(rows), rows, config


def _replaying(request: BenchmarkRequest, folder: Path) -> Measurement:
    from benchmarks.replay import measure_replay, replay_table
    from liquid_control.dependencies import require_report

    require_report()
    model = shipped(Path(request.model or FLOWN_MODEL))
    rows, config = measure_replay(model, request.repeats, request.measured)
    return replay_table(rows), rows, config


def _policy(request: BenchmarkRequest, folder: Path) -> Measurement:
    from benchmarks.policy import measure_policy, policy_table

    model = shipped(Path(request.model or FLOWN_MODEL))
    rows, config = measure_policy(model, request.repeats, request.measured)
    return policy_table(rows), rows, config


def _barrier(request: BenchmarkRequest, folder: Path) -> Measurement:
    from benchmarks.barrier import barrier_table, measure_barrier

    rows, config = measure_barrier(request.repeats, request.measured)
    return barrier_table(rows), rows, config


BENCHMARKS: dict[str, Callable[[BenchmarkRequest, Path], Measurement]] = {
    "core": _cores,
    "sim": _simulation,
    "train": _training,
    "graph": _graph,
    "link": _link,
    "record": _recording,
    "replay": _replaying,
    "policy": _policy,
    "barrier": _barrier,
}
