"""Selective state space model of the Mamba family (Gu & Dao 2023, arXiv 2312.00752).

For every channel u and N modes with A < 0, with B_t, C_t and Δ_t linear in the input:
h_t = exp(Δ_t A) h_{t-1} + A^{-1} (exp(Δ_t A) - 1) B_t u_t,  y_t = C_t h_t + D u_t,
the exact zero-order hold from which the paper starts. It is bounded for any Δ_t, in contrast to
the common approximation Δ_t B_t. Here Δ_t = softplus(…) · dt / unit: a mode decays over elapsed
time independently of the sampling rate, and the input has no effect at dt = 0. A layer is
x + W_out(y ⊙ silu(z)), [u, z] = W_in norm(x), with a short causal convolution and silu on u.
The state holds, for each layer, the past inputs of the convolution and h.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.cores.base import SequenceCore, StateLayout, check_time_unit, seeded_init
from liquid_control.cores.execution import is_exporting_onnx
from liquid_control.cores.sequence_ops import linear_scan, slide
from liquid_control.liquid.checks import check_sizes


class SSM(SequenceCore):
    """Diagonal linear recurrences with input-dependent gates, discretised by elapsed time."""

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        width: int = 64,
        modes: int = 16,
        layers: int = 2,
        expand: int = 2,
        kernel: int = 4,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        check_sizes(width=width, modes=modes, layers=layers, expand=expand, kernel=kernel)
        check_time_unit(time_unit_s)
        inner = expand * width
        layout = StateLayout([(kernel - 1, inner), (inner, modes)] * layers)
        super().__init__(input_size, output_size, layout.size)
        self.time_unit_s, self._layout = time_unit_s, layout
        with seeded_init(seed):
            self.embed = nn.Linear(input_size, width)
            self.layers = nn.ModuleList(_Layer(width, inner, modes, kernel) for _ in range(layers))
            self.readout = nn.Sequential(_RMSNorm(width), nn.Linear(width, output_size))

    def _run(
        self, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        ticks = dt / self.time_unit_s
        features, past, after = self.embed(x), self._layout.split(state), []
        for index, layer in enumerate(self.layers):
            buffer, modes = past[2 * index : 2 * index + 2]
            features, buffer, modes = layer(features, buffer, modes, ticks, count)
            after += [buffer, modes]
        return self.readout(features), self._layout.join(after)


class _RMSNorm(nn.RMSNorm):
    """`nn.RMSNorm` that ONNX export can express."""

    def forward(self, x: Tensor) -> Tensor:
        if not is_exporting_onnx():
            return super().forward(x)
        scale = torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + torch.finfo(x.dtype).eps)
        return x * scale * self.weight


def _expm1(x: Tensor) -> Tensor:
    """Return exp(x) - 1 in a form that ONNX export can express."""
    if not is_exporting_onnx():
        return torch.expm1(x)
    return torch.tanh(0.5 * x) * (torch.exp(x) + 1.0)


class _Layer(nn.Module):
    """One Mamba block of E inner channels and N modes each."""

    def __init__(self, width: int, inner: int, modes: int, kernel: int) -> None:
        super().__init__()
        rank = -(-width // 16)
        self.sizes = [rank, modes, modes]
        self.norm = _RMSNorm(width)
        self.into = nn.Linear(width, 2 * inner, bias=False)
        self.mix = nn.Conv1d(inner, inner, kernel, groups=inner)
        self.select = nn.Linear(inner, rank + 2 * modes, bias=False)
        self.rate = nn.Linear(rank, inner)
        self.out = nn.Linear(inner, width, bias=False)
        self.skip = nn.Parameter(torch.ones(inner))
        slowness = torch.arange(1.0, modes + 1.0).log().expand(inner, modes)
        self.log_decay = nn.Parameter(slowness.clone())
        first = torch.exp(torch.empty(inner).uniform_(-6.9, -2.3))
        self.rate.bias.data = first + torch.log(-torch.expm1(-first))

    def forward(
        self, x: Tensor, buffer: Tensor, start: Tensor, ticks: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return [B, T, D] for [B, T, D], past inputs [B, K - 1, E] and the modes [B, E, N]."""
        new, gate = self.into(self.norm(x)).chunk(2, dim=2)
        joined, buffer = slide(buffer, new, count)
        drive = functional.silu(self.mix(joined.transpose(1, 2)).transpose(1, 2))
        rate, to_modes, from_modes = self.select(drive).split(self.sizes, dim=2)
        step = functional.softplus(self.rate(rate)) * ticks.unsqueeze(-1)
        decay = -torch.exp(self.log_decay)
        exponent = step.unsqueeze(-1) * decay
        held = _expm1(exponent) / decay * to_modes.unsqueeze(2) * drive.unsqueeze(-1)
        modes = linear_scan(torch.exp(exponent), held, start)
        read = (modes @ from_modes.unsqueeze(-1)).squeeze(-1) + self.skip * drive
        return x + self.out(read * functional.silu(gate)), buffer, modes[:, -1]
