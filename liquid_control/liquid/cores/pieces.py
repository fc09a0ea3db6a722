"""A flat state seen as its named parts."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor


class Pieces:
    """How tensors of fixed shapes lie side by side in a flat state [B, S].

    Attributes:
        size: numbers in a state, S.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        self._shapes = tuple(shapes)
        self._sizes = [prod(shape) for shape in self._shapes]
        self.size = sum(self._sizes)

    def split(self, state: Tensor) -> list[Tensor]:
        """Return the parts [B, *shape] of a state [B, S]."""
        parts = torch.split(state, self._sizes, dim=1)
        return [
            part.reshape(len(state), *shape)
            for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the state [B, S] of parts [B, *shape]."""
        return torch.cat([part.flatten(1) for part in parts], dim=1)
