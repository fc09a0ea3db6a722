"""`liquid-control doctor`: is this machine ready to fly."""

import typer


def doctor() -> None:
    """Say in ten lines what is there, what is missing, and the command that mends it.

    Example: liquid-control doctor

    Imports what flying needs in processes of their own, starts a ROS node and PyBullet, and checks
    the models' checksums. The status is 0 if flying works, and 1 otherwise.
    """
    from rich.markup import escape
    from rich.table import Table

    from liquid_control.cli.output import console
    from liquid_control.doctor import Mark, check_machine, run_probes

    screen = console()
    with screen.status("looking"):
        findings = check_machine(run_probes())
    table = Table.grid(padding=(0, 2))
    colours = {Mark.OK: "green", Mark.MISSING: "bold red", Mark.OPTIONAL: "yellow"}
    for finding in findings:
        mend = f" [dim]→ {escape(finding.mend)}[/]" if finding.mend else ""
        mark = f"[{colours[finding.mark]}]{finding.mark.value}[/]"
        table.add_row(mark, finding.name, escape(finding.found) + mend)
    screen.print(table)
    if any(finding.mark is Mark.MISSING for finding in findings):
        raise typer.Exit(1)
