"""The progress bar of campaigns, with the success rate so far."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


@contextmanager
def flight_progress(total: int) -> Iterator[Callable[[FlightRow], None]]:
    """Show a bar on stderr while flights come in; yields the function to tell of each."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[success]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    flown = succeeded = 0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("flying", total=total, success="")

        def tell(row: FlightRow) -> None:
            nonlocal flown, succeeded
            flown += 1
            succeeded += row.success
            latest = f"{row.model}, {row.entry}"
            share = f"{succeeded}/{flown} succeed"
            bar.update(task, advance=1, success=share, description=latest)

        yield tell
