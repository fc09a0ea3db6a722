"""Numbers on the command line: what is none is answered with what was expected and what came."""

from collections.abc import Callable

import typer


def whole_number(least: int) -> Callable[[str], int]:
    """Return a parser of whole numbers that are not below `least`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise typer.BadParameter(f"expected a whole number >= {least}, got {str(text)!r}")
        return number

    return parse


def factor(text: str) -> float:
    """Parse a number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise typer.BadParameter(f"expected a number > 0, got {str(text)!r}")
    return number


def at_least(least: float) -> Callable[[str], float]:
    """Return a parser of finite numbers that are not below `least`."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = least - 1.0
        if not least <= number < float("inf"):
            raise typer.BadParameter(f"expected a number >= {least:g}, got {str(text)!r}")
        return number

    return parse
