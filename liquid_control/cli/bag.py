"""`liquid-control bag`: inspection of recordings; `cli.exchange` has their conversion."""

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.cli.topic_options import Topic, Topics, rules_of
from liquid_control.errors import BagError

if TYPE_CHECKING:
    from liquid_control.progress import Bar

LARGE_BYTES = 64 << 20
"""Smallest size for which reading shows progress."""
LOG_LINES = 10
"""Number of progress lines where stderr is not a terminal."""

bag = typer.Typer(name="bag", help="Inspect and convert recordings.", no_args_is_help=True)


@bag.callback()
def _group() -> None:
    """Inspect and convert recordings."""


@bag.command()
def info(
    bags: Annotated[
        list[Path],
        typer.Argument(
            metavar="BAG",
            help="A .mcap or .db3 file, or a rosbag2 folder; several form one recording.",
            show_default=False,
        ),
    ],
    topics: Topics = None,
    topic: Topic = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Model folder whose view the pictures must show.",
            show_default="the shipped model that the bag was recorded with, or models/trail_cfc19",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the contents of a bag, missing topics, and the options that select them.

    Example: liquid-control bag info flight.mcap --topics realsense --topics mavros

    Reads the whole bag once and decodes its pictures: the losses shown are those of a replay, and
    the pictures must show the model's view as in a replay. The status is 0 if the bag can be
    replayed, and 2 otherwise.
    """
    from liquid_control.bags import open_bag, survey_bag
    from liquid_control.bags.survey_report import as_document, print_survey
    from liquid_control.cli.next_steps import command_of, suggest
    from liquid_control.cli.output import console
    from liquid_control.replay import MIN_COVERAGE
    from liquid_control.replay.request import choose_model

    rules = rules_of(topics, topic)
    found = open_bag(bags[0] if len(bags) == 1 else bags)
    chosen = choose_model(model, found.metadata).model
    with reading_progress(found.size_bytes) as bar:
        surveyed = survey_bag(
            found,
            rules,
            lambda size: bar.advance(steps=size),
            view=chosen.settings.camera.view,
            model=chosen.name,
            min_coverage=MIN_COVERAGE,
        )
    if as_json:
        print(json.dumps(as_document(found, surveyed), indent=2))
    else:
        print_survey(found, surveyed, console())
    if surveyed.obstacle:
        raise BagError(f"{found.path}: cannot be replayed: {surveyed.obstacle}")
    if not as_json:
        flags = [word for name in topics or () for word in ("--topics", name)]
        flags += [word for name in topic or () for word in ("--topic", name)]
        suggest(command_of("liquid-control", "replay", *bags, *flags))


def reading_progress(total_bytes: int) -> "AbstractContextManager[Bar]":
    """Show the progress of reading a large bag; a smaller one shows nothing.

    The message bytes of a compressed bag exceed its size, so its bar can be full early.
    """
    from liquid_control.progress import Bar, progress_bar

    if total_bytes < LARGE_BYTES:
        return nullcontext(Bar(total_bytes))
    return progress_bar(
        "reading", total_bytes, unit="bytes", log_step=total_bytes / LOG_LINES, transient=True
    )
