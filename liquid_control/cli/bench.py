"""`liquid-control bench`: the project's own measurements."""

import sys
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from liquid_control.cli.options import whole_number
from liquid_control.errors import ConfigError


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
    from liquid_control.cli.output import console, output_folder

    suite = _suite()
    with output_folder(out, "bench") as folder:
        request = suite.BenchmarkRequest(model, repeats, resets)
        table, rows, config = suite.BENCHMARKS[what.value](request, folder)
        from liquid_control.evaluation import results_document, write_results

        console().print(table)
        document = results_document(["liquid-control", *sys.argv[1:]], config, rows, [])
        print(write_results(folder / "results.json", document))


def _suite() -> Any:
    """Import `benchmarks.suite` from the checkout that this package runs from.

    Raises:
        ConfigError: the package was installed without its checkout.
    """
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / "benchmarks" / "suite.py").is_file():
        raise ConfigError(
            "bench needs a checkout of the repository: its benchmarks are not part of the "
            "installed package; run `make develop` in a clone"
        )
    if str(checkout) not in sys.path:
        sys.path.append(str(checkout))
    return import_module("benchmarks.suite")
