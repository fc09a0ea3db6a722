"""Options of several commands: scenario, disturbances, executors; and parsers of numbers."""

from collections.abc import Callable
from typing import Annotated

import typer

from liquid_control.cli.completion import complete_disturbance

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value of the scenario, such as wind.gust_mps=6."),
]
"""`--set`, repeatable."""

Disturb = Annotated[
    list[str] | None,
    typer.Option(
        help="name=severity, such as fog=3, severities 0 to 5 (`liquid-control worlds` lists "
        "them). May be given several times; --set wins over it.",
        autocompletion=complete_disturbance,
    ),
]
"""`--disturb`, repeatable."""

OnlineAdaptation = Annotated[
    str,
    typer.Option(
        "--online-adaptation",
        metavar="certified|GAIN,OFFSET",
        help="Adapt the read-out of models in flight by odometry, in the box of their certificate "
        "(`certified`) or in a smaller one: gains within 1 ± GAIN, offsets within ± OFFSET of a "
        "command's scale.",
        show_default="off",
    ),
]
"""`--online-adaptation`."""

ExecutorKind = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="local|ray",
        help="Fly in processes of this machine, or on a Ray cluster (extra `ray`).",
    ),
]
"""`--executor`."""

Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Ray cluster that this machine is a node of. Without it: RAY_ADDRESS, the cluster "
        "of `ray start`, or a new one on this machine.",
    ),
]
"""`--address`."""

MAX_SEED = 2**63 - 1
"""`liquid_control.seeding.MAX_SEED`, without its import of NumPy."""


def whole_number(least: int, most: int = MAX_SEED) -> Callable[[str], int]:
    """Return a parser of whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise typer.BadParameter(f"expected a whole number >= {least}, got {str(text)!r}")
        if number > most:
            raise typer.BadParameter(f"expected a whole number <= {most}, got {number}")
        return number

    return parse


def factor(text: str) -> float:
    """Parse a finite number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise typer.BadParameter(f"expected a number > 0, got {str(text)!r}")
    return number


def at_least(least: float) -> Callable[[str], float]:
    """Return a parser of finite numbers of at least `least`."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = least - 1.0
        if not least <= number < float("inf"):
            raise typer.BadParameter(f"expected a number >= {least:g}, got {str(text)!r}")
        return number

    return parse


def fraction(text: str) -> float:
    """Parse a number from 0 to 1."""
    number = at_least(0.0)(text)
    if number > 1.0:
        raise typer.BadParameter(f"expected a fraction from 0 to 1, got {str(text)!r}")
    return number
