"""The progress bar of campaigns, with the success rate so far."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from liquid_control.evaluation.rows import FlightRow

LINE_EVERY = 25
"""Flights from one line to the next, where there is no terminal for a bar."""

Tell = Callable[[FlightRow], None]


@contextmanager
def flight_progress(total: int) -> Iterator[Tell]:
    """Show how a campaign goes on stderr; yields the function to tell of each flight."""
    console = Console(stderr=True, soft_wrap=True)
    if not console.is_terminal:
        yield _lines(total, console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[success]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("flying", total=total, success="")
        count = _Count()

        def tell(row: FlightRow) -> None:
            latest = f"{row.model}, {row.entry}"
            bar.update(task, advance=1, success=count.add(row), description=latest)

        yield tell


@dataclass
class _Count:
    """Flights so far."""

    flown: int = 0
    succeeded: int = 0

    def add(self, row: FlightRow) -> str:
        """Count a flight and return the success rate so far in words."""
        self.flown += 1
        self.succeeded += row.success
        return f"{self.succeeded}/{self.flown} succeed"


def _lines(total: int, console: Console) -> Tell:
    """Return what prints a line now and then, for logs."""
    count = _Count()

    def tell(row: FlightRow) -> None:
        success = count.add(row)
        if count.flown % LINE_EVERY == 0 or count.flown == total:
            line = f"{count.flown} of {total} flown, {success} ({row.model}, {row.entry})"
            console.print(line, markup=False, highlight=False)

    return tell
