"""`liquid-control compare`: two results over the same seeds, or two flights side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.cli.next_steps import Open

if TYPE_CHECKING:
    from liquid_control.evaluation import Flights

BOTH = "flights.html"


def compare(
    first: Annotated[
        Path,
        typer.Argument(
            metavar="A",
            help="results.json of evaluate or fly, or its folder; or the page of one flight, or "
            "the folder that holds it.",
        ),
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
    show: Open = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the page of two flights.", show_default="runs/<UTC time>-compare"
        ),
    ] = None,
) -> None:
    """Compare two models that flew the same seeds; print the difference with its interval.

    Example: liquid-control compare runs/a/results.json runs/b/results.json

    Example: liquid-control compare runs/a/trail-3/flight.html runs/b/trail-3/flight.html

    Flights with equal entry and seed are a pair: they have the same forest, wind and light. For
    each entry the table has the difference of the success rates, B minus A, with Newcombe's 95 %
    interval for pairs, the p value of the exact McNemar test, and the median difference of the
    cross-track error over the pairs in which both succeeded. Files without a common pair are
    refused.

    Of two pages of flights (flight.html of fly, report.html of replay) it writes flights.html, one
    page with both flights side by side under one time cursor.
    """
    from liquid_control.cli.output import console
    from liquid_control.errors import ConfigError
    from liquid_control.evaluation import compare_flights, load_flights
    from liquid_control.evaluation.paired import conclusion
    from liquid_control.evaluation.result_tables import paired_table

    pages = [_page(path) for path in (first, second)]
    if pages[0] is not None and pages[1] is not None:
        if first_model or second_model:
            raise ConfigError("--first, --second: are for results.json, not for pages of flights")
        _side_by_side(pages[0], pages[1], out, show)
        return
    if pages[0] is not None or pages[1] is not None:
        raise ConfigError(f"expected two results or two pages of flights, got {first}, {second}")
    if out is not None or show:
        raise ConfigError("--out, --open: are for two pages of flights; results are printed only")
    one, other = load_flights(first, first_model), load_flights(second, second_model)
    rows = compare_flights(one, other)
    names = _names(one, other)
    console().print(paired_table(rows, *names))
    _notes(one, other, rows[-1].pairs)
    print(conclusion(rows[-1], *names))


def _page(path: Path) -> Path | None:
    """Return the page of a flight: the file, or the one in a folder; None for results."""
    if path.suffix == ".html":
        return path
    found = [path / name for name in ("flight.html", "report.html") if (path / name).is_file()]
    return found[0] if found and not (path / "results.json").exists() else None


def _side_by_side(first: Path, second: Path, out: Path | None, show: bool) -> None:
    """Write the page of two flights; open it, or print how to."""
    from liquid_control.cli.next_steps import offer_report
    from liquid_control.cli.output import output_folder
    from liquid_control.dependencies import require_report

    require_report()
    from liquid_control.pages.flight_page import write_side_by_side

    with output_folder(out, "compare", (BOTH,)) as folder:
        page = write_side_by_side(folder / BOTH, first, second)
    print(page)
    offer_report(page, show)


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
