"""Progress displays on stderr: bars and status lines on a terminal, occasional lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Unit = Literal["count", "bytes", "percent"]
LOG_WIDTH = 120
"""Columns where stderr is no terminal."""
PLAIN_PERIOD_S = 5.0
"""Between two lines of a `StatusLine` where stderr is no terminal."""

_COLUMNS: dict[Unit, type[ProgressColumn]] = {
    "count": MofNCompleteColumn,
    "bytes": DownloadColumn,
    "percent": TaskProgressColumn,
}


def stderr_console() -> Console:
    """Return a console on stderr, `LOG_WIDTH` columns wide where that is no terminal."""
    console = Console(stderr=True, soft_wrap=True)
    return console if console.is_terminal else Console(stderr=True, width=LOG_WIDTH)


class Bar:
    """A task in progress.

    Attributes:
        total: units of the task.
        completed: units so far.
    """

    def __init__(self, total: float, completed: float = 0.0) -> None:
        self.total, self.completed = total, completed

    def advance(self, note: str = "", steps: float = 1) -> None:
        """Complete some more units; `note` is shown next to the bar."""
        self.move_to(self.completed + steps, note)

    def move_to(self, completed: float, note: str = "") -> None:
        """Set the completed units; `note` is shown next to the bar."""
        self.completed = completed


class _TerminalBar(Bar):
    """A bar of rich's `Progress`."""

    def __init__(self, progress: Progress, task: TaskID, total: float, completed: float) -> None:
        super().__init__(total, completed)
        self._progress, self._task = progress, task

    def move_to(self, completed: float, note: str = "") -> None:
        super().move_to(completed, note)
        self._progress.update(self._task, completed=completed, note=note)


class _LogBar(Bar):
    """Prints a line each time another `step` of the task is complete, and at its end."""

    def __init__(
        self, title: str, total: float, completed: float, unit: Unit, step: float, console: Console
    ) -> None:
        super().__init__(total, completed)
        self._title, self._unit, self._step, self._console = title, unit, step, console
        self._printed = int(completed // step)

    def move_to(self, completed: float, note: str = "") -> None:
        before = self.completed
        super().move_to(completed, note)
        step = int(completed // self._step)
        if step > self._printed or before < self.total <= completed:
            self._printed = step
            line = f"{self._title}: {self._amount()}{', ' if note else ''}{note}"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _amount(self) -> str:
        if self._unit == "count":
            return f"{self.completed:.0f} of {self.total:.0f}"
        if self._unit == "bytes":
            return f"{int(self.completed) >> 20} of {int(self.total) >> 20} MiB"
        return f"{100.0 * self.completed / self.total:.0f} %"


@contextmanager
def progress_bar(
    title: str,
    total: float,
    *,
    done: float = 0.0,
    unit: Unit = "count",
    log_step: float | None = None,
    transient: bool = False,
    console: Console | None = None,
) -> Iterator[Bar]:
    """Show the progress of a task until the block ends.

    Args:
        title: of the task.
        total: units of the task.
        done: units that were completed before.
        unit: how amounts are written.
        log_step: units from one line to the next where stderr is no terminal; None for no lines.
        transient: whether the bar disappears at the end.
        console: where to; stderr unless given.
    """
    console = console or stderr_console()
    if not console.is_terminal:
        yield (
            Bar(total, done)
            if log_step is None
            else _LogBar(title, total, done, unit, log_step, console)
        )
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        _COLUMNS[unit](),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(
        *columns, console=console, transient=transient, refresh_per_second=4
    ) as progress:
        task = progress.add_task(title, total=total, note="")
        progress.update(task, completed=done)
        yield _TerminalBar(progress, task, total, done)


@dataclass
class Reporter:
    """Shows the phases of a long run one after the other.

    Attributes:
        console: where to; stderr unless given.
    """

    console: Console = field(default_factory=stderr_console)

    @contextmanager
    def phase(self, title: str, total: int, done: int = 0) -> Iterator[Bar]:
        """Show a bar of `total` units, `done` of them from before; in a log, ten lines."""
        step = max(1, total // 10)
        padded = f"{title:<28}" if self.console.is_terminal else title
        with progress_bar(padded, total, done=done, log_step=step, console=self.console) as bar:
            yield bar

    def log(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, highlight=False, soft_wrap=True)


class StatusLine:
    """Shows the progress events of a flight in one line; a context that leaves no line behind.

    Args:
        title: of the flight.
        text: writes a progress event in words.
        console: where to; stderr unless given.
    """

    def __init__(
        self,
        title: str,
        text: Callable[[Mapping[str, Any]], str],
        console: Console | None = None,
    ) -> None:
        self._title, self._text = title, text
        self._console = console or stderr_console()
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            refresh_per_second=10,
        )
        self._task: TaskID | None = None
        self._printed_s = float("-inf")

    def __enter__(self) -> "StatusLine":
        if self._console.is_terminal:
            self._progress.start()
            self._task = self._progress.add_task("")
        self.show("starting the graph")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._progress.stop()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show an event if its `event` is `progress`."""
        if event.get("event") != "progress":
            return
        now_s = time.monotonic()
        if self._task is not None or now_s - self._printed_s >= PLAIN_PERIOD_S:
            self._printed_s = now_s
            self.show(self._text(event))

    def show(self, text: str) -> None:
        """Show a text after the title."""
        line = f"{self._title}: {text}"
        if self._task is None:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            self._progress.update(self._task, description=line)
