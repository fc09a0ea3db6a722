"""Solvers of ordinary differential equations for recurrent cores.

`make_solver` builds one by name, for configurations; in code, pass the solver itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from liquid_control.cores.execution import is_tracing
from liquid_control.errors import CellError, ConfigError, DependencyError
from liquid_control.liquid.checks import check_integers

DIVERGED = 10.0
"""A state beyond this multiple of its bound is not a solution."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A differential equation dv/dt = gain(v) - decay(v) * v for a batch of states.

    The inputs are held over a step. Explicit solvers use the difference only; the semi-implicit
    solver makes use of the fact that decay multiplies v.

    Attributes:
        rates: maps states [B, S] to gain and decay, each [B, S] or broadcast to it.
        depends_on: tensors other than the state that `rates` reads and that may require
            gradients; the adjoint method returns gradients for these.
        step: index of the step in a sequence, for error messages.
    """

    rates: Callable[[Tensor], tuple[Tensor, Tensor]]
    depends_on: tuple[Tensor, ...] = ()
    step: int = 0

    def slope(self, state: Tensor) -> Tensor:
        """Return dv/dt, [B, S]."""
        gain, decay = self.rates(state)
        return gain - decay * state


class Solver(ABC):
    """Integrates a state over an elapsed time."""

    name: ClassVar[str]

    @abstractmethod
    def solve(self, flow: Flow, state: Tensor, elapsed: Tensor) -> Tensor:
        """Return the state [B, S] after the elapsed time.

        Args:
            flow: the equation.
            state: [B, S].
            elapsed: time for each sample, in the time units of the equation, [B], >= 0.

        Raises:
            CellError: the solver cannot reach the end; the message names solver and step.
        """


def march(
    solver: Solver,
    flow_at: Callable[[int], Flow],
    state: Tensor,
    elapsed: Tensor,
    mask: Tensor | None = None,
    *,
    jump: Callable[[int, Tensor], Tensor] | None = None,
    bound: float = float("inf"),
) -> Tensor:
    """Integrate over all steps of a sequence.

    Args:
        solver: integrates the state over each step.
        flow_at: the equation during step t.
        state: before the first step, [B, S].
        elapsed: [B, T] in time units.
        mask: bool [B, T]; a False step leaves the state unchanged.
        jump: maps t and the state at the end of step t to the state at the start of the next one.
        bound: absolute states that start below it stay below it under the equation.

    Returns:
        The states after each step, [B, T, S].

    Raises:
        CellError: the result of a step is not finite or far out of bounds; the message names
            solver and step.
    """
    states, start = [], state
    for t in range(elapsed.shape[1]):
        after = solver.solve(replace(flow_at(t), step=t), state, elapsed[:, t])
        after = after if jump is None else jump(t, after)
        state = after if mask is None else torch.where(mask[:, t, None], after, state)
        states.append(state)
    joined = torch.stack(states, dim=1)
    check_solved(solver.name, joined, start, elapsed, bound)
    return joined


def check_solved(name: str, states: Tensor, start: Tensor, elapsed: Tensor, bound: float) -> None:
    """Raise a CellError that names solver and step unless states [B, T, S] are a solution.

    Values are not checked while PyTorch traces.
    """
    if is_tracing():
        return
    with torch.no_grad():
        limit = DIVERGED * start.abs().amax().clamp(min=bound)
        good = torch.isfinite(states) & (states.abs() <= limit)
        if bool(good.all()):
            return
        step = int((~good).any(dim=2).any(dim=0).nonzero()[0])
    raise failed(name, step, elapsed[:, step], "the state diverges")


def failed(name: str, step: int, elapsed: Tensor, why: str) -> CellError:
    """Return the error of a solver that fails on a step of `elapsed` [B] time units."""
    longest = float(elapsed.detach().max())
    return CellError(
        f"the {name} solver failed at step {step}, of {longest:g} time units: {why}; expected "
        "finite parameters that are not too stiff for it: take shorter steps, or the fused solver"
    )


SLOPES_A_STEP = 6
"""The seventh slope of a step is the first of the next."""


@dataclass(frozen=True)
class Dopri5(Solver):
    """Dormand-Prince 5(4) with adaptive steps (doi 10.1016/0771-050X(80)90013-3).

    All samples use the same steps: time runs from 0 to 1, and the slope of each sample is
    multiplied by its elapsed time. The error is the largest over all samples; each sample meets
    the tolerance. The steps depend on the data, so the solver cannot be traced or exported.

    Attributes:
        rtol: relative tolerance of the error of one solver step.
        atol: absolute tolerance of the same.
        adjoint: gradients by solving the adjoint equation backwards (Chen et al. 2018, arXiv
            1806.07366), in memory that does not grow with the number of solver steps; False to
            backpropagate through them, which is faster as long as they fit into memory.
        checkpoints: parts of a step at whose ends the adjoint stores the state. Between them it
            solves the equation backwards, which turns contraction into expansion: with one part
            the gradients of an LTC were wrong by a thousand tolerances.
        max_steps: solver steps within one step of the core, forward and backward, above which the
            equation counts as too stiff.
    """

    rtol: float = 1e-5
    atol: float = 1e-6
    adjoint: bool = True
    checkpoints: int = 8
    max_steps: int = 10_000
    name: ClassVar[str] = "dopri5"

    def __post_init__(self) -> None:
        for name in ("rtol", "atol", "checkpoints", "max_steps"):
            if not getattr(self, name) > 0:
                raise CellError(f"expected {name} > 0, got {getattr(self, name)}")

    def solve(self, flow: Flow, state: Tensor, elapsed: Tensor) -> Tensor:
        """Return the state after the elapsed time, as `Solver.solve`.

        Raises:
            DependencyError: torchdiffeq is not installed.
            CellError: the tolerance needs too many or too small steps.
        """
        if is_tracing():
            raise CellError(
                "the dopri5 solver chooses its steps from the data and cannot be traced or "
                "exported: take the fused, the euler or the rk4 solver"
            )
        package = _torchdiffeq()
        keep = tuple(tensor for tensor in (*flow.depends_on, elapsed) if tensor.requires_grad)
        arguments: dict[str, Any] = {
            "rtol": self.rtol,
            "atol": self.atol,
            "method": "dopri5",
            "options": {"norm": _worst_sample},
        }
        if self.adjoint:
            integrate = package.odeint_adjoint
            arguments["adjoint_params"] = keep
        else:
            integrate = package.odeint
        parts = self.checkpoints if self.adjoint else 1
        span = torch.linspace(0.0, 1.0, parts + 1, dtype=state.dtype, device=state.device)
        scaled = _Scaled(flow, elapsed, self.max_steps)
        try:
            solution: Tensor = integrate(scaled, state, span, **arguments)
        except AssertionError as error:
            raise failed(self.name, flow.step, elapsed, str(error).split(":")[0]) from error
        return solution[-1]


class _Scaled(nn.Module):
    """Equation in a time that runs from 0 to 1, in the form that torchdiffeq expects.

    It counts its evaluations and checks the slopes it returns. A solution that cannot succeed ends
    in an error here, in the forward pass and in the adjoint's backward pass alike.
    """

    def __init__(self, flow: Flow, elapsed: Tensor, max_steps: int) -> None:
        super().__init__()
        self._flow = flow
        self._elapsed = elapsed
        self._left = SLOPES_A_STEP * max_steps

    def forward(self, _: Tensor, state: Tensor) -> Tensor:
        self._left -= 1
        slope = self._elapsed[:, None] * self._flow.slope(state)
        if self._left < 0 or not bool(torch.isfinite(slope).all()):
            why = "too many solver steps" if self._left < 0 else "the slope is not finite"
            raise failed(Dopri5.name, self._flow.step, self._elapsed, why)
        return slope


def _worst_sample(error: Tensor) -> Tensor:
    """Return the largest root mean square error over all samples, [B, S] -> []."""
    return error.pow(2).mean(dim=-1).amax().sqrt()


def _torchdiffeq() -> ModuleType:
    try:
        return import_module("torchdiffeq")
    except ImportError as error:
        raise DependencyError(
            "the dopri5 solver needs torchdiffeq: pip install torchdiffeq"
        ) from error


Row = tuple[float, ...]

EULER_STAGES: tuple[Row, ...] = ((),)
EULER_WEIGHTS: Row = (1.0,)

RK4_STAGES: tuple[Row, ...] = ((), (1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0))
RK4_WEIGHTS: Row = (1 / 6, 1 / 3, 1 / 3, 1 / 6)
"""The classical fourth-order method of Kutta (1901)."""

LONGEST = 1e12
"""Longer unfolds, in time units, give the same result and would overflow in float32."""


@dataclass(frozen=True)
class Fused(Solver):
    """The fused semi-implicit solver of Hasani et al. 2021 (arXiv 2006.04439, Algorithm 1).

    v' = (v + h * gain(v)) / (1 + h * decay(v)): gain and decay are taken at the old state, the
    decaying v at the new one. v' lies between v and gain / decay for any h when decay >= 0, so
    states stay bounded for any elapsed time. First order in h.
    """

    unfolds: int = 6
    name: ClassVar[str] = "fused"

    def __post_init__(self) -> None:
        _check_unfolds(self.unfolds)

    def solve(self, flow: Flow, state: Tensor, elapsed: Tensor) -> Tensor:
        """Return the state after the elapsed time, as `Solver.solve`."""
        part = self.part(elapsed)[:, None]
        for _ in range(self.unfolds):
            gain, decay = flow.rates(state)
            state = torch.addcmul(state, part, gain) / (1.0 + part * decay)
        return state

    def part(self, elapsed: Tensor) -> Tensor:
        """Return the length of one unfold, in time units."""
        return (elapsed / self.unfolds).clamp(max=LONGEST)


@dataclass(frozen=True)
class Euler(Solver):
    """The explicit Euler method, first order."""

    unfolds: int = 6
    name: ClassVar[str] = "euler"

    def __post_init__(self) -> None:
        _check_unfolds(self.unfolds)

    def solve(self, flow: Flow, state: Tensor, elapsed: Tensor) -> Tensor:
        """Return the state after the elapsed time, as `Solver.solve`."""
        return _explicit(EULER_STAGES, EULER_WEIGHTS, self.unfolds, flow, state, elapsed)


@dataclass(frozen=True)
class RK4(Solver):
    """The classical Runge-Kutta method, fourth order."""

    unfolds: int = 6
    name: ClassVar[str] = "rk4"

    def __post_init__(self) -> None:
        _check_unfolds(self.unfolds)

    def solve(self, flow: Flow, state: Tensor, elapsed: Tensor) -> Tensor:
        """Return the state after the elapsed time, as `Solver.solve`."""
        return _explicit(RK4_STAGES, RK4_WEIGHTS, self.unfolds, flow, state, elapsed)


def _check_unfolds(unfolds: int) -> None:
    check_integers(unfolds=unfolds)
    if unfolds < 1:
        raise CellError(f"expected at least 1 unfold of a step, got {unfolds}")


def _explicit(
    stages: tuple[Row, ...],
    weights: Row,
    unfolds: int,
    flow: Flow,
    state: Tensor,
    elapsed: Tensor,
) -> Tensor:
    """Integrate by the explicit Runge-Kutta method of a tableau without its nodes."""
    part = (elapsed / unfolds)[:, None]
    for _ in range(unfolds):
        slopes: list[Tensor] = []
        for row in stages:
            slopes.append(flow.slope(_moved(state, part, row, slopes)))
        state = _moved(state, part, weights, slopes)
    return state


def _moved(state: Tensor, part: Tensor, row: Row, slopes: list[Tensor]) -> Tensor:
    for weight, slope in zip(row, slopes, strict=True):
        if weight:
            state = torch.addcmul(state, part, slope, value=weight)
    return state


SOLVERS: dict[str, type[Solver]] = {
    "fused": Fused,
    "euler": Euler,
    "rk4": RK4,
    "dopri5": Dopri5,
}


def make_solver(name: str, **options: Any) -> Solver:
    """Return a solver.

    Args:
        name: a key of `SOLVERS`.
        **options: keyword arguments of the solver, such as `unfolds` or `rtol`.

    Raises:
        ConfigError: no solver has this name, or it has no such option.
    """
    if name not in SOLVERS:
        raise ConfigError(f"no solver named {name!r}; choose one of {', '.join(SOLVERS)}")
    try:
        return SOLVERS[name](**options)
    except TypeError as error:
        raise ConfigError(f"the {name} solver does not take {', '.join(options)}") from error
