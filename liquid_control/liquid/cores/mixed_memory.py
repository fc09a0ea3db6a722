"""Mixed memory: an LSTM cell before a continuous-time core, so that gradients reach far back.

Lechner and Hasani 2020 (arXiv 2006.04418); with a CfC it is CfC-mmRNN of Hasani et al. 2022
(arXiv 2106.13898). The core's state h is also the LSTM's output:

    i, ig, fg, og = W x + b + R h
    c' = c * sigmoid(fg + 1) + tanh(i) * sigmoid(ig)
    h~ = tanh(c') * sigmoid(og)
    outputs, h' = core(x, h~, dt)

Each step needs the whole state of the step before, so a sequence is computed step by step; only
W x + b is computed for all steps at once.
"""

from typing import Any

import torch
from torch import Tensor, nn

from liquid_control.liquid.cores.base import Core, scan
from liquid_control.liquid.cores.cfc import DenseCfC
from liquid_control.liquid.cores.draw import drawn_from


class MixedMemory(Core):
    """A core behind an LSTM cell; the state is the core's h, then c, [B, 2 S].

    Attributes:
        core: whose state the LSTM cell rewrites before each step.
    """

    def __init__(self, core: Core, *, seed: int = 0) -> None:
        """Put a freshly drawn LSTM cell before a core."""
        super().__init__(core.input_size, core.output_size, 2 * core.state_size)
        self.core = core
        with drawn_from(seed):
            self.heard = nn.Linear(core.input_size, 4 * core.state_size)
            self.kept = nn.Linear(core.state_size, 4 * core.state_size, bias=False)
            nn.init.xavier_uniform_(self.heard.weight)
            nn.init.uniform_(self.heard.bias, -0.1, 0.1)
            nn.init.orthogonal_(self.kept.weight)

    def _start(self, batch: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        first = self.core.init_state(batch)
        return torch.cat([first, torch.zeros_like(first)], dim=1)

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        return self._remember(torch.cat([x, self.heard(x)], dim=1), state, dt)

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        return scan(self._remember, torch.cat([x, self.heard(x)], dim=2), state, dt, mask)

    def _remember(self, both: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Advance by one step of x and W x + b, side by side."""
        x, heard = both[:, : self.input_size], both[:, self.input_size :]
        hidden, cell = state.chunk(2, dim=1)
        candidate, *gates = torch.addmm(heard, hidden, self.kept.weight.t()).chunk(4, dim=1)
        taken, forgotten, shown = gates
        cell = cell * torch.sigmoid(forgotten + 1.0) + torch.tanh(candidate) * torch.sigmoid(taken)
        hidden = torch.tanh(cell) * torch.sigmoid(shown)
        outputs, after = self.core._advance(x, hidden, dt)
        return outputs, torch.cat([after, cell], dim=1)


def mixed_cfc(input_size: int, output_size: int, *, seed: int = 0, **options: Any) -> MixedMemory:
    """Return a dense CfC behind an LSTM cell, CfC-mmRNN; options are those of `DenseCfC`."""
    return MixedMemory(DenseCfC(input_size, output_size, seed=seed, **options), seed=seed)
