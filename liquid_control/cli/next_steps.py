"""Last lines of a command: the commands that come next, and the report in a browser.

They go to stderr, so that stdout holds results only.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liquid_control.cli.output import note

if TYPE_CHECKING:
    from liquid_control.evaluation import FlightJob, FlightRow, PilotFactory

Open = Annotated[
    bool, typer.Option("--open", help="Open the report in the browser when it is written.")
]
"""`--open`."""


def suggest(*commands: str) -> None:
    """Print the commands that come next, a line each."""
    for command in commands:
        print(f"next: {command}", file=sys.stderr, flush=True)


def command_of(*words: str | Path) -> str:
    """Return words as a command line that a shell reads back as they are."""
    return shlex.join(str(word) for word in words)


LIST_INPUTS = (
    "import pathlib, sys; from liquid_control.onnx_runtime import cpu_session; "
    "session = cpu_session(pathlib.Path(sys.argv[1]).read_bytes()); "
    "print(*session.get_inputs(), *session.get_outputs(), sep='\\n')"
)
"""Program that prints inputs and outputs of an ONNX graph."""
LIST_NODES = "import nir, sys; print(*nir.read(sys.argv[1]).nodes, sep='\\n')"
"""Program that prints the nodes of a NIR graph."""
C_TESTS = {
    "policy_test": ("policy_test", "policy", "observation", "perception*"),
    "events_test": ("events_test", "policy_events", "observation", "perception_events*"),
}
"""Sources of the self-tests of exported C."""


def trial_of_export(folder: Path, files: Iterable[str]) -> list[str]:
    """Return the command that runs an exported C test, or shows the content of a graph."""
    for test, names in C_TESTS.items():
        if f"{test}.c" not in files:
            continue
        program = folder.resolve() / test
        sources = [path for name in names for path in sorted(folder.glob(f"{name}.c"))]
        flags = ("-std=c99", "-O2", "-ffp-contract=off")
        compiled = command_of("cc", *flags, *sources, "-o", program)
        return [f"{compiled} && {command_of(program)}"]
    if "policy.nir" in files:
        return [command_of(sys.executable, "-c", LIST_NODES, folder / "policy.nir")]
    return [command_of(sys.executable, "-c", LIST_INPUTS, folder / "controller.onnx")]


def opening_command(path: Path) -> list[str]:
    """Return the command that opens a file in the browser on this machine."""
    for program in ("xdg-open", "open"):
        if shutil.which(program):
            return [program, str(path)]
    return [sys.executable, "-m", "webbrowser", path.resolve().as_uri()]


def offer_report(path: Path, open_it: bool) -> None:
    """Open a report, or print the command that opens it.

    Without a display `--open` prints one line, and the command goes on.
    """
    command = opening_command(path)
    if not open_it:
        suggest(command_of(*command))
        return
    if not has_display():
        note(f"--open: there is no display here; the report is {path.resolve()}")
        return
    try:
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen(command, start_new_session=True, **quiet)
    except OSError as error:
        note(f"--open: {command[0]} does not start ({error.strerror}); the report is {path}")


def has_display() -> bool:
    """Return whether a browser window can be shown."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform == "darwin" or any(os.environ.get(name) for name in names)


def flight_again(
    model: str, scenario: str, seed: int, overrides: Mapping[str, Any] | None = None
) -> str:
    """Return the command that flies one flight through the graph, with report and bag."""
    from liquid_control.config import format_settings

    words: list[str] = ["liquid-control", "fly", "--model", model, "--scenario", scenario]
    words += ["--seed", str(seed)]
    for pair in format_settings(overrides or {}):
        words += ["--set", pair]
    return command_of(*words)


def offer_flights(
    folder: Path,
    flights: "Sequence[FlightJob]",
    rows: "Sequence[FlightRow]",
    pilots: "Mapping[str, PilotFactory]",
    has_report: bool,
    show: bool,
) -> None:
    """Open the report or print how to; offer to compare two models, and to fly a failure again."""
    from liquid_control.cli.output import RESULTS
    from liquid_control.cli.pilots import model_of

    if has_report:
        offer_report(folder / "report.html", show)
    if len(pilots) == 2:
        first, second = pilots
        results, models = folder / RESULTS, ("--first", first, "--second", second)
        suggest(command_of("liquid-control", "compare", results, results, *models))
    flown = [
        (row.success, model, job)
        for job, row in zip(flights, rows, strict=True)
        if (model := model_of(pilots[job.pilot_key])) is not None
    ]
    if flown:
        _, model, job = min(flown, key=lambda flight: flight[0])
        suggest(flight_again(model, job.scenario_name, job.seed, job.overrides))


def after_worlds(scenarios: Sequence[str], disturbances: Sequence[str], listed: bool) -> list[str]:
    """Return the commands that draw what was listed, and that fly it.

    Args:
        scenarios: names that were listed or drawn.
        disturbances: likewise.
        listed: whether names select them; without names all are listed.
    """
    words = ["liquid-control", "fly"]
    words += ["--scenario", scenarios[0]] if scenarios else []
    words += ["--disturb", f"{disturbances[0]}=3"] if disturbances else []
    drawn = ("liquid-control", "worlds", *(scenarios if listed else ()))
    return [command_of(*drawn, *(disturbances if listed else ()), "--sheet"), command_of(*words)]
