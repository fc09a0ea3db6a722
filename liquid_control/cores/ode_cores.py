"""Recurrent cores that solve an ordinary differential equation over elapsed time.

Continuous-time recurrent network, Funahashi and Nakamura 1993 (doi
10.1016/S0893-6080(05)80125-X):

    tau_i dv_i/dt = -v_i + tanh(sum_j U_ij v_j + sum_k W_ik x_k + b_i)

with a trained time constant for each neuron. The time constants do not depend on the inputs, in
contrast to a liquid network. States that start in [-1, 1] stay there.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.cores.base import Core, check_time_unit, seeded_init
from liquid_control.cores.solvers import RK4, Flow, Fused, Solver, march
from liquid_control.liquid.checks import check_sizes

BOUND = 1.0


class CTRNN(Core):
    """Leaky neurons with fixed time constants and a linear readout; the state is v."""

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 64,
        solver: Solver | None = None,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        """Initialise a core with random weights.

        Args:
            input_size: number of features.
            output_size: number of outputs.
            hidden: number of neurons.
            solver: None for `Fused()`, six unfolds.
            time_unit_s: unit of elapsed time, about the initial time constants, s.
            seed: of the weights.

        Raises:
            CellError: a size is below one, or time_unit_s is not positive.
        """
        super().__init__(input_size, output_size, hidden)
        check_sizes(hidden=hidden)
        check_time_unit(time_unit_s)
        self.solver = solver or Fused()
        self.time_unit_s = time_unit_s
        with seeded_init(seed):
            self.drive = nn.Linear(input_size, hidden)
            self.recurrent = nn.Linear(hidden, hidden, bias=False)
            self.readout = nn.Linear(hidden, output_size)
            self.rate = nn.Parameter(torch.empty(hidden).uniform_(-1.0, 2.0))

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        outputs, after = self._scan(x[:, None], state, dt[:, None], None)
        return outputs[:, 0], after

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        drives, speed, weight = (
            self.drive(x),
            functional.softplus(self.rate),
            self.recurrent.weight,
        )

        def flow_at(step: int) -> Flow:
            drive = drives[:, step]

            def rates(now: Tensor) -> tuple[Tensor, Tensor]:
                return speed * torch.tanh(torch.addmm(drive, now, weight.t())), speed

            return Flow(rates, (drive, speed, weight))

        states = march(self.solver, flow_at, state, dt / self.time_unit_s, mask, bound=BOUND)
        return self.readout(states), states[:, -1]


class ODERNN(Core):
    """ODE-RNN: a flow between observations, a GRU cell at each, a linear readout; the state is h.

    Rubanova, Chen and Duvenaud 2019 (arXiv 1907.03907), Algorithm 1:

        h' = ODESolve(f, h, dt),  dh/dt = f(h) = tanh(W₂ tanh(W₁ h + b₁) + b₂),
        h = GRUCell(h', x),       outputs = W_o h + b_o.

    The outer tanh is an addition to the paper: it bounds the rate of h, so the longest pause gives
    a finite state.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 64,
        width: int | None = None,
        solver: Solver | None = None,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        """Initialise a core with random weights.

        Args:
            input_size: number of features.
            output_size: number of outputs.
            hidden: size of h.
            width: hidden units of f; None for the size of h.
            solver: None for `RK4(2)`, two unfolds; the paper uses `Dopri5()`.
            time_unit_s: unit of elapsed time, in which h changes by less than one, s.
            seed: of the weights.

        Raises:
            CellError: a size is below one, or time_unit_s is not positive.
        """
        super().__init__(input_size, output_size, hidden)
        width = hidden if width is None else width
        check_sizes(hidden=hidden, width=width)
        check_time_unit(time_unit_s)
        self.solver = solver or RK4(2)
        self.time_unit_s = time_unit_s
        with seeded_init(seed):
            self.inner = nn.Linear(hidden, width)
            self.outer = nn.Linear(width, hidden)
            self.cell = nn.GRUCell(input_size, hidden)
            self.readout = nn.Linear(hidden, output_size)

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        outputs, after = self._scan(x[:, None], state, dt[:, None], None)
        return outputs[:, 0], after

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        states = march(
            self.solver,
            self._flow_at,
            state,
            dt / self.time_unit_s,
            mask,
            jump=lambda step, flowed: self.cell(x[:, step], flowed),
        )
        return self.readout(states), states[:, -1]

    def _flow_at(self, _: int) -> Flow:
        def rates(now: Tensor) -> tuple[Tensor, Tensor]:
            inner = torch.tanh(functional.linear(now, self.inner.weight, self.inner.bias))
            speed = functional.linear(inner, self.outer.weight, self.outer.bias)
            return torch.tanh(speed), now.new_zeros(())

        return Flow(rates, (*self.inner.parameters(), *self.outer.parameters()))


class GRUODE(Core):
    """GRU-ODE with a linear readout; the state is h.

    De Brouwer et al. 2019 (arXiv 1905.12374), the GRU as a differential equation:

        r = σ(W_r x + U_r h + b_r),  z = σ(W_z x + U_z h + b_z),
        g = tanh(W_g x + U_g (r ⊙ h) + b_g),  dh/dt = (1 - z) ⊙ (g - h).

    The features x are held over a step. States that start in [-1, 1] stay there, as the paper
    shows. The GRU-Bayes update of the paper is for sporadic observations and is not used: every
    step observes all features.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 64,
        solver: Solver | None = None,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        """Initialise a core with random weights.

        Args:
            input_size: number of features.
            output_size: number of outputs.
            hidden: size of h.
            solver: None for `Fused()`, six unfolds, with 1 - z as the decay.
            time_unit_s: unit of elapsed time, the shortest time constant of h, s.
            seed: of the weights.

        Raises:
            CellError: a size is below one, or time_unit_s is not positive.
        """
        super().__init__(input_size, output_size, hidden)
        check_sizes(hidden=hidden)
        check_time_unit(time_unit_s)
        self.solver = solver or Fused()
        self.time_unit_s = time_unit_s
        with seeded_init(seed):
            self.drive = nn.Linear(input_size, 3 * hidden)
            self.gates = nn.Linear(hidden, 2 * hidden, bias=False)
            self.candidate = nn.Linear(hidden, hidden, bias=False)
            self.readout = nn.Linear(hidden, output_size)

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        outputs, after = self._scan(x[:, None], state, dt[:, None], None)
        return outputs[:, 0], after

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        drives, gates, candidate = self.drive(x), self.gates.weight, self.candidate.weight
        sizes = [2 * self.state_size, self.state_size]

        def flow_at(step: int) -> Flow:
            drive = drives[:, step]
            to_gates, to_candidate = drive.split(sizes, dim=1)

            def rates(now: Tensor) -> tuple[Tensor, Tensor]:
                opened = torch.sigmoid(torch.addmm(to_gates, now, gates.t()))
                reset, update = opened.chunk(2, dim=1)
                goal = torch.tanh(torch.addmm(to_candidate, reset * now, candidate.t()))
                return (1.0 - update) * goal, 1.0 - update

            return Flow(rates, (to_gates, to_candidate, gates, candidate))

        states = march(self.solver, flow_at, state, dt / self.time_unit_s, mask, bound=BOUND)
        return self.readout(states), states[:, -1]
