"""Multilayer perceptron: the baseline without memory.

h_1 = silu(W_1 [x, log1p(dt / unit)] + b_1), …, y = W_n h_{n-1} + b_n.
Its state is empty, [B, 0]; log1p of elapsed time is an additional feature.
"""

import torch
from torch import Tensor, nn

from liquid_control.cores.base import Core, ElapsedInput, seeded_init
from liquid_control.liquid.checks import check_sizes


class MLP(Core):
    """Stateless core of two hidden layers."""

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden: int = 128,
        time_input: bool = True,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        super().__init__(input_size, output_size, 0)
        check_sizes(hidden=hidden)
        self.elapsed = ElapsedInput(input_size, time_input=time_input, time_unit_s=time_unit_s)
        with seeded_init(seed):
            self.layers = nn.Sequential(
                nn.Linear(self.elapsed.size, hidden),
                nn.SiLU(),
                nn.Linear(hidden, hidden),
                nn.SiLU(),
                nn.Linear(hidden, output_size),
            )

    def _start(self, batch: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.zeros(batch, 0, dtype=dtype, device=device)

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        return self.layers(self.elapsed(x, dt)), state

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        return self._advance(x, state, dt)
