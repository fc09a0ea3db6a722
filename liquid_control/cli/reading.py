"""How far a big bag has been read, on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

BIG_BYTES = 64 << 20
"""Smaller bags are read before anybody could look."""
STEPS = 10
"""Lines where there is no terminal for a bar."""

Tell = Callable[[int], None]


@contextmanager
def reading_progress(total_bytes: int, what: str = "reading") -> Iterator[Tell]:
    """Show how a bag is read; yields the function to tell of the bytes that were read.

    Compressed bags hold more bytes than their size, so the bar may be full early.
    """
    console = Console(stderr=True, soft_wrap=True)
    if total_bytes < BIG_BYTES:
        yield lambda size: None
    elif not console.is_terminal:
        yield _Lines(total_bytes, what, console).tell
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(what, total=total_bytes)
            yield lambda size: bar.advance(task, size)


class _Lines:
    """Prints a line now and then."""

    def __init__(self, total_bytes: int, what: str, console: Console) -> None:
        self._total = total_bytes
        self._what = what
        self._console = console
        self._read = 0
        self._told = 0

    def tell(self, size: int) -> None:
        """Count bytes."""
        self._read += size
        step = min(STEPS, STEPS * self._read // self._total)
        if step > self._told:
            self._told = step
            line = f"{self._what}: {self._read >> 20} of {self._total >> 20} MiB"
            self._console.print(line, markup=False, highlight=False)
