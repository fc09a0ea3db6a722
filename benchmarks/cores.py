"""Speed of training and stepping liquid cores, compared with ncps, torch and with each other.

The two sides of a comparison run alternately; other load on the machine then slows both. A ratio
is that of two consecutive turns. A comparison of two implementations of one core first checks
that their results agree.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.status import Status
from rich.table import Table

from benchmarks.measured import Measured
from liquid_control.command.motors import MotorScaling
from liquid_control.dependencies import require
from liquid_control.errors import CellError, DependencyError
from liquid_control.export.c import TRIAL, controller_c
from liquid_control.liquid import FlightCfC, auto_ncp
from liquid_control.liquid.ncps_wiring import weights_from_ncps, wiring_from_ncps

if TYPE_CHECKING:
    from liquid_control.cores import Core

SETTINGS = {"batch": 32, "steps": 64, "inputs": 34, "neurons": 19, "outputs": 4, "threads": 1}


@dataclass(frozen=True, slots=True)
class CoreComparison:
    """Two implementations of the same task.

    Attributes:
        what: the task.
        ours: name of the implementation of this package; `peer` is the other one.
        time_ours: runs the task once or more and returns seconds per run; likewise `time_peer`.
        at_least: required ratio of the times, peer to ours; None if it is only reported.
        difference: largest difference of the results; None if they need not agree.
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
    """Result of one comparison: medians and ranges over its turns, microseconds and ratios."""

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


def measure_cores(
    turns: int, measured: Measured | None = None
) -> tuple[list[CoreRow], dict[str, Any]]:
    """Run all comparisons on one thread; the first turn of each, a warm-up, is not counted.

    Raises:
        DependencyError: torch, ncps, torchdiffeq or a C compiler is missing.
        CellError: the results of two implementations of one core differ.
    """
    torch = require("torch", "train", "measure cores")
    measured = measured or Measured()
    rows = []
    with one_thread(torch), comparisons() as pairs, _status() as status:
        for comparison in pairs:
            status.update(f"{comparison.what}: {comparison.ours} and {comparison.peer}")
            key = f"{comparison.what}: {comparison.ours}, {comparison.peer}"
            rows.append(
                measured.once(key, CoreRow, partial(measure_comparison, comparison, turns))
            )
    return rows, {**SETTINGS, "turns": turns}


def _status() -> Status:
    return Console(stderr=True).status("building the cores")


@contextmanager
def one_thread(torch: Any) -> Iterator[None]:
    """Let torch use one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure_comparison(comparison: CoreComparison, turns: int) -> CoreRow:
    """Run both sides in turn `turns` times after a warm-up; return medians and ranges."""
    timed = [(comparison.time_ours(), comparison.time_peer()) for _ in range(turns + 1)][1:]
    ours, peer = ([1e6 * seconds for seconds in side] for side in zip(*timed, strict=True))
    ratios = [slow / fast for fast, slow in zip(ours, peer, strict=True)]
    return CoreRow(
        comparison.what,
        comparison.ours,
        comparison.peer,
        comparison.at_least,
        comparison.difference,
        *_spread(ours),
        *_spread(peer),
        *_spread(ratios),
    )


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return median(values), min(values), max(values)


def core_table(rows: Sequence[CoreRow]) -> Table:
    """Return one line per comparison: medians of the times and their ratio."""
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
    """Yield all comparisons; compiled programs are in a temporary folder.

    Raises:
        DependencyError: ncps, torchdiffeq or a C compiler is missing.
        CellError: the results of two implementations of one core differ.
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
            _training_lstm(torch),
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
    from liquid_control.cores import cfc_from_ncps

    ours = cfc_from_ncps(theirs.state_dict(), wiring=wiring_from_ncps(theirs.wiring))
    return _training(torch, "training, CfC-19 wired", ours, theirs, 10.0)


def _training_ltc(torch: Any, theirs: Any) -> CoreComparison:
    from liquid_control.cores import ltc_from_ncps

    ours = ltc_from_ncps(theirs.state_dict(), wiring_from_ncps(theirs.rnn_cell._wiring))
    return _training(torch, "training, LTC-19, six unfolds", ours, theirs, 5.0)


def _training_lstm(torch: Any) -> CoreComparison:
    """Compare a wired CfC with torch's LSTM of as many neurons."""
    from liquid_control.cores import WiredCfC

    ours, peer = WiredCfC(auto_ncp(INPUTS, NEURONS, OUTPUTS)), torch.nn.LSTM(INPUTS, NEURONS)
    x = torch.rand(BATCH, STEPS, INPUTS) * 2 - 1
    dt, steps_first = torch.full((BATCH, STEPS), DT_S), x.transpose(0, 1).contiguous()
    return CoreComparison(
        f"training, {NEURONS} neurons",
        "CfC wired",
        "torch.nn.LSTM",
        _timer(lambda: _learn(ours, x, dt), 5),
        _timer(lambda: peer(steps_first)[0].square().sum().backward(), 5),
        1.0,
        None,
    )


def _training(torch: Any, what: str, ours: "Core", theirs: Any, at_least: float) -> CoreComparison:
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


def _learn(core: "Core", x: Any, dt: Any) -> None:
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
    from liquid_control.cores import LTC, Dopri5, WiredCfC

    wiring = auto_ncp(INPUTS, NEURONS, OUTPUTS)
    fast, slow = WiredCfC(wiring), LTC(wiring, solver=Dopri5())
    x = torch.rand(BATCH, STEPS, INPUTS) * 2 - 1
    dt = torch.full((BATCH, STEPS), DT_S)

    def infer(core: "Core") -> None:
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
    """Return a function that repeats the task and returns seconds per run."""

    def timed() -> float:
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        return (time.perf_counter() - start) / repeats

    return timed


def _same(what: str, ours: Any, theirs: Any) -> float:
    difference = float((ours - theirs).detach().abs().max())
    if not difference <= SAME:
        raise CellError(f"{what}: expected results within {SAME:g} of ncps, got {difference:g}")
    return difference
