"""`liquid-control bag`: what recordings hold, and whether anything can be done with them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from liquid_control.cli.topic_options import Topic, Topics, rules_of
from liquid_control.errors import BagError

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
    from liquid_control.cli.bag_tables import as_document, print_survey
    from liquid_control.cli.console import console
    from liquid_control.cli.reading import reading_progress

    rules = rules_of(topics, topic)
    found = open_bag(bags[0] if len(bags) == 1 else bags)
    with reading_progress(found.size_bytes) as tell:
        surveyed = survey(found, rules, tell)
    if as_json:
        print(json.dumps(as_document(found, surveyed), indent=2))
    else:
        print_survey(found, surveyed, console())
    if surveyed.obstacle:
        raise BagError(f"{found.path}: cannot be replayed: {surveyed.obstacle}")
