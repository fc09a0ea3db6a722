"""Gated long convolutions of the Hyena family (Poli et al. 2023, arXiv 2302.10866).

Order-N operator, N = 2: with v, x¹, x² linear in the input and short-convolved,
z¹ = v,  z^{n+1}_t = x^n_t ⊙ (Σ_{j<L} h^n_j z^n_{t-j} + d^n z^n_t),  y = W_o z^{N+1}.
The filters are implicit: h_j = window_j · FFN(position j), with a sine network over positions and
windows exp(-α_c j) of a different length for every channel. Here they end after L steps; the state
holds the past inputs of the short convolution and of each long one.
The architecture does not model time: log1p(dt / unit) is an additional feature.
"""

from math import log, pi

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.cores.base import ElapsedInput, SequenceCore, StateLayout, seeded_init
from liquid_control.cores.sequence_ops import slide
from liquid_control.liquid.checks import check_sizes

ORDER = 2
SHORT = 3
BANDS = 4


class Hyena(SequenceCore):
    """Gated causal convolutions of bounded length."""

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        width: int = 64,
        layers: int = 2,
        filter_length: int = 64,
        filter_width: int = 32,
        time_input: bool = True,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        check_sizes(
            width=width, layers=layers, filter_length=filter_length, filter_width=filter_width
        )
        past = [(SHORT - 1, (ORDER + 1) * width), *[(filter_length - 1, width)] * ORDER]
        layout = StateLayout(past * layers)
        super().__init__(input_size, output_size, layout.size)
        self.elapsed = ElapsedInput(input_size, time_input=time_input, time_unit_s=time_unit_s)
        self._layout = layout
        with seeded_init(seed):
            self.embed = nn.Linear(self.elapsed.size, width)
            self.layers = nn.ModuleList(
                _Layer(width, filter_length, filter_width) for _ in range(layers)
            )
            self.readout = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, output_size))

    def _run(
        self, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        features = self.embed(self.elapsed(x, dt))
        parts, after, each = self._layout.split(state), [], ORDER + 1
        for index, layer in enumerate(self.layers):
            past = parts[each * index : each * (index + 1)]
            features, kept = layer(features, past, count)
            after += kept
        return self.readout(features), self._layout.join(after)


class _Layer(nn.Module):
    """One operator around a residual path."""

    def __init__(self, width: int, length: int, filter_width: int) -> None:
        super().__init__()
        channels = (ORDER + 1) * width
        self.norm = nn.LayerNorm(width)
        self.into = nn.Linear(width, channels)
        self.short = nn.Conv1d(channels, channels, SHORT, groups=channels)
        self.filters = _ImplicitFilters(width, length, filter_width)
        self.through = nn.Parameter(torch.randn(ORDER, width))
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Tensor, past: list[Tensor], count: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return [B, T, D] for [B, T, D], and the past inputs of short and long convolutions."""
        joined, kept = slide(past[0], self.into(self.norm(x)), count)
        after = [kept]
        mixed = self.short(joined.transpose(1, 2)).transpose(1, 2)
        value, *gates = mixed.chunk(ORDER + 1, dim=2)
        for gate, filters, through, before in zip(
            gates, self.filters(), self.through, past[1:], strict=True
        ):
            joined, kept = slide(before, value, count)
            after.append(kept)
            long = functional.conv1d(
                joined.transpose(1, 2), filters.unsqueeze(1), groups=filters.shape[0]
            )
            value = gate * (long.transpose(1, 2) + through * value)
        return x + self.out(value), after


class _ImplicitFilters(nn.Module):
    """Filters as a function of the position, oldest first: [ORDER, D, L]."""

    def __init__(self, width: int, length: int, filter_width: int) -> None:
        super().__init__()
        self.first = nn.Linear(1 + 2 * BANDS, filter_width)
        self.last = nn.Linear(filter_width, ORDER * width, bias=False)
        back = torch.arange(length - 1, -1, -1.0)
        waves = 2.0 * pi * back[:, None] / length * torch.arange(1, BANDS + 1)
        self.positions: Tensor
        positions = torch.cat([back[:, None] / length, waves.cos(), waves.sin()], dim=1)
        self.register_buffer("positions", positions, persistent=False)
        reach = torch.linspace(0.1, 1.0, width) * length
        self.window: Tensor
        self.register_buffer(
            "window", torch.exp(log(0.01) * back / reach[:, None]), persistent=False
        )

    def forward(self) -> Tensor:
        values = self.last(torch.sin(self.first(self.positions)))
        filters: Tensor = values.t().reshape(ORDER, -1, values.shape[0]) * self.window
        return filters
