"""How fast liquid cores train and step, beside ncps and beside each other, in one run.

Both sides of a contest take turns, so that what slows the machine slows both; a ratio is of two
turns that follow each other. Before it counts, a contest between two makes of one core checks that
both answer the same.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.status import Status
from rich.table import Table

from liquid_control.cli.packages import require

SETTINGS = {"batch": 32, "steps": 64, "inputs": 34, "neurons": 19, "outputs": 4, "threads": 1}


@dataclass(frozen=True, slots=True)
class Contest:
    """Two ways to do the same work.

    Attributes:
        what: the work.
        ours: its name; likewise peer.
        time_ours: does it once or more and returns seconds for one; likewise time_peer.
        at_least: how many times faster ours is to be; None where that is only reported.
        difference: largest difference of the answers; None where they are not to be the same.
    """

    what: str
    ours: str
    peer: str
    time_ours: Callable[[], float]
    time_peer: Callable[[], float]
    at_least: float | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class CoreRow:
    """One contest, measured: medians and ranges over its turns, microseconds and ratios."""

    what: str
    ours: str
    peer: str
    at_least: float | None
    difference: float | None
    ours_us: float
    ours_least_us: float
    ours_most_us: float
    peer_us: float
    peer_least_us: float
    peer_most_us: float
    ratio: float
    ratio_least: float
    ratio_most: float


def measure_cores(turns: int) -> tuple[list[CoreRow], dict[str, Any]]:
    """Run every contest on one thread; the first turn of each, which warms caches, is not counted.

    Raises:
        DependencyError: torch, ncps, torchdiffeq or a C compiler is missing.
        CellError: two makes of one core do not answer the same.
    """
    torch = require("torch", "train", "measure cores")
    from liquid_control.cli.core_contests import contests

    rows = []
    with _one_thread(torch), contests() as all_of_them, _status() as status:
        for contest in all_of_them:
            status.update(f"{contest.what}: {contest.ours} and {contest.peer}")
            rows.append(_hold(contest, turns))
    return rows, {**SETTINGS, "turns": turns}


def _status() -> Status:
    return Console(stderr=True).status("making the cores")


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _hold(contest: Contest, turns: int) -> CoreRow:
    timed = [(contest.time_ours(), contest.time_peer()) for _ in range(turns + 1)][1:]
    ours, peer = ([1e6 * seconds for seconds in side] for side in zip(*timed, strict=True))
    ratios = [slow / fast for fast, slow in zip(ours, peer, strict=True)]
    return CoreRow(
        contest.what,
        contest.ours,
        contest.peer,
        contest.at_least,
        contest.difference,
        *_spread(ours),
        *_spread(peer),
        *_spread(ratios),
    )


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return median(values), min(values), max(values)


def core_table(rows: Sequence[CoreRow]) -> Table:
    """Return one line a contest: medians of times, and how many times faster ours is."""
    title = "liquid cores on one thread, medians; times faster with its range over turns"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in ("", "ours", "peer"):
        table.add_column(name, no_wrap=True)
    for name in ("faster", "least", "most", "aim"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.what,
            f"{row.ours} {_time(row.ours_us)}",
            f"{row.peer} {_time(row.peer_us)}",
            *(f"{ratio:.3g}" for ratio in (row.ratio, row.ratio_least, row.ratio_most)),
            "" if row.at_least is None else f">= {row.at_least:g}",
        )
    return table


def _time(value_us: float) -> str:
    for unit, scale in (("s", 1e-6), ("ms", 1e-3)):
        if value_us * scale >= 1.0:
            return f"{value_us * scale:.3g} {unit}"
    return f"{value_us:.3g} us"
