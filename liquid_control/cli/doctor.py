"""`liquid-control doctor`: check of the installation."""

import typer


def doctor() -> None:
    """Check the installation: ten lines with the version found, or the command that installs it.

    Example: liquid-control doctor

    Imports the required packages in separate processes, starts a ROS node and PyBullet, and
    verifies the checksums of the models. The status is 0 if flying works, and 1 otherwise.
    """
    from rich.markup import escape
    from rich.table import Table

    from liquid_control.cli.output import console
    from liquid_control.doctor import CheckStatus, check_machine, run_probes

    screen = console()
    with screen.status("checking"):
        results = check_machine(run_probes())
    table = Table.grid(padding=(0, 2))
    colours = {
        CheckStatus.OK: "green",
        CheckStatus.MISSING: "bold red",
        CheckStatus.OPTIONAL: "yellow",
    }
    for result in results:
        remedy = f" [dim]→ {escape(result.remedy)}[/]" if result.remedy else ""
        status = f"[{colours[result.status]}]{result.status.value}[/]"
        table.add_row(status, result.name, escape(result.message) + remedy)
    screen.print(table)
    if any(result.status is CheckStatus.MISSING for result in results):
        raise typer.Exit(1)
