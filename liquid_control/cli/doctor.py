"""`liquid-control doctor`: check of the installation."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from liquid_control.doctor import CheckResult


def doctor() -> None:
    """Check the installation: ten lines with the version found, or the command that installs it.

    Example: liquid-control doctor

    Imports the required packages in separate processes, starts a ROS node and PyBullet, and
    verifies the checksums of the models. Each line is printed as soon as it is known. The status
    is 0 if flying works, and 1 otherwise.
    """
    from liquid_control.cli.next_steps import suggest
    from liquid_control.cli.output import console
    from liquid_control.doctor import CheckStatus, check_machine, run_probes

    screen, missing = console(), False
    with screen.status("checking"):
        for result in check_machine(run_probes()):
            screen.print(_line(result))
            missing |= result.status is CheckStatus.MISSING
    if missing:
        raise typer.Exit(1)
    suggest("liquid-control fly")


def _line(result: "CheckResult") -> "Table":
    """Return a result as one row; equal widths align the rows."""
    from rich.markup import escape
    from rich.table import Table

    colours = {"ok": "green", "missing": "bold red", "optional": "yellow"}
    remedy = f" [dim]→ {escape(result.remedy)}[/]" if result.remedy else ""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=max(map(len, colours)))
    table.add_column(width=len("Fast DDS profile"))
    table.add_column()
    status = f"[{colours[result.status.value]}]{result.status.value}[/]"
    table.add_row(status, result.name, escape(result.message) + remedy)
    return table
