"""Elapsed time as one more feature, for architectures that know no time of their own."""

import torch
from torch import Tensor, nn

from liquid_control.errors import CellError


class ElapsedInput(nn.Module):
    """Append log1p(dt / time_unit_s) to the features, or leave them as they are.

    Attributes:
        size: number of features afterwards.
    """

    def __init__(self, input_size: int, *, time_input: bool, time_unit_s: float) -> None:
        super().__init__()
        check_time_unit(time_unit_s)
        self.time_input = time_input
        self.time_unit_s = time_unit_s
        self.size = input_size + int(time_input)

    def forward(self, x: Tensor, dt: Tensor) -> Tensor:
        """Return features [..., size] of features [..., I] and elapsed seconds [...]."""
        if not self.time_input:
            return x
        return torch.cat([x, torch.log1p(dt / self.time_unit_s).unsqueeze(-1)], dim=-1)


def check_time_unit(time_unit_s: float) -> None:
    """Raise CellError unless a unit of time is positive."""
    if not time_unit_s > 0.0:
        raise CellError(f"expected time_unit_s > 0, got {time_unit_s}")


def check_sizes(**sizes: int) -> None:
    """Raise CellError unless every named size is at least 1."""
    for name, size in sizes.items():
        if size < 1:
            raise CellError(f"expected {name} >= 1, got {size}")
