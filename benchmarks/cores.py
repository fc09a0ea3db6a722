"""How fast liquid cores train and step, beside ncps and beside each other, in one run.

Both sides of a contest take turns, so that what slows the machine slows both; a ratio is of two
turns that follow each other. Before it counts, a contest between two makes of one core checks that
both answer the same.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.status import Status
from rich.table import Table

from liquid_control.command.motors import MotorScaling
from liquid_control.cores.base import Core
from liquid_control.dependencies import require
from liquid_control.errors import CellError, DependencyError
from liquid_control.export.c import TRIAL, controller_c
from liquid_control.liquid.flight_step import FlightCfC
from liquid_control.liquid.ncps_wiring import weights_from_ncps, wiring_from_ncps
from liquid_control.liquid.wiring_generators import auto_ncp

SETTINGS = {"batch": 32, "steps": 64, "inputs": 34, "neurons": 19, "outputs": 4, "threads": 1}


@dataclass(frozen=True, slots=True)
class CoreComparison:
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

    rows = []
    with _one_thread(torch), comparisons() as all_of_them, _status() as status:
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


def _hold(contest: CoreComparison, turns: int) -> CoreRow:
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


BATCH, STEPS = SETTINGS["batch"], SETTINGS["steps"]
INPUTS, NEURONS, OUTPUTS = (SETTINGS[name] for name in ("inputs", "neurons", "outputs"))
SAME = 1e-5
DT_S = 0.05

Work = Callable[[], object]


@contextmanager
def comparisons() -> Iterator[list[CoreComparison]]:
    """Yield all contests; what they compile lies in a folder that goes afterwards.

    Raises:
        DependencyError: ncps, torchdiffeq or a C compiler is missing.
        CellError: two makes of one core do not answer the same.
    """
    ncps_torch, wirings = _ncps("ncps.torch"), _ncps("ncps.wirings")
    torch = require("torch", "train", "measure cores")
    require("torchdiffeq", "train", "measure an LTC solved by dopri5")
    torch.manual_seed(0)
    theirs = ncps_torch.CfC(INPUTS, wirings.AutoNCP(NEURONS, OUTPUTS))
    slow = ncps_torch.LTC(INPUTS, wirings.AutoNCP(NEURONS, OUTPUTS))
    with tempfile.TemporaryDirectory() as folder:
        yield [
            _training_cfc(torch, theirs),
            _training_ltc(torch, slow),
            _step_in_c(torch, theirs, Path(folder)),
            _step_in_numpy(torch, theirs),
            *_closed_form_or_solver(torch),
        ]


def _ncps(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise DependencyError(
            "ncps is not installed, and is needed to compare with it; "
            "mend it with: pip install ncps==1.0.1"
        ) from error


def _training_cfc(torch: Any, theirs: Any) -> CoreComparison:
    from liquid_control.cores.from_ncps import cfc_from_ncps

    ours = cfc_from_ncps(theirs.state_dict(), wiring=wiring_from_ncps(theirs.wiring))
    return _training(torch, "training, CfC-19 wired", ours, theirs, 10.0)


def _training_ltc(torch: Any, theirs: Any) -> CoreComparison:
    from liquid_control.cores.from_ncps import ltc_from_ncps

    ours = ltc_from_ncps(theirs.state_dict(), wiring_from_ncps(theirs.rnn_cell._wiring))
    return _training(torch, "training, LTC-19, six unfolds", ours, theirs, 5.0)


def _training(torch: Any, what: str, ours: Core, theirs: Any, at_least: float) -> CoreComparison:
    x = torch.rand(BATCH, STEPS, INPUTS) * 2 - 1
    dt = torch.ones(BATCH, STEPS)
    difference = _same(what, ours.sequence(x, ours.init_state(BATCH), dt)[0], theirs(x)[0])
    return CoreComparison(
        what,
        "ours",
        "ncps",
        _timer(lambda: _learn(ours, x, dt), 3),
        _timer(lambda: theirs(x)[0].square().sum().backward(), 1),
        at_least,
        difference,
    )


def _learn(core: Core, x: Any, dt: Any) -> None:
    loss: Any = core.sequence(x, core.init_state(BATCH), dt)[0].square().sum()
    loss.backward()


def _step_in_c(torch: Any, theirs: Any, folder: Path) -> CoreComparison:
    weights = weights_from_ncps(theirs.state_dict(), wiring_from_ncps(theirs.wiring), DT_S)
    for name, text in controller_c(weights, MotorScaling(), "bench").items():
        (folder / name).write_text(text)
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise DependencyError("no C compiler is installed, and one is needed to time exported C")
    program = folder / "controller_test"
    command = [compiler, "-std=c99", "-O2", str(folder / TRIAL), "-o", str(program)]
    subprocess.run(command, check=True)

    def run() -> list[str]:
        done = subprocess.run([program], check=True, capture_output=True, text=True)
        return done.stdout.split()

    difference = float(run()[2])
    return CoreComparison(
        "one step, exported C",
        "C",
        "ncps",
        lambda: 1e-6 * float(run()[-4]),
        _their_step(torch, theirs),
        150.0,
        difference,
    )


def _step_in_numpy(torch: Any, theirs: Any) -> CoreComparison:
    cell = FlightCfC(weights_from_ncps(theirs.state_dict(), wiring_from_ncps(theirs.wiring), DT_S))
    x = np.random.default_rng(0).uniform(-1, 1, INPUTS).astype(np.float32)
    state = cell.init_state()
    with torch.no_grad():
        expected = theirs(torch.tensor(x)[None, None])[1][0].numpy()
    difference = float(np.abs(cell.step(x, state, DT_S)[0] - expected).max())
    return CoreComparison(
        "one step, NumPy",
        "NumPy",
        "ncps",
        _timer(lambda: cell.step(x, state, DT_S), 2000),
        _their_step(torch, theirs),
        15.0,
        difference,
    )


def _their_step(torch: Any, theirs: Any) -> Callable[[], float]:
    x, state = torch.rand(1, 1, INPUTS) * 2 - 1, torch.zeros(1, NEURONS)
    elapsed = torch.ones(1, 1)

    def step() -> None:
        with torch.no_grad():
            theirs(x, state, elapsed)

    return _timer(step, 200)


def _closed_form_or_solver(torch: Any) -> list[CoreComparison]:
    from liquid_control.cores.ltc import LTC
    from liquid_control.cores.solvers import Dopri5
    from liquid_control.cores.wired_cfc import WiredCfC

    wiring = auto_ncp(INPUTS, NEURONS, OUTPUTS)
    fast, slow = WiredCfC(wiring), LTC(wiring, solver=Dopri5())
    x = torch.rand(BATCH, STEPS, INPUTS) * 2 - 1
    dt = torch.full((BATCH, STEPS), DT_S)

    def infer(core: Core) -> None:
        with torch.no_grad():
            core.sequence(x, core.init_state(BATCH), dt)

    names = ("CfC", "LTC, dopri5")
    return [
        CoreComparison(
            "inference on sequences",
            *names,
            _timer(lambda: infer(fast), 10),
            _timer(lambda: infer(slow), 1),
            10.0,
            None,
        ),
        CoreComparison(
            "training",
            *names,
            _timer(lambda: _learn(fast, x, dt), 5),
            _timer(lambda: _learn(slow, x, dt), 1),
            10.0,
            None,
        ),
    ]


def _timer(work: Work, repeats: int) -> Callable[[], float]:
    """Return what does the work some times and returns seconds for one."""

    def timed() -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        return (time.perf_counter() - start) / repeats

    return timed


def _same(what: str, ours: Any, theirs: Any) -> float:
    difference = float((ours - theirs).detach().abs().max())
    if not difference <= SAME:
        raise CellError(f"{what}: expected answers within {SAME:g} of ncps, got {difference:g}")
    return difference
