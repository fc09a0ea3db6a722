"""`liquid-control bench`: the project's own measurements."""

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from liquid_control.cli.numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    Measured: TypeAlias = tuple[Table, Sequence[Any], dict[str, Any]]


class What(str, Enum):
    """What can be measured."""

    CORE = "core"
    SIM = "sim"
    GRAPH = "graph"


def bench(
    what: Annotated[What, typer.Argument(help="What to measure.")],
    model: Annotated[
        str, typer.Option(help="Model folder; for sim also `expert`.")
    ] = "models/trail_cfc19",
    repeats: Annotated[
        int,
        typer.Option(
            parser=whole_number(1), metavar="INT", help="Flights, each with another seed."
        ),
    ] = 5,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of results.json.", show_default="runs/<UTC time>-bench"),
    ] = None,
) -> None:
    """Measure speed on this machine: median and range over repeats.

    Example: liquid-control bench sim --model models/trail_cfc19

    core: liquid cores beside ncps, which must be installed, and beside each other.
    sim: world, camera and policy in one process on one core, at 20 Hz among 120 trees.
    graph: four processes over ROS 2, in lockstep and in real time with 128 x 72 pixels at 30 Hz.
    """
    from liquid_control.cli.console import console
    from liquid_control.cli.output import output_folder

    with output_folder(out, "bench") as folder:
        table, rows, config = _MEASURES[what](model, repeats, folder)
        from liquid_control.evaluation import results_document, write_results

        console().print(table)
        document = results_document(["liquid-control", *sys.argv[1:]], config, rows, [])
        print(write_results(folder / "results.json", document))


def _cores(_: str, repeats: int, __: Path) -> "Measured":
    from liquid_control.cli.bench_core import core_table, measure_cores

    rows, config = measure_cores(repeats)
    return core_table(rows), rows, config


def _simulation(model: str, repeats: int, folder: Path) -> "Measured":
    from liquid_control.cli.bench_sim import measure_simulation, simulation_table

    rows, config = measure_simulation(model, repeats)
    return simulation_table(rows), rows, config


def _graph(model: str, repeats: int, folder: Path) -> "Measured":
    from liquid_control.cli.bench_graph import graph_table, measure_graph
    from liquid_control.cli.shipped import shipped

    rows, config = measure_graph(shipped(Path(model)), repeats, folder)
    return graph_table(rows), rows, config


_MEASURES: "dict[What, Callable[[str, int, Path], Measured]]" = {
    What.CORE: _cores,
    What.SIM: _simulation,
    What.GRAPH: _graph,
}
