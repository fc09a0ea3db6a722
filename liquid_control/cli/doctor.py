"""`liquid-control doctor`: check of the installation."""

from typing import Annotated

import typer


def doctor(
    flight: Annotated[
        bool, typer.Option(help="Check a companion computer before a flight instead.")
    ] = False,
) -> None:
    """Check the installation: ten lines with the version found, or the command that installs it.

    Example: liquid-control doctor --flight

    Imports the required packages in separate processes, starts a ROS node and PyBullet, and
    verifies the checksums of the models. Each line is printed as soon as it is known. The status
    is 0 if flying works, and 1 otherwise. --flight needs neither PyTorch nor PyBullet, and checks
    ports, clock, governor, disk and middleware too; a warning does not change the status.
    """
    from liquid_control import doctor as checks
    from liquid_control.cli.next_steps import suggest
    from liquid_control.cli.output import console

    screen, failed = console(), False
    probes = checks.run_probes(checks.FLIGHT_PROBES if flight else checks.PROBES)
    with screen.status("checking"):
        for result in (checks.check_flight if flight else checks.check_machine)(probes):
            screen.print(checks.result_row(result))
            failed |= result.status in checks.FAILED
    if failed:
        raise typer.Exit(1)
    suggest("ros2 launch liquid_control flight.launch.py" if flight else "liquid-control fly")
