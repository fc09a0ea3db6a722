"""The progress bar of commands that read bags, by time of the recording."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from liquid_control.bags.bag import Bag
    from liquid_control.bags.events import Event

_EVERY = 30
"""Frames between two steps of the bar."""


def shown_progress(events: "Iterable[Event]", bag: "Bag", what: str) -> "Iterator[Event]":
    """Pass events on, and show on stderr how far into the recording they are."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from liquid_control.bags.events import Seen

    console = Console(stderr=True)
    if not console.is_terminal:
        yield from events
        return
    known = bag.start_ns is not None and bag.end_ns is not None
    start_ns, end_ns = bag.start_ns or 0, bag.end_ns or 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[frames]} frames"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    frames = 0
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=max(end_ns - start_ns, 1) if known else None, frames=0)
        for event in events:
            if isinstance(event, Seen):
                frames += 1
                if frames % _EVERY == 0:
                    bar.update(task, completed=event.log_ns - start_ns, frames=frames)
            yield event
