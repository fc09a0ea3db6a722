"""GRU-D: a gated recurrent unit whose hidden state decays over elapsed time.

Che et al. 2018, doi 10.1038/s41598-018-24271-9:

γ_t = exp(-max(0, w_γ δ_t + b_γ)),  ĥ = γ_t ⊙ h_{t-1},
r, z = σ(W x_t + U ĥ + b),  h̃ = tanh(W_h x_t + U_h (r ⊙ ĥ) + b_h),
h_t = (1 - z) ⊙ ĥ + z ⊙ h̃,  with δ_t = dt / unit.
Every step observes all features. The imputation of missing features in the paper, with its own
decay and masks, is therefore not needed; the decay of the hidden state remains.
"""

import torch
from torch import Tensor, nn

from liquid_control.cores.base import Core, check_time_unit, scan, seeded_init
from liquid_control.liquid.checks import check_sizes


class GRUD(Core):
    """A GRU with a trained exponential decay over elapsed time; the state is h."""

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 64,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        super().__init__(input_size, output_size, hidden)
        check_sizes(hidden=hidden)
        check_time_unit(time_unit_s)
        self.time_unit_s = time_unit_s
        with seeded_init(seed):
            self.drive = nn.Linear(input_size, 3 * hidden)
            self.gates = nn.Linear(hidden, 2 * hidden, bias=False)
            self.candidate = nn.Linear(hidden, hidden, bias=False)
            self.readout = nn.Linear(hidden, output_size)
            self.decay_weight = nn.Parameter(torch.rand(hidden) / hidden)
        self.decay_bias = nn.Parameter(torch.zeros(hidden))

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        hidden, after = self._tick(self.drive(x), state, self._decay(dt))
        return self.readout(hidden), after

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        hidden, after = scan(self._tick, self.drive(x), state, self._decay(dt), mask)
        return self.readout(hidden), after

    def _decay(self, dt: Tensor) -> Tensor:
        """Return γ [..., H] of elapsed seconds [...]."""
        elapsed = (dt / self.time_unit_s).unsqueeze(-1)
        return torch.exp(-torch.relu(elapsed * self.decay_weight + self.decay_bias))

    def _tick(self, drive: Tensor, state: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
        size = self.state_size
        decayed = decay * state
        reset, update = torch.sigmoid(drive[:, : 2 * size] + self.gates(decayed)).chunk(2, dim=1)
        candidate = torch.tanh(drive[:, 2 * size :] + self.candidate(reset * decayed))
        after = torch.lerp(decayed, candidate, update)
        return after, after
