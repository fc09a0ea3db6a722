"""The torch twin of the wired CfC, for training; `liquid_control.liquid.reference` specifies it.

The layers run one step apart: at tick k layer l computes step k - l, so that its two inputs, the
layer before and its own previous state, both lie in the neurons' values of tick k - 1. One product
then serves all four maps of all layers, and T steps take T + layers - 1 small ticks.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from liquid_control.liquid.checks import check_sequence
from liquid_control.liquid.masks import MAPS, Masking, layer_masks
from liquid_control.liquid.weights import CfCWeights, LayerWeights, random_weights
from liquid_control.liquid.wiring import Wiring
from liquid_control.seeding import stream


class TorchCfC(nn.Module):
    """A wired closed-form continuous-time cell with gradients.

    Attributes:
        wiring: who feeds whom.
        masking: how the wiring is applied.
        time_unit_s: elapsed time is divided by it, s.
    """

    def __init__(self, weights: CfCWeights) -> None:
        super().__init__()
        self.wiring = weights.wiring
        self.masking = weights.masking
        self.time_unit_s = weights.time_unit_s
        self.weight = nn.ParameterList(torch.tensor(layer.weight) for layer in weights.layers)
        self.bias = nn.ParameterList(torch.tensor(layer.bias) for layer in weights.layers)
        for index, mask in enumerate(layer_masks(self.wiring, self.masking)):
            self.register_buffer(f"mask_{index}", torch.tensor(mask), persistent=False)
        delay = np.repeat(
            np.arange(len(self.wiring.layers)), [layer.size for layer in self.wiring.layers]
        )
        self.delay: Tensor
        self.register_buffer("delay", torch.tensor(delay), persistent=False)

    @classmethod
    def fresh(
        cls,
        wiring: Wiring,
        *,
        seed: int,
        masking: Masking = Masking.SYNAPSES,
        time_unit_s: float = 0.05,
    ) -> "TorchCfC":
        """Return a cell with weights to start training from, as `random_weights` draws them."""
        rng = stream(seed, "liquid.init")
        return cls(random_weights(wiring, rng, masking=masking, time_unit_s=time_unit_s))

    def weights(self) -> CfCWeights:
        """Return the weights as arrays, zeros where the masks say so."""
        layers = tuple(
            LayerWeights(
                masked.detach().cpu().numpy().astype(np.float32),
                bias.detach().cpu().numpy().astype(np.float32),
            )
            for masked, bias in zip(self._masked(), self.bias, strict=True)
        )
        return CfCWeights(self.wiring, self.masking, self.time_unit_s, layers)

    def init_state(self, batch: int = 1) -> Tensor:
        """Return the state before the first step, zeros [B, N]."""
        like: Tensor = self.bias[0]
        return like.new_zeros(batch, self.wiring.neurons)

    def step(self, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
        """Advance by one step; x [B, I], state [B, N], dt [B] s -> output [B, O], state [B, N].

        Raises:
            CellError: a shape does not fit, or dt is negative or not finite.
        """
        outputs, after = self.sequence(x.unsqueeze(-2), state, dt.unsqueeze(-1))
        return outputs[:, 0], after

    def sequence(
        self, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Advance through a sequence; equal to repeated `step`.

        Detach the state between two calls to truncate backpropagation.

        Args:
            x: features [B, T, I].
            state: [B, N].
            dt: elapsed seconds before each step, [B, T].
            mask: bool [B, T]; a False step leaves the state unchanged. None for all True.

        Returns:
            Outputs [B, T, O] and the state after the last step [B, N].

        Raises:
            CellError: a shape does not fit, or dt is negative or not finite.
        """
        check_sequence(
            self.wiring.inputs,
            self.wiring.neurons,
            x.shape,
            state.shape,
            dt.detach().cpu().numpy(),
            None if mask is None else mask.cpu().numpy(),
        )
        drives = self._drives(x)
        across = self._across()
        elapsed = self._skew(dt.to(x.dtype) / self.time_unit_s)
        states = []
        for drive, ticks, due in zip(drives, elapsed, self._due(x, mask), strict=True):
            after = self._tick(torch.addmm(drive, state, across), ticks)
            state = after if due is None else torch.where(due, after, state)
            states.append(state)
        outputs = torch.stack(states[len(self.wiring.layers) - 1 :], dim=1)
        return outputs[..., self.wiring.slices[-1]], state

    def _masked(self) -> list[Tensor]:
        return [
            weight * self.get_buffer(f"mask_{index}") for index, weight in enumerate(self.weight)
        ]

    def _drives(self, x: Tensor) -> Tensor:
        """Return what inputs and biases add to the maps at every tick, [K, B, 4 N]."""
        batch, steps, inputs = x.shape
        neurons, first = self.wiring.neurons, self.wiring.layers[0].size
        into = self._masked()[0][:, :, :inputs].reshape(len(MAPS) * first, inputs)
        driven = (x.transpose(0, 1) @ into.t()).view(steps, batch, len(MAPS), first)
        extra = len(self.wiring.layers) - 1
        padded = functional.pad(driven, (0, neurons - first, 0, 0, 0, 0, 0, extra))
        biased = padded + torch.cat(list(self.bias), dim=1)
        return biased.view(steps + extra, batch, len(MAPS) * neurons)

    def _across(self) -> Tensor:
        """Return the product that takes all neurons to all maps of all neurons, [N, 4 N]."""
        rows = []
        for index, (own, weight) in enumerate(
            zip(self.wiring.slices, self._masked(), strict=True)
        ):
            recurrent = weight[:, :, self.wiring.inputs :] if index == 0 else weight
            left = own.stop - recurrent.shape[2]
            rows.append(functional.pad(recurrent, (left, self.wiring.neurons - own.stop)))
        return torch.cat(rows, dim=1).view(-1, self.wiring.neurons).t().contiguous()

    def _tick(self, maps: Tensor, elapsed: Tensor) -> Tensor:
        neurons = self.wiring.neurons
        ff1, ff2 = torch.tanh(maps[:, : 2 * neurons]).chunk(2, dim=1)
        time_a, time_b = maps[:, 2 * neurons :].chunk(2, dim=1)
        return torch.lerp(ff1, ff2, torch.sigmoid(torch.addcmul(time_b, time_a, elapsed)))

    def _skew(self, values: Tensor) -> Tensor:
        """Return [B, T] values as each neuron meets them, [K, B, N]; repeated beyond the ends."""
        steps = values.shape[1]
        ticks = torch.arange(steps + len(self.wiring.layers) - 1, device=values.device)
        at = (ticks[:, None] - self.delay).clamp(0, steps - 1)
        return values.t()[at].transpose(1, 2)

    def _due(self, x: Tensor, mask: Tensor | None) -> list[Tensor | None]:
        """Return which neurons move at each tick, [B or 1, N]; None where all do."""
        steps, extra = x.shape[1], len(self.wiring.layers) - 1
        ticks = torch.arange(steps + extra, device=x.device)
        step = ticks[:, None, None] - self.delay
        inside = (step >= 0) & (step < steps)
        if mask is not None:
            return list(inside & self._skew(mask))
        return [due if k < extra or k >= steps else None for k, due in enumerate(inside)]
