"""Solvers that divide every step into the same number of equal parts, here called unfolds."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from liquid_control.errors import CellError
from liquid_control.liquid.cores.solver import Flow, Solver

Row = tuple[float, ...]

EULER_STAGES: tuple[Row, ...] = ((),)
EULER_WEIGHTS: Row = (1.0,)

RK4_STAGES: tuple[Row, ...] = ((), (1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0))
RK4_WEIGHTS: Row = (1 / 6, 1 / 3, 1 / 3, 1 / 6)
"""The classical fourth-order method of Kutta (1901)."""

LONGEST = 1e12
"""Unfolds beyond this many time units change nothing but would overflow in float32."""


@dataclass(frozen=True)
class Fused(Solver):
    """The fused semi-implicit solver of Hasani et al. 2021 (arXiv 2006.04439, Algorithm 1).

    v' = (v + h * gain(v)) / (1 + h * decay(v)): gain and decay taken at the old state, the v
    that decays at the new one. v' lies between v and gain / decay for any h when decay >= 0, so
    states stay bounded whatever the elapsed time. First order in h.
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
