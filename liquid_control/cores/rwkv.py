"""RWKV: attention without queries, as a recurrence (Peng et al. 2023, arXiv 2305.13048).

Time mixing of each channel, with r, k, v linear in μ ⊙ x_t + (1 - μ) ⊙ x_{t-1}:
wkv_t = (Σ_{i<t} e^{-w (τ_t - τ_i) / unit + k_i} v_i + e^{u + k_t} v_t) / (the same without v),
x ← x + W_o (σ(r_t) ⊙ wkv_t). Channel mixing: x ← x + σ(r'_t) ⊙ W_v max(k'_t, 0)².
The paper counts steps, (t - 1 - i). Here elapsed time replaces the count, (τ_t - τ_i) / unit; for
steps of one unit this is the paper's equation with w added to its u. The sums decay before the new
step reads them. The state holds, for each layer, the two x_{t-1}, the sums with and without v, and
the exponent m by which both are scaled down (the largest so far, decayed); e^k cannot overflow.
"""

import torch
from torch import Tensor, nn

from liquid_control.cores.base import SequenceCore, StateLayout, check_time_unit, seeded_init
from liquid_control.cores.sequence_ops import linear_scan, slide, valid_steps
from liquid_control.liquid.checks import check_sizes

NOTHING = -1e30
"""Exponent whose power is zero: the initial value, before any step."""


class RWKV(SequenceCore):
    """Gated averages that decay exponentially over elapsed time."""

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        width: int = 64,
        layers: int = 2,
        expand: int = 4,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        check_sizes(width=width, layers=layers, expand=expand)
        check_time_unit(time_unit_s)
        layout = StateLayout([(1, width), (1, width), (3, width)] * layers)
        super().__init__(input_size, output_size, layout.size)
        self.time_unit_s, self._layout = time_unit_s, layout
        with seeded_init(seed):
            self.embed = nn.Sequential(nn.Linear(input_size, width), nn.LayerNorm(width))
            self.time_mixing = nn.ModuleList(_TimeMixing(width) for _ in range(layers))
            self.channel_mixing = nn.ModuleList(
                _ChannelMixing(width, expand * width) for _ in range(layers)
            )
            self.readout = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, output_size))

    def _start(self, batch: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        state = torch.zeros(batch, self.state_size, dtype=dtype, device=device)
        parts = self._layout.split(state)
        for sums in parts[2::3]:
            sums[:, 2] = NOTHING
        return self._layout.join(parts)

    def _run(
        self, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        features, parts, after = self.embed(x), self._layout.split(state), []
        for index, (time, channel) in enumerate(
            zip(self.time_mixing, self.channel_mixing, strict=True)
        ):
            before, before_channel, sums = parts[3 * index : 3 * index + 3]
            features, before, sums = time(features, before, sums, dt / self.time_unit_s, count)
            features, before_channel = channel(features, before_channel, count)
            after += [before, before_channel, sums]
        return self.readout(features), self._layout.join(after)


class _Shift(nn.Module):
    """Normalise, and mix every channel with its value at the previous step."""

    def __init__(self, width: int, ways: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Parameter(torch.linspace(0.0, 1.0, width).repeat(ways, 1))

    def forward(
        self, x: Tensor, before: Tensor, count: Tensor | None
    ) -> tuple[list[Tensor], Tensor]:
        normed = self.norm(x)
        joined, after = slide(before, normed, count)
        return [torch.lerp(joined[:, :-1], normed, mix) for mix in self.mix], after


class _TimeMixing(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.shift = _Shift(width, 3)
        self.receptance = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.log_decay = nn.Parameter(torch.linspace(-5.0, 1.0, width))
        self.bonus = nn.Parameter(torch.zeros(width))

    def forward(
        self, x: Tensor, before: Tensor, sums: Tensor, ticks: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return [B, T, D] for [B, T, D], the last step [B, 1, D] and the sums [B, 3, D]."""
        (for_r, for_k, for_v), before = self.shift(x, before, count)
        fade = -torch.exp(self.log_decay) * ticks.unsqueeze(-1)
        key, value = self.key(for_k), self.value(for_v)
        due = valid_steps(x, count)
        average, sums = _averages(fade, key, value, self.bonus, sums, due)
        return x + self.out(torch.sigmoid(self.receptance(for_r)) * average), before, sums


class _ChannelMixing(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.shift = _Shift(width, 2)
        self.receptance = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, inner, bias=False)
        self.value = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor, before: Tensor, count: Tensor | None) -> tuple[Tensor, Tensor]:
        (for_r, for_k), before = self.shift(x, before, count)
        hidden = torch.relu(self.key(for_k)).square()
        return x + torch.sigmoid(self.receptance(for_r)) * self.value(hidden), before


def _averages(
    fade: Tensor, key: Tensor, value: Tensor, bonus: Tensor, sums: Tensor, due: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return wkv [B, T, D] and the new sums [B, 3, D]: with v, without v, their exponent."""
    if due is not None:
        key = torch.where(due.unsqueeze(-1), key, 2.0 * NOTHING)
    exponents = [sums[:, 2]]
    for faded, new in zip(fade.unbind(1), key.unbind(1), strict=True):
        exponents.append(torch.maximum(exponents[-1] + faded, new))
    largest = torch.stack(exponents, dim=1)
    old = largest[:, :-1] + fade
    kept, added = torch.exp(old - largest[:, 1:]), torch.exp(key - largest[:, 1:])
    drive = torch.stack([added * value, added], dim=2)
    totals = linear_scan(kept.unsqueeze(2).expand_as(drive), drive, sums[:, :2])
    before = torch.cat([sums[:, None, :2], totals[:, :-1]], dim=1)
    own = key + bonus
    if due is not None:
        own = torch.where(due.unsqueeze(-1), own, old)
    top = torch.maximum(old, own)
    past, present = torch.exp(old - top), torch.exp(own - top)
    average = (past * before[:, :, 0] + present * value) / (past * before[:, :, 1] + present)
    return average, torch.cat([totals[:, -1], largest[:, -1:]], dim=1)
