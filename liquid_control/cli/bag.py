"""`liquid-control bag`: what recordings hold, and whether anything can be done with them."""

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.cli.options import Topic, Topics, rules_of
from liquid_control.errors import BagError

if TYPE_CHECKING:
    from liquid_control.progress import Bar

LARGE_BYTES = 64 << 20
"""Smaller bags are read at once."""
LOG_LINES = 10
"""Lines of progress where stderr is no terminal."""

bag = typer.Typer(name="bag", help="Look into recordings.", no_args_is_help=True)


@bag.callback()
def _group() -> None:
    """Look into recordings."""


@bag.command()
def info(
    bags: Annotated[
        list[Path],
        typer.Argument(
            metavar="BAG",
            help="A .mcap or .db3 file or a rosbag2 folder; several are parts of one recording.",
            show_default=False,
        ),
    ],
    topics: Topics = None,
    topic: Topic = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is in a bag, what is missing, and which flag would fix it.

    Example: liquid-control bag info flight.mcap --topics realsense --topics mavros

    Reads the bag once, pictures too, so that what it says of losses is what a replay would lose.
    Ends with status 0 if the bag can be replayed, with 2 if it cannot.
    """
    from liquid_control.bags.bag import open_bag
    from liquid_control.bags.survey import survey
    from liquid_control.cli.output import console
    from liquid_control.cli.tables import as_document, print_survey

    rules = rules_of(topics, topic)
    found = open_bag(bags[0] if len(bags) == 1 else bags)
    with reading_progress(found.size_bytes) as bar:
        surveyed = survey(found, rules, lambda size: bar.advance(steps=size))
    if as_json:
        print(json.dumps(as_document(found, surveyed), indent=2))
    else:
        print_survey(found, surveyed, console())
    if surveyed.obstacle:
        raise BagError(f"{found.path}: cannot be replayed: {surveyed.obstacle}")


def reading_progress(total_bytes: int) -> "AbstractContextManager[Bar]":
    """Show how far a bag is read, if it is large.

    Compressed bags hold more bytes than their size, so the bar may be full early.
    """
    from liquid_control.progress import Bar, progress_bar

    if total_bytes < LARGE_BYTES:
        return nullcontext(Bar(total_bytes))
    return progress_bar(
        "reading", total_bytes, unit="bytes", log_step=total_bytes / LOG_LINES, transient=True
    )
