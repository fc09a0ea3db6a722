"""The adaptive Dormand-Prince solver with gradients by the adjoint method, from torchdiffeq."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from liquid_control.errors import CellError, DependencyError
from liquid_control.liquid.cores.solver import Flow, Solver, failed

SLOPES_A_STEP = 6
"""The seventh slope of a step is the first of the next."""


@dataclass(frozen=True)
class Dopri5(Solver):
    """Dormand-Prince 5(4), step sizes by error control (doi 10.1016/0771-050X(80)90013-3).

    Samples share the steps: time runs from 0 to 1 and each sample's slope is multiplied by its
    elapsed time. The error is the largest of all samples, so each sample meets the tolerance.

    Attributes:
        rtol: relative tolerance of the error of one solver step.
        atol: absolute tolerance of the same.
        adjoint: gradients by solving the adjoint equation backwards (Chen et al. 2018, arXiv
            1806.07366), in memory that does not grow with the number of solver steps; False to
            backpropagate through them, which is faster as long as they fit into memory.
        checkpoints: parts of a step at whose ends the adjoint keeps the state. Between them it
            solves the equation backwards, where what contracts expands: an LTC's gradients with
            one part were wrong by a thousand tolerances.
        max_steps: solver steps within one step of the core, forth and back, before it counts as
            too stiff.
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
    """An equation in a time that runs from 0 to 1, in the form that torchdiffeq takes.

    Counts its evaluations and looks at what it returns, so that a solution that cannot succeed
    ends in an error here, forwards and in the adjoint's way back alike.
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
    """Return the largest root mean square of a sample's error, [B, S] -> []."""
    return error.pow(2).mean(dim=-1).amax().sqrt()


def _torchdiffeq() -> ModuleType:
    try:
        return import_module("torchdiffeq")
    except ImportError as error:
        raise DependencyError(
            "the dopri5 solver needs torchdiffeq: pip install torchdiffeq"
        ) from error
