"""What a core that is a differential equation needs of a solver, and how steps are chained.

Every equation here is written as dv/dt = gain(v) - decay(v) * v, inputs held over a step. Explicit
solvers only see the difference; the semi-implicit one uses that decay multiplies v.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from liquid_control.errors import CellError

DIVERGED = 10.0
"""A state this many times beyond all that bounds it is no longer a solution."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A differential equation dv/dt = gain(v) - decay(v) * v for a batch of states.

    Attributes:
        rates: takes states [B, S] to gain and decay, each [B, S] or broadcast to it.
        depends_on: the tensors besides the state that `rates` reads and that may want gradients;
            the adjoint method returns gradients for these.
        step: which step of a sequence this is, for the messages of errors.
    """

    rates: Callable[[Tensor], tuple[Tensor, Tensor]]
    depends_on: tuple[Tensor, ...] = ()
    step: int = 0

    def slope(self, state: Tensor) -> Tensor:
        """Return dv/dt, [B, S]."""
        gain, decay = self.rates(state)
        return gain - decay * state


class Solver(ABC):
    """Carries a state through an elapsed time."""

    name: ClassVar[str]

    @abstractmethod
    def solve(self, flow: Flow, state: Tensor, elapsed: Tensor) -> Tensor:
        """Return the state [B, S] after the elapsed time.

        Args:
            flow: the equation.
            state: [B, S].
            elapsed: time for each sample, in the time units of the equation, [B], >= 0.

        Raises:
            CellError: the solver cannot reach the end; names solver and step.
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
    """Solve step after step.

    Args:
        solver: carries the state through each step.
        flow_at: the equation during step t.
        state: before the first step, [B, S].
        elapsed: [B, T] in time units.
        mask: bool [B, T]; a False step leaves the state as it was.
        jump: what becomes of the state at the end of step t, before the next one begins.
        bound: what the equation keeps absolute states below when they start there.

    Returns:
        The states after each step, [B, T, S].

    Raises:
        CellError: a step's result is not finite or far out of bounds; names solver and step.
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
    """Raise a CellError that names solver and step if states [B, T, S] are no solution."""
    with torch.no_grad():
        limit = DIVERGED * start.abs().amax().clamp(min=bound)
        good = torch.isfinite(states) & (states.abs() <= limit)
        if bool(good.all()):
            return
        step = int((~good).any(dim=2).any(dim=0).nonzero()[0])
    raise failed(name, step, elapsed[:, step], "the state diverges")


def failed(name: str, step: int, elapsed: Tensor, why: str) -> CellError:
    """Return the error of a solver that cannot take a step of `elapsed` [B] time units."""
    longest = float(elapsed.detach().max())
    return CellError(
        f"the {name} solver failed at step {step}, of {longest:g} time units: {why}; expected "
        "finite parameters that are not too stiff for it: take shorter steps, or the fused solver"
    )
