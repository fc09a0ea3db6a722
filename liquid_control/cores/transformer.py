"""Causal Transformer over a bounded window, with elapsed time between tokens.

Pre-norm layers (Vaswani et al. 2017, arXiv 1706.03762):
x ← x + W_o softmax(q k^T / √d + bias) v,  x ← x + W_2 gelu(W_1 norm(x)).
Instead of positions, attention uses the elapsed time τ between two tokens, through the logarithmic
kernel of KERPLE (Chi et al. 2022, arXiv 2205.09921),
bias_h = -r_h log(1 + s_h τ / unit), with trained r_h, s_h > 0 for each head.
log1p(dt / unit) is an additional feature. The state holds the ages of the tokens in the window
and, for every layer, their keys and values; the age of an empty place is negative.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.cores.base import ElapsedInput, SequenceCore, StateLayout, seeded_init
from liquid_control.cores.sequence_ops import run_chunks, slide
from liquid_control.errors import CellError
from liquid_control.liquid.checks import check_sizes

EMPTY = -1.0
"""Age, in seconds, of an empty place in the window."""


class Transformer(SequenceCore):
    """Attention over the last `window` steps, including the current one."""

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        width: int = 64,
        heads: int = 4,
        layers: int = 2,
        window: int = 32,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        check_sizes(width=width, heads=heads, layers=layers, window=window)
        if width % heads:
            raise CellError(f"expected a width that {heads} heads divide, got {width}")
        layout = StateLayout([(window - 1, 1), *[(window - 1, 2 * width)] * layers])
        super().__init__(input_size, output_size, layout.size)
        self.window, self.time_unit_s, self._layout = window, time_unit_s, layout
        self.elapsed = ElapsedInput(input_size, time_input=True, time_unit_s=time_unit_s)
        with seeded_init(seed):
            self.embed = nn.Linear(self.elapsed.size, width)
            self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
            self.readout = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, output_size))

    def _start(self, batch: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        state = torch.zeros(batch, self.state_size, dtype=dtype, device=device)
        state[:, : self.window - 1] = EMPTY
        return state

    def _run(
        self, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        return run_chunks(self._attend, x, state, dt, count, length=max(self.window, 32))

    def _attend(
        self, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        ages, *kept = self._layout.split(state)
        between, visible, ages = self._times(ages, dt, count)
        features, after = self.embed(self.elapsed(x, dt)), []
        for layer, past in zip(self.layers, kept, strict=True):
            features, past = layer(features, past, count, between / self.time_unit_s, visible)
            after.append(past)
        return self.readout(features), self._layout.join([ages, *after])

    def _times(
        self, ages: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return seconds between steps and keys, an attention mask (both [B, T, P + T]), new ages.

        In double precision: a long elapsed time must not round the short ones next to it.
        """
        now = dt.double().cumsum(dim=1)
        end = now[:, -1:] if count is None else _at_count(now, count)
        born, kept_born = slide(-ages.double(), now.unsqueeze(-1), count)
        present = (ages > EMPTY / 2).double()
        filled, kept_filled = slide(present, torch.ones_like(now).unsqueeze(-1), count)
        between = (now.unsqueeze(-1) - born.transpose(1, 2)).clamp(min=0.0)
        steps, past = dt.shape[1], ages.shape[1]
        back = torch.arange(steps, device=dt.device)[:, None] + past
        back = back - torch.arange(past + steps, device=dt.device)
        visible = (back >= 0) & (back <= past) & (filled.transpose(1, 2) > 0.5)
        aged = torch.where(kept_filled > 0.5, end.unsqueeze(-1) - kept_born, EMPTY)
        return between.to(dt.dtype), visible, aged.to(dt.dtype)


class _Layer(nn.Module):
    """Attention and a feed-forward network, each around a residual path."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.forward_path = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )
        self.strength = nn.Parameter(torch.linspace(-2.0, 1.0, heads))
        self.rate = nn.Parameter(torch.zeros(heads))

    def forward(
        self, x: Tensor, past: Tensor, count: Tensor | None, between: Tensor, visible: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return [B, T, D] for [B, T, D], and the new keys and values [B, P, 2 D]."""
        query, new = self.query_key_value(self.norm(x)).split([x.shape[2], 2 * x.shape[2]], dim=2)
        joined, kept = slide(past, new, count)
        key, value = joined.chunk(2, dim=2)
        strength = functional.softplus(self.strength)[:, None, None]
        rate = functional.softplus(self.rate)[:, None, None]
        bias = -strength * torch.log1p(rate * between.unsqueeze(1))
        bias = bias.masked_fill(~visible.unsqueeze(1), -torch.inf)
        mixed = functional.scaled_dot_product_attention(
            self._split(query), self._split(key), self._split(value), attn_mask=bias
        )
        x = x + self.out(torch.cat(mixed.unbind(1), dim=-1))
        return x + self.forward_path(x), kept

    def _split(self, x: Tensor) -> Tensor:
        """Return [B, heads, T, D / heads] for [B, T, D]."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


def _at_count(now: Tensor, count: Tensor) -> Tensor:
    """Return the time after `count` steps, [B, 1]."""
    return functional.pad(now, (1, 0)).gather(1, count[:, None])
