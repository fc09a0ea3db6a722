"""What a person sees while training runs: one bar a phase, with what is left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_LOG_WIDTH = 120


def _console() -> Console:
    """Return a console on stderr; a log file has no width, and bars need one."""
    console = Console(stderr=True)
    return console if console.is_terminal else Console(stderr=True, width=_LOG_WIDTH)


@dataclass
class Bar:
    """A phase in progress."""

    progress: Progress
    task: TaskID

    def advance(self, note: str = "", steps: int = 1) -> None:
        """Move on; `note` stays beside the bar."""
        self.progress.update(self.task, advance=steps, note=note)


@dataclass
class Reporter:
    """Shows phases one after the other on a console."""

    console: Console = field(default_factory=_console)

    @contextmanager
    def phase(self, title: str, total: int, done: int = 0) -> Iterator[Bar]:
        """Show a bar of `total` units, `done` of them from before, until the phase is over."""
        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, refresh_per_second=4) as progress:
            yield Bar(progress, progress.add_task(title, total=total, completed=done, note=""))

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, highlight=False, soft_wrap=True)
