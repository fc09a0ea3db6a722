"""`liquid-control bench`: the project's own measurements."""

import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from liquid_control.cli.numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    Measured: TypeAlias = tuple[Table, Sequence[Any], dict[str, Any]]


FLOWN_MODEL = "models/trail_cfc19"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked for; no model where it named none."""

    model: str | None
    repeats: int
    resets: int


class What(str, Enum):
    """What can be measured."""

    CORE = "core"
    SIM = "sim"
    GRAPH = "graph"
    RECORD = "record"
    REPLAY = "replay"


def bench(
    what: Annotated[What, typer.Argument(help="What to measure.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Model folder; for sim also `expert`.",
            show_default="models/trail_cfc19; expert for sim",
        ),
    ] = None,
    repeats: Annotated[
        int,
        typer.Option(
            parser=whole_number(1), metavar="INT", help="Flights with a seed each, or rounds."
        ),
    ] = 5,
    resets: Annotated[
        int,
        typer.Option(
            parser=whole_number(0),
            metavar="INT",
            help="With sim: worlds made in one process to see what they leave in memory.",
        ),
    ] = 500,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of results.json.", show_default="runs/<UTC time>-bench"),
    ] = None,
) -> None:
    """Measure speed on this machine: median and range over repeats.

    Example: liquid-control bench sim --repeats 5

    core: liquid cores beside ncps, which must be installed, and beside each other.
    sim: world, camera and pilot in one process on one core, at 20 Hz among 120 trees in wind;
    resets and memory; beside it gym-pybullet-drones's camera where that package is installed.
    graph: four processes over ROS 2, in lockstep and in real time with 128 x 72 pixels at 30 Hz.
    record: what the recorder loses at 640 x 480 pixels, 30 Hz, with a 400 Hz IMU, on two cores.
    replay: how many times real time such a recording is replayed on one core, and in what memory.
    """
    from liquid_control.cli.console import console
    from liquid_control.cli.output import output_folder

    with output_folder(out, "bench") as folder:
        table, rows, config = _MEASURES[what](Asked(model, repeats, resets), folder)
        from liquid_control.evaluation import results_document, write_results

        console().print(table)
        document = results_document(["liquid-control", *sys.argv[1:]], config, rows, [])
        print(write_results(folder / "results.json", document))


def _cores(asked: Asked, _: Path) -> "Measured":
    from liquid_control.cli.bench_core import core_table, measure_cores

    rows, config = measure_cores(asked.repeats)
    return core_table(rows), rows, config


def _simulation(asked: Asked, _: Path) -> "Measured":
    from liquid_control.cli.bench_sim import measure_simulation, simulation_table

    measured, config = measure_simulation(asked.model or "expert", asked.repeats, asked.resets)
    return simulation_table(measured), [measured], config


def _graph(asked: Asked, folder: Path) -> "Measured":
    from liquid_control.cli.bench_graph import graph_table, measure_graph
    from liquid_control.cli.shipped import shipped

    model = shipped(Path(asked.model or FLOWN_MODEL))
    rows, config = measure_graph(model, asked.repeats, folder)
    return graph_table(rows), rows, config


def _recording(asked: Asked, folder: Path) -> "Measured":
    from liquid_control.cli.bench_record import measure_recording, record_table
    from liquid_control.cli.packages import check_installed

    check_installed("rclpy", "ros", "record what nodes publish")
    rows, config = measure_recording(asked.repeats, folder)
    return record_table(rows), rows, config


def _replaying(asked: Asked, _: Path) -> "Measured":
    from liquid_control.cli.bench_replay import measure_replay, replay_table
    from liquid_control.cli.packages import require_report
    from liquid_control.cli.shipped import shipped

    require_report()
    rows, config = measure_replay(shipped(Path(asked.model or FLOWN_MODEL)), asked.repeats)
    return replay_table(rows), rows, config


_MEASURES: "dict[What, Callable[[Asked, Path], Measured]]" = {
    What.CORE: _cores,
    What.SIM: _simulation,
    What.GRAPH: _graph,
    What.RECORD: _recording,
    What.REPLAY: _replaying,
}
