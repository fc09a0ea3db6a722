"""Temporal convolutional network (Bai, Kolter & Koltun 2018, arXiv 1803.01271).

Residual blocks of two weight-normalised, dilated, causal convolutions; block l has dilation 2^l:
y_t = Σ_k w_k x_{t - k d},  block(x) = relu(x + relu(conv(relu(conv(x))))).
The state holds, for every convolution, its last (kernel - 1) d inputs; the initial zeros are the
padding of the paper.
The architecture does not model time: log1p(dt / unit) is an additional feature.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.cores.base import ElapsedInput, SequenceCore, StateLayout, seeded_init
from liquid_control.cores.sequence_ops import slide
from liquid_control.liquid.checks import check_sizes


class TCN(SequenceCore):
    """Dilated causal convolutions over a bounded past.

    Attributes:
        receptive_field: number of steps that an output depends on, including the current one.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        channels: int = 32,
        blocks: int = 4,
        kernel: int = 3,
        time_input: bool = True,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        check_sizes(input_size=input_size, output_size=output_size)
        check_sizes(channels=channels, blocks=blocks, kernel=kernel)
        elapsed = ElapsedInput(input_size, time_input=time_input, time_unit_s=time_unit_s)
        with seeded_init(seed):
            stack = [
                _Block(elapsed.size if level == 0 else channels, channels, kernel, 2**level)
                for level in range(blocks)
            ]
            readout = nn.Linear(channels, output_size)
        layout = StateLayout([shape for block in stack for shape in block.past])
        super().__init__(input_size, output_size, layout.size)
        self.elapsed, self.blocks, self.readout = elapsed, nn.ModuleList(stack), readout
        self._layout = layout
        self.receptive_field = 1 + sum(steps for block in stack for steps, _ in block.past)

    def _run(
        self, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        features = self.elapsed(x, dt)
        past, after = self._layout.split(state), []
        for index, block in enumerate(self.blocks):
            features, kept = block(features, past[2 * index : 2 * index + 2], count)
            after += kept
        return self.readout(features), self._layout.join(after)


class _Block(nn.Module):
    """One residual block; `past` holds the shapes [steps, channels] of its buffers."""

    def __init__(self, into: int, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        sizes = (into, channels)
        self.convolutions = nn.ModuleList(
            _NormedConv(size, channels, kernel, dilation) for size in sizes
        )
        self.skip = nn.Identity() if into == channels else nn.Linear(into, channels)
        self.past = [((kernel - 1) * dilation, size) for size in sizes]

    def forward(
        self, x: Tensor, past: list[Tensor], count: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return [B, T, channels] for [B, T, into], and the new buffers."""
        features, after = x, []
        for convolution, before in zip(self.convolutions, past, strict=True):
            joined, kept = slide(before, features, count)
            features = torch.relu(convolution(joined.transpose(1, 2))).transpose(1, 2)
            after.append(kept)
        return torch.relu(self.skip(x) + features), after


class _NormedConv(nn.Module):
    """Convolution with weights g v / |v| (Salimans & Kingma 2016, arXiv 1602.07868).

    The parameters have the names and values of `torch.nn.utils.parametrizations.weight_norm`, a
    module that cannot be pickled: `original0` is g, `original1` is v.
    """

    def __init__(self, into: int, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        plain = nn.Conv1d(into, channels, kernel)
        self.dilation = dilation
        self.bias = plain.bias
        weight = plain.weight.detach()
        factors = {"original0": torch.norm_except_dim(weight, 2, 0), "original1": weight}
        self.parametrizations = nn.ModuleDict({"weight": nn.ParameterDict(factors)})

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, channels, T - (kernel - 1) dilation] for [B, into, T]."""
        size, direction = self.parametrizations["weight"].parameters()
        weight = torch._weight_norm(direction, size, 0)
        return functional.conv1d(x, weight, self.bias, dilation=self.dilation)
