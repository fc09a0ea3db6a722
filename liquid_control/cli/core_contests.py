"""What `bench core` measures: our cores against ncps 1.0.1, and a CfC against an LTC by dopri5.

All cores have 19 neurons, wired alike, and 34 inputs, as the controller that flies. Training is a
forward and a backward pass over 32 sequences of 64 steps; a single step has a batch of one.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.cli.bench_core import SETTINGS, Contest
from liquid_control.cli.packages import require
from liquid_control.command.motors import MotorScaling
from liquid_control.errors import CellError, DependencyError
from liquid_control.export.c import TRIAL, controller_c
from liquid_control.liquid.auto_ncp import auto_ncp
from liquid_control.liquid.cores.base import Core
from liquid_control.liquid.flight import FlightCfC
from liquid_control.liquid.ncps import weights_from_ncps, wiring_from_ncps

BATCH, STEPS = SETTINGS["batch"], SETTINGS["steps"]
INPUTS, NEURONS, OUTPUTS = (SETTINGS[name] for name in ("inputs", "neurons", "outputs"))
SAME = 1e-5
DT_S = 0.05

Work = Callable[[], object]


@contextmanager
def contests() -> Iterator[list[Contest]]:
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


def _training_cfc(torch: Any, theirs: Any) -> Contest:
    from liquid_control.liquid.cores.cfc_ncps import cfc_from_ncps

    ours = cfc_from_ncps(theirs.state_dict(), wiring=wiring_from_ncps(theirs.wiring))
    return _training(torch, "training, CfC-19 wired", ours, theirs, 10.0)


def _training_ltc(torch: Any, theirs: Any) -> Contest:
    from liquid_control.liquid.cores.ltc_ncps import ltc_from_ncps

    ours = ltc_from_ncps(theirs.state_dict(), wiring_from_ncps(theirs.rnn_cell._wiring))
    return _training(torch, "training, LTC-19, six unfolds", ours, theirs, 5.0)


def _training(torch: Any, what: str, ours: Core, theirs: Any, at_least: float) -> Contest:
    x = torch.rand(BATCH, STEPS, INPUTS) * 2 - 1
    dt = torch.ones(BATCH, STEPS)
    difference = _same(what, ours.sequence(x, ours.init_state(BATCH), dt)[0], theirs(x)[0])
    return Contest(
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


def _step_in_c(torch: Any, theirs: Any, folder: Path) -> Contest:
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
    return Contest(
        "one step, exported C",
        "C",
        "ncps",
        lambda: 1e-6 * float(run()[-4]),
        _their_step(torch, theirs),
        150.0,
        difference,
    )


def _step_in_numpy(torch: Any, theirs: Any) -> Contest:
    cell = FlightCfC(weights_from_ncps(theirs.state_dict(), wiring_from_ncps(theirs.wiring), DT_S))
    x = np.random.default_rng(0).uniform(-1, 1, INPUTS).astype(np.float32)
    state = cell.init_state()
    with torch.no_grad():
        expected = theirs(torch.tensor(x)[None, None])[1][0].numpy()
    difference = float(np.abs(cell.step(x, state, DT_S)[0] - expected).max())
    return Contest(
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


def _closed_form_or_solver(torch: Any) -> list[Contest]:
    from liquid_control.liquid.cores.dopri5 import Dopri5
    from liquid_control.liquid.cores.ltc import LTC
    from liquid_control.liquid.cores.wired_cfc import WiredCfC

    wiring = auto_ncp(INPUTS, NEURONS, OUTPUTS)
    fast, slow = WiredCfC(wiring), LTC(wiring, solver=Dopri5())
    x = torch.rand(BATCH, STEPS, INPUTS) * 2 - 1
    dt = torch.full((BATCH, STEPS), DT_S)

    def infer(core: Core) -> None:
        with torch.no_grad():
            core.sequence(x, core.init_state(BATCH), dt)

    names = ("CfC", "LTC, dopri5")
    return [
        Contest(
            "inference on sequences",
            *names,
            _timer(lambda: infer(fast), 10),
            _timer(lambda: infer(slow), 1),
            10.0,
            None,
        ),
        Contest(
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
