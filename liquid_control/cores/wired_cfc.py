"""Wired closed-form continuous-time cell (CfC): layers of neurons joined by a wiring's synapses.

Hasani et al. 2022 (doi 10.1038/s42256-022-00556-7, arXiv 2106.13898), wired as Lechner et al. 2020
(doi 10.1038/s42256-020-00237-3). `liquid_control.liquid.reference` states the equations of all
three modes and specifies the results; this implementation adds gradients.

`wired_scan` runs and differentiates whole sequences.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from liquid_control.cores.base import Core, scan
from liquid_control.cores.cfc_heads import HEADS
from liquid_control.cores.execution import is_tracing
from liquid_control.cores.wired_layers import Layers
from liquid_control.cores.wired_scan import WiredScan, scan_wired
from liquid_control.errors import CellError
from liquid_control.liquid.checks import check_sizes
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
        for index, mask in enumerate(layer_masks(wiring, self.masking, self.mode)):
            self.register_buffer(f"mask_{index}", torch.tensor(mask), persistent=False)
        self._scanner = WiredScan(Layers(wiring), self._head, self._masks())

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
        cls,
        input_size: int,
        output_size: int,
        *,
        neurons: int = 19,
        sparsity: float = 0.5,
        **options: Any,
    ) -> "WiredCfC":
        """Return a core over `auto_ncp(input_size, neurons, output_size, sparsity)`."""
        check_sizes(neurons=neurons)
        return cls(auto_ncp(input_size, neurons, output_size, sparsity), **options)

    @property
    def bounded(self) -> bool:
        """Whether outputs lie in (-1, 1): in mode `default`, which interpolates two tanh."""
        return self.mode is Mode.DEFAULT

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
        before = [state[:, own] for own in self._scanner.layers.own]
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
        sequence = self._scanner.prepare(x, mask, self.time_unit_s)
        lists = (self.weight, self.bias, self.pure)
        parameters: list[Any] = [p for each in lists for p in each._parameters.values()]
        return scan_wired(sequence, x, state, dt, parameters)

    def state_weights(self) -> list[Tensor]:
        """Return each layer's weights of its own previous states, masked, [M, H, H]."""
        return [weight[:, :, -weight.shape[1] :] for weight in self._masked()]

    def _masks(self) -> list[Tensor]:
        return [getattr(self, f"mask_{index}") for index in range(len(self.wiring.layers))]

    def _masked(self) -> list[Tensor]:
        return [weight * mask for weight, mask in zip(self.weight, self._masks(), strict=True)]


def _array(values: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return values.detach().to("cpu", torch.float32).numpy()
