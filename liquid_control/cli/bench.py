"""`liquid-control bench`: benchmarks of the repository, run from a checkout."""

import sys
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from liquid_control.cli.options import whole_number
from liquid_control.errors import ConfigError


class Benchmark(str, Enum):
    """Names of the benchmarks."""

    CORE = "core"
    SIM = "sim"
    GRAPH = "graph"
    RECORD = "record"
    REPLAY = "replay"


def bench(
    what: Annotated[Benchmark, typer.Argument(help="Benchmark to run.")],
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
            parser=whole_number(1),
            metavar="INT",
            help="Number of flights, each with its own seed, or of rounds.",
        ),
    ] = 5,
    resets: Annotated[
        int,
        typer.Option(
            parser=whole_number(0),
            metavar="INT",
            help="sim only: worlds created in one process to measure memory growth.",
        ),
    ] = 500,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder.", show_default="runs/<UTC time>-bench"),
    ] = None,
) -> None:
    """Run a benchmark from a checkout; report median and range over repeats.

    Example: liquid-control bench sim --repeats 5

    - core: liquid cores against ncps, which must be installed, and against each other.

    - sim: world, camera and pilot in one process on one core, at 20 Hz with 120 trees and wind;
      resets and memory growth; the camera of gym-pybullet-drones where that is installed.

    - graph: four processes over ROS 2, in lockstep, and in real time with 128 x 72 pixels at
      30 Hz.

    - record: messages that the recorder loses at 640 x 480 pixels, 30 Hz, with a 400 Hz IMU, on
      two cores.

    - replay: speed relative to real time, and memory, of replaying such a recording on one core.
    """
    from liquid_control.cli.output import console, output_folder

    suite = load_suite(Path(__file__).resolve().parents[2])
    with output_folder(out, "bench") as folder:
        request = suite.BenchmarkRequest(model, repeats, resets)
        table, rows, config = suite.BENCHMARKS[what.value](request, folder)
        from liquid_control.evaluation import results_document, write_results

        console().print(table)
        document = results_document(["liquid-control", *sys.argv[1:]], config, rows, [])
        print(write_results(folder / "results.json", document))


def load_suite(checkout: Path) -> Any:
    """Import `benchmarks.suite` of a checkout.

    Args:
        checkout: parent folder of the package `liquid_control`.

    Raises:
        ConfigError: the folder has no benchmarks, because the package is installed without its
            checkout.
    """
    if not (checkout / "benchmarks" / "suite.py").is_file():
        raise ConfigError(
            f"bench needs a checkout of the repository: {checkout} has no benchmarks/, which the "
            "installed package does not contain; run `make develop` in a clone"
        )
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    return import_module("benchmarks.suite")
