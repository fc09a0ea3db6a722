"""`liquid-control bench`: benchmarks of the repository, run from a checkout."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liquid_control.cli.options import whole_number
from liquid_control.errors import ConfigError

if TYPE_CHECKING:
    from liquid_control.journal import Journal


class Benchmark(str, Enum):
    """Names of the benchmarks."""

    CORE = "core"
    SIM = "sim"
    TRAIN = "train"
    GRAPH = "graph"
    LINK = "link"
    RECORD = "record"
    REPLAY = "replay"
    POLICY = "policy"
    BARRIER = "barrier"


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
    composed: Annotated[
        bool,
        typer.Option(
            "--composed", help="graph and link only: perception and controller in one process."
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted run of the same command: the newest, or the one in "
            "--out. What it has measured is not measured again.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder.", show_default="runs/<UTC time>-bench"),
    ] = None,
) -> None:
    """Run a benchmark from a checkout; report median and range over repeats.

    Example: liquid-control bench sim --repeats 5

    - core: liquid cores against ncps, which must be installed, torch, and each other.

    - sim: world, camera and pilot in one process on one core, at 20 Hz with 120 trees and wind;
      resets and memory growth; the camera of gym-pybullet-drones where that is installed.

    - graph: four processes over ROS 2, in lockstep, and in real time with 128 x 72 pixels at
      30 Hz.

    - link: the graph of a companion computer in real time, from a picture to MAVLink's bytes, and
      from kill -9 of the policy to hover; once for each of --repeats.

    - record: messages that the recorder loses at 640 x 480 pixels, 30 Hz, with a 400 Hz IMU, on
      two cores.

    - replay: speed relative to real time, and memory, of replaying such a recording on one core.

    - policy: time of each stage from picture to command, in Python and exported C, on one core.

    - barrier: the guard's barrier filter: its time, and 100 adversarial flights for each repeat.

    Writes results.json, and each measurement to rows.jsonl when it is made.
    """
    from liquid_control.cli.next_steps import command_of, suggest
    from liquid_control.cli.output import RESULTS, RUNS, console, output_folder, write_document
    from liquid_control.journal import JOURNAL_FILE, newest_journal

    suite = load_suite(Path(__file__).resolve().parents[2])
    request = suite.BenchmarkRequest(model, repeats, resets, composed)
    plan = {"benchmark": what.value, **request.plan}
    if resume and out is None:
        out = newest_journal(RUNS.glob("*-bench"), plan)
    files = (RESULTS, JOURNAL_FILE)
    with (
        output_folder(out, "bench", files, resume=resume) as folder,
        _open_journal(folder / JOURNAL_FILE, plan, resume) as journal,
        _partial_results(folder, journal),
    ):
        request = replace(request, measured=suite.Measured(journal))
        table, rows, config = suite.BENCHMARKS[what.value](request, folder)
        console().print(table)
        write_document(folder, config, rows)
    print(folder / RESULTS)
    suggest(command_of(sys.executable, "-m", "json.tool", folder / RESULTS))


def _open_journal(path: Path, plan: dict[str, Any], resume: bool) -> "Journal":
    """Begin rows.jsonl, or go on with it."""
    from liquid_control.cli.output import command_line
    from liquid_control.journal import Journal

    if resume and path.exists():
        return Journal.resume(path, plan)
    return Journal.begin(path, plan, {}, command_line())


@contextmanager
def _partial_results(folder: Path, journal: "Journal") -> Iterator[None]:
    """Write results.json with the measurements so far if the block fails or is interrupted."""
    from liquid_control.cli.output import note, write_document
    from liquid_control.errors import OutputError

    try:
        yield
    except BaseException:
        if journal.rows:
            rows = [line["row"] for line in journal.rows]
            with suppress(OutputError):
                write_document(folder, {}, rows, complete=False)
            note(
                f"{len(rows)} measurements are in {folder}; the same command with --resume "
                f"--out {folder} makes the rest"
            )
        raise


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
