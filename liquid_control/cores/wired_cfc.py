"""Wired closed-form continuous-time cell (CfC): layers of neurons joined by a wiring's synapses.

Hasani et al. 2022 (doi 10.1038/s42256-022-00556-7, arXiv 2106.13898), wired as Lechner et al. 2020
(doi 10.1038/s42256-020-00237-3). `liquid_control.liquid.reference` states the equations of all
three modes and specifies the results; this implementation adds gradients.

In `sequence` the layers run one step apart: at tick k layer l computes step k - l. Its two inputs,
the preceding layer and its own previous state, are then both among the neurons' values of tick
k - 1. One product computes all maps of all layers, and T steps take T + layers - 1 ticks, which
`cfc_scan` runs and differentiates.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from liquid_control.cores.base import Core, scan
from liquid_control.cores.cfc_heads import HEADS
from liquid_control.cores.cfc_scan import Numbers, Stack, scan_cfc
from liquid_control.cores.execution import backward_without_autocast, is_tracing
from liquid_control.errors import CellError
from liquid_control.liquid.weights import (
    CfCWeights,
    LayerWeights,
    Masking,
    Mode,
    layer_masks,
    random_weights,
)
from liquid_control.liquid.wiring import Wiring
from liquid_control.liquid.wiring_generators import auto_ncp
from liquid_control.seeding import stream


class WiredCfC(Core):
    """Wired CfC; its state is its neurons, its outputs are the neurons of the last layer.

    Attributes:
        wiring: synapses between inputs and neurons.
        masking: how the wiring masks the maps.
        mode: equation from the maps to the new state.
        time_unit_s: unit of elapsed time in the equations, s.
    """

    def __init__(
        self,
        wiring: Wiring,
        *,
        mode: Mode | str = Mode.DEFAULT,
        masking: Masking | str = Masking.SYNAPSES,
        time_unit_s: float = 0.05,
        seed: int = 0,
    ) -> None:
        """Initialise a core with random weights, as `random_weights` draws them.

        Args:
            wiring: synapses between inputs and neurons.
            mode: `default`, `no_gate` or `pure`.
            masking: how the wiring masks the maps.
            time_unit_s: unit of elapsed time in the equations, preferably the nominal dt, s.
            seed: of the weights.

        Raises:
            CellError: the wiring does not fit its layers, or the time unit is not positive.
        """
        super().__init__(wiring.inputs, wiring.outputs, wiring.neurons)
        self.wiring = wiring
        self.masking = Masking(masking)
        self.mode = Mode(mode)
        self.time_unit_s = time_unit_s
        self._head = HEADS[self.mode]
        initial = random_weights(
            wiring,
            stream(seed, "liquid.init"),
            masking=self.masking,
            time_unit_s=time_unit_s,
            mode=self.mode,
        )
        self._make_parameters(initial)
        delay = np.repeat(np.arange(len(wiring.layers)), [layer.size for layer in wiring.layers])
        self.delay: Tensor
        self.register_buffer("delay", torch.tensor(delay), persistent=False)
        for index, mask in enumerate(layer_masks(wiring, self.masking, self.mode)):
            self.register_buffer(f"mask_{index}", torch.tensor(mask), persistent=False)

    @classmethod
    def from_weights(cls, weights: CfCWeights) -> "WiredCfC":
        """Return a core with stored weights."""
        core = cls(
            weights.wiring,
            mode=weights.mode,
            masking=weights.masking,
            time_unit_s=weights.time_unit_s,
        )
        core.load_weights(weights)
        return core

    @classmethod
    def with_auto_ncp(
        cls, input_size: int, output_size: int, *, neurons: int = 19, **options: Any
    ) -> "WiredCfC":
        """Return a core over `auto_ncp(input_size, neurons, output_size)`."""
        return cls(auto_ncp(input_size, neurons, output_size), **options)

    def _make_parameters(self, weights: CfCWeights) -> None:
        self.weight = nn.ParameterList(torch.tensor(layer.weight) for layer in weights.layers)
        self.bias = nn.ParameterList(torch.tensor(layer.bias) for layer in weights.layers)
        pure = [layer.pure for layer in weights.layers if layer.pure is not None]
        self.pure = nn.ParameterList(torch.tensor(rows) for rows in pure)

    @property
    def parameter_count(self) -> int:
        """Number of parameters that the masks leave to train."""
        masks = layer_masks(self.wiring, self.masking, self.mode)
        rest = [*self.bias, *self.pure]
        return sum(int(mask.sum()) for mask in masks) + sum(int(p.numel()) for p in rest)

    def weights(self) -> CfCWeights:
        """Return the weights as arrays, with zeros outside the masks."""
        arrays = [(_array(m), _array(b)) for m, b in zip(self._masked(), self.bias, strict=True)]
        pure = [_array(rows) for rows in self.pure]
        layers = tuple(
            LayerWeights(*maps, pure[index] if pure else None) for index, maps in enumerate(arrays)
        )
        return CfCWeights(self.wiring, self.masking, self.time_unit_s, layers, self.mode)

    def load_weights(self, weights: CfCWeights) -> None:
        """Load weights of the same wiring, masking, mode and time unit.

        Raises:
            CellError: one of these differs.
        """
        for name in ("wiring", "masking", "mode", "time_unit_s"):
            expected, got = getattr(self, name), getattr(weights, name)
            if expected != got:
                known = name == "wiring"
                detail = "another" if known else f"{got!r} where {expected!r} was expected"
                raise CellError(f"the weights do not fit the cell: their {name} is {detail}")
        with torch.no_grad():
            for index, layer in enumerate(weights.layers):
                self.weight[index].copy_(torch.tensor(layer.weight))
                self.bias[index].copy_(torch.tensor(layer.bias))
                if layer.pure is not None:
                    self.pure[index].copy_(torch.tensor(layer.pure))

    def _advance(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        elapsed = (dt / self.time_unit_s).unsqueeze(1)
        before = [state[:, own] for own in self.wiring.slices]
        states = []
        for index, weight in enumerate(self._masked()):
            joined = torch.cat([x, before[index]], dim=1)
            maps = torch.addmm(self.bias[index].flatten(), joined, weight.flatten(0, 1).t())
            pure = self.pure[index].unbind() if len(self.pure) else ()
            x = self._head.solve(maps.chunk(len(self.mode.maps), dim=1), elapsed, pure)
            states.append(x)
        return x, torch.cat(states, dim=1)

    def _scan(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if is_tracing():
            return scan(self._advance, x, state, dt, mask)
        joint = self._joint()
        numbers = Numbers(
            drive=self._drive(x, joint),
            bias=torch.cat(list(self.bias), dim=1).view(-1, 1),
            elapsed=self._skew(dt / self.time_unit_s),
            state=state.t(),
            recurrent=joint[:, :, self.input_size :].flatten(0, 1),
            pure=torch.cat(list(self.pure), dim=1).unsqueeze(2) if len(self.pure) else None,
            deeper=(),
        )
        states = scan_cfc(Stack(self._head, torch.tanh, self._due(x, mask)), numbers)
        outputs = states[self._lag :, self.wiring.slices[-1]].permute(2, 0, 1)
        return outputs, states[-1].t()

    @property
    def _lag(self) -> int:
        """Number of ticks by which the last layer lags behind the first."""
        return len(self.wiring.layers) - 1

    def _masked(self) -> list[Tensor]:
        return [
            weight * getattr(self, f"mask_{index}") for index, weight in enumerate(self.weight)
        ]

    def _joint(self) -> Tensor:
        """Return all maps of all neurons over all inputs and all neurons, [M, N, I + N]."""
        masks = [getattr(self, f"mask_{index}") for index in range(len(self.weight))]
        joint: Tensor = _Joint.apply(  # type: ignore[no-untyped-call]
            self.wiring, masks, *self.weight
        )
        return joint

    def _drive(self, x: Tensor, joint: Tensor) -> Tensor:
        """Return the contribution of the inputs to the maps of the first layer, [T, M, H, B]."""
        batch, steps, inputs = x.shape
        into = joint[:, self.wiring.slices[0], :inputs]
        rows = into.flatten(0, 1).expand(steps, -1, -1)
        return torch.bmm(rows, x.permute(1, 2, 0)).view(steps, *into.shape[:2], batch)

    def _skew(self, values: Tensor) -> Tensor:
        """Return [B, T] values delayed by each neuron's lag, [K, N, B]; zeros beyond the ends."""
        batch, steps = values.shape
        skewed = values.new_zeros(steps + self._lag, self.state_size, batch)
        for layer, own in enumerate(self.wiring.slices):
            skewed[layer : layer + steps, own] = values.t().unsqueeze(1)
        return skewed

    def _due(self, x: Tensor, mask: Tensor | None) -> Sequence[Tensor | None]:
        """Return for each tick a mask of updated neurons, [N, B or 1]; None where all are."""
        if mask is not None:
            return self._skew(mask).unbind()
        steps, delay = x.shape[1], self.delay.unsqueeze(1)
        inside = [None] * (steps + self._lag)
        edges = {*range(self._lag), *range(steps, steps + self._lag)}
        return [
            (delay <= k) & (delay > k - steps) if k in edges else due
            for k, due in enumerate(inside)
        ]


class _Joint(torch.autograd.Function):
    """Assembly of the layers' masked weights [M, H, K + H] in one tensor [M, N, I + N]."""

    @staticmethod
    def forward(ctx: Any, wiring: Wiring, masks: list[Tensor], *weights: Tensor) -> Tensor:
        ctx.wiring, ctx.masks = wiring, masks
        width = wiring.inputs + wiring.neurons
        joint = weights[0].new_zeros(len(weights[0]), wiring.neurons, width)
        for (rows, columns), mask, weight in zip(_blocks(wiring), masks, weights, strict=True):
            torch.mul(weight, mask, out=joint[:, rows, columns])
        return joint

    @staticmethod
    @backward_without_autocast
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        blocks = zip(_blocks(ctx.wiring), ctx.masks, strict=True)
        joint = gradients[0]
        return (None, None, *(joint[:, rows, columns] * mask for (rows, columns), mask in blocks))


def _blocks(wiring: Wiring) -> list[tuple[slice, slice]]:
    """Return the rows and columns of each layer in [N, I + N]: itself and the preceding layer."""
    ends = [wiring.inputs + own.stop for own in wiring.slices]
    starts = [0, *(wiring.inputs + own.start for own in wiring.slices)]
    return [
        (own, slice(start, end))
        for own, start, end in zip(wiring.slices, starts, ends, strict=False)
    ]


def _array(values: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return values.detach().to("cpu", torch.float32).numpy()
