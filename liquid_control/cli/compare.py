"""`liquid-control compare`: two results over the same seeds, pair by pair."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from liquid_control.evaluation import Flights


def compare(
    first: Annotated[
        Path, typer.Argument(metavar="A", help="results.json of evaluate or fly, or its folder.")
    ],
    second: Annotated[
        Path, typer.Argument(metavar="B", help="The other one; may be the same file.")
    ],
    first_model: Annotated[
        str | None,
        typer.Option("--first", metavar="MODEL", help="Model of A where it holds several."),
    ] = None,
    second_model: Annotated[
        str | None,
        typer.Option("--second", metavar="MODEL", help="Model of B where it holds several."),
    ] = None,
) -> None:
    """Compare two models that flew the same seeds; print the difference with its interval.

    Example: liquid-control compare runs/a/results.json runs/b/results.json

    Flights with equal entry and seed are a pair: they have the same forest, wind and light. For
    each entry the table has the difference of the success rates, B minus A, with Newcombe's 95 %
    interval for pairs, the p value of the exact McNemar test, and the median difference of the
    cross-track error over the pairs in which both succeeded. Files without a common pair are
    refused.
    """
    from liquid_control.cli.output import console
    from liquid_control.evaluation import compare_flights, load_flights
    from liquid_control.evaluation.paired import conclusion
    from liquid_control.evaluation.result_tables import paired_table

    one, other = load_flights(first, first_model), load_flights(second, second_model)
    rows = compare_flights(one, other)
    names = _names(one, other)
    console().print(paired_table(rows, *names))
    _notes(one, other, rows[-1].pairs)
    print(conclusion(rows[-1], *names))


def _names(one: "Flights", other: "Flights") -> tuple[str, str]:
    """Return the models' labels; with equal labels, those of the files' folders or A and B."""
    if one.model != other.model:
        return one.model, other.model
    folders = one.path.resolve().parent.name, other.path.resolve().parent.name
    return folders if folders[0] != folders[1] else ("A", "B")


def _notes(one: "Flights", other: "Flights", pairs: int) -> None:
    """Print what the reader must know: flights without a partner, other options."""
    from liquid_control.cli.output import note

    for flights in (one, other):
        if left := len(flights.rows) - pairs:
            note(f"{left} of {len(flights.rows)} flights of {flights.path} have no partner")
    for key, option in (("set", "--set"), ("disturb", "--disturb")):
        values = [flights.config.get(key) or {} for flights in (one, other)]
        if values[0] != values[1]:
            note(f"warning: {option} differs: {values[0]} and {values[1]}")
