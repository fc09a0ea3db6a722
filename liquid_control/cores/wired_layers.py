"""Places of the layers of a wired CfC: in its joint maps, and in time.

In `wired_scan` the layers run one step apart: at tick k layer l computes step k - l. Its two
inputs, the preceding layer and its own previous state, are then both among the neurons' values of
tick k - 1. One product computes all maps of all layers, and T steps take T + layers - 1 ticks.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liquid_control.liquid.wiring import Wiring

Arrangement = Callable[[Tensor], Tensor]
"""Exchanges and scales the elements of joint maps."""


class Layers:
    """Layers of a wiring with I inputs and N neurons.

    Attributes:
        inputs: I.
        neurons: N.
        own: slice of each layer's neurons in the state.
        lag: number of ticks by which the last layer lags behind the first.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.inputs, self.neurons = wiring.inputs, wiring.neurons
        self.own = wiring.slices
        self.lag = len(self.own) - 1
        sizes = torch.tensor([layer.size for layer in wiring.layers])
        self._delay = torch.arange(len(sizes)).repeat_interleave(sizes)
        self._stays: list[NDArray[np.bool_] | None] = []
        self._source = torch.zeros(0, dtype=torch.int64)

    def columns(self) -> list[slice]:
        """Return each layer's columns in the joint maps [M, N, I + N + 1].

        Columns are inputs, neurons and one for the bias; those of a layer are its own and the
        preceding layer's.
        """
        ends = [self.inputs + own.stop for own in self.own]
        starts = [0, *(self.inputs + own.start for own in self.own)]
        return [slice(*span) for span in zip(starts, ends, strict=False)]

    def due(self, steps: int, device: torch.device) -> list[Tensor | None]:
        """Return for each tick the neurons that it updates, bool [N, 1], or None for all."""
        delay = self._delay.to(device).unsqueeze(1)
        due: list[Tensor | None] = [None] * (steps + self.lag)
        for k in {*range(self.lag), *range(steps, steps + self.lag)}:
            due[k] = (delay <= k) & (delay > k - steps)
        return due

    def stays(self, steps: int) -> list[NDArray[np.bool_] | None]:
        """Return the complement of `due` in NumPy; it is kept for sequences of equal length."""
        if len(self._stays) != steps + self.lag:
            due = self.due(steps, torch.device("cpu"))
            self._stays = [None if moves is None else ~moves.numpy() for moves in due]
        return self._stays

    def delayed(self, values: Tensor) -> Tensor:
        """Return [B, T] values delayed by each neuron's lag, [K, N, B]; zeros beyond the ends."""
        batch, steps = values.shape
        rows = torch.cat([values.t(), values.new_zeros(1, batch)])
        if self._source.numel() != (steps + self.lag) * self.neurons or (
            self._source.device != values.device
        ):
            step = torch.arange(steps + self.lag)[:, None] - self._delay
            outside = (step < 0) | (step >= steps)
            self._source = step.masked_fill(outside, steps).flatten().to(values.device)
        return rows.index_select(0, self._source).view(-1, self.neurons, batch)

    def undelayed(self, values: Tensor) -> Tensor:
        """Return the sum over all neurons of [K, N, B] values without their lag, [B, T]."""
        steps = len(values) - self.lag
        parts = [
            values[layer : layer + steps, own].sum(dim=1) for layer, own in enumerate(self.own)
        ]
        return torch.stack(parts).sum(dim=0).t()


class JointMaps:
    """Assembly of the layers' masked weights and biases in one arranged tensor [M, N, I + N + 1].

    Each element is a parameter times a factor; tables of both are made once. Parameters are
    weights [M, H, K + H] of all layers, for the preceding layer and the layer itself, then biases
    [M, H].
    """

    def __init__(self, layers: Layers, masks: Sequence[Tensor], arranged: Arrangement) -> None:
        """Make the tables.

        Args:
            layers: places of the layers.
            masks: of each layer's weights.
            arranged: exchanges and scales the elements of the joint maps [M, N, I + N + 1].
        """
        maps = len(masks[0])
        biases = [torch.ones(maps, own.stop - own.start) for own in layers.own]
        factors = [*(mask.cpu().double() for mask in masks), *biases]
        self._shapes = [tuple(values.shape) for values in factors]
        self._sizes = [values.numel() for values in factors]
        places = torch.arange(1.0, 1.0 + sum(self._sizes), dtype=torch.float64)
        self.shape = (maps, layers.neurons, layers.inputs + layers.neurons + 1)
        ones = arranged(torch.ones(self.shape, dtype=torch.float64))
        sources = arranged(self._spread(layers, places.split_with_sizes(self._sizes))) / ones
        present = sources.flatten() > 0.5
        factor = arranged(self._spread(layers, factors)).flatten()
        self._source = (sources.flatten().round().long() - 1).clamp(min=0)
        self._place = torch.empty(sum(self._sizes), dtype=torch.int64)
        self._place[self._source[present]] = present.nonzero().flatten()
        self._factor, self._back = factor, factor[self._place]

    def _spread(self, layers: Layers, parts: Sequence[Tensor]) -> Tensor:
        joint = torch.zeros(self.shape, dtype=torch.float64)
        count = len(layers.own)
        for index, (own, columns) in enumerate(zip(layers.own, layers.columns(), strict=True)):
            joint[:, own, columns] = parts[index].view(self._shapes[index])
            joint[:, own, -1] = parts[count + index].view(self._shapes[count + index])
        return joint

    def fit(self, like: Tensor) -> None:
        """Move the tables to the dtype and the device of a parameter."""
        if self._factor.dtype != like.dtype or self._factor.device != like.device:
            self._factor, self._back = self._factor.to(like), self._back.to(like)
            self._source = self._source.to(like.device)
            self._place = self._place.to(like.device)

    def assemble(self, parameters: Sequence[Tensor]) -> Tensor:
        """Return the joint maps of the parameters."""
        flat = torch.cat([values.flatten() for values in parameters])
        return flat.index_select(0, self._source).mul_(self._factor).view(self.shape)

    def take_apart(self, joint: Tensor) -> list[Tensor]:
        """Return the gradients of the parameters from that of the joint maps."""
        flat = joint.flatten().index_select(0, self._place).mul_(self._back)
        parts = flat.split_with_sizes(self._sizes)
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]
