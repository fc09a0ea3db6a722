"""Wired CfC over a whole sequence as one node of automatic differentiation.

At 19 neurons the bookkeeping of a node takes as long as the arithmetic of several ticks. Assembly
of the weights, projection of the inputs, ticks and outputs are therefore one `autograd.Function`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from liquid_control.cores.cfc_heads import Gated, Head
from liquid_control.cores.cfc_scan import Gradients, Numbers, Stack, run_ticks, run_ticks_backward
from liquid_control.cores.execution import backward_without_autocast
from liquid_control.cores.numpy_ticks import NumpyTicks
from liquid_control.cores.wired_layers import JointMaps, Layers


class Ticks(Protocol):
    """Protocol for the implementation of the ticks of one sequence, K ticks of M maps.

    Attributes:
        scale: from the numbers of a scan's states to those of the core's.
    """

    scale: float

    def run(
        self, drive: Tensor, maps: Tensor, elapsed: Tensor, state: Tensor, pure: Tensor | None
    ) -> list[Tensor | None]:
        """Run all ticks.

        Args:
            drive: contribution of the inputs to the first layer's maps, [T, M, H, B].
            maps: arranged maps of all neurons over all neurons and one, [M, N, N + 1].
            elapsed: time units before each tick, [K, N, B].
            state: [N, B].
            pure: w_tau and A, [2, N, 1]; None where the mode has none.

        Returns:
            Tensors for the backward pass; the first are all states, [K + 1, N or more, B].
        """
        ...

    def run_backward(self, kept: Sequence[Any], totals: Tensor, *, by_time: bool) -> Gradients:
        """Return gradients; see `cfc_scan.run_ticks_backward`.

        Args:
            kept: from `run`.
            totals: gradients of all of the scan's states but those through later ticks,
                [K + 1, N, B]; overwritten with the full gradients.
            by_time: whether the gradient by the elapsed times is needed.
        """
        ...


class TorchTicks:
    """Ticks of any mode on any device."""

    scale = 1.0

    def __init__(self, head: Head, layers: Layers, mask: Tensor | None, x: Tensor) -> None:
        due = layers.due(x.shape[1], x.device) if mask is None else layers.delayed(mask).unbind()
        self._stack = Stack(head, torch.tanh, due)

    def run(
        self, drive: Tensor, maps: Tensor, elapsed: Tensor, state: Tensor, pure: Tensor | None
    ) -> list[Tensor | None]:
        """Run all ticks; see `Ticks`."""
        recurrent, bias = maps[:, :, :-1].flatten(0, 1), maps[:, :, -1].reshape(-1, 1)
        numbers = Numbers(drive, bias, elapsed, state, recurrent, pure, ())
        states, sums = run_ticks(self._stack, numbers)
        return [states, *sums, elapsed, recurrent, pure]

    def run_backward(self, kept: Sequence[Any], totals: Tensor, *, by_time: bool) -> Gradients:
        """Return gradients; see `Ticks`."""
        states, sums, elapsed, recurrent, pure = kept
        numbers = Numbers(sums, recurrent, elapsed, states, recurrent, pure, ())
        return run_ticks_backward(self._stack, numbers, [sums], totals, by_time=by_time)


class WiredScan:
    """Sequences of a wired CfC.

    Attributes:
        layers: places of the layers.
    """

    def __init__(self, layers: Layers, head: Head, masks: Sequence[Tensor]) -> None:
        """Set the structure.

        Args:
            layers: places of the layers.
            head: from the maps to the new state.
            masks: of each layer's weights.
        """
        self.layers, self._head = layers, head
        self._on_cpu = isinstance(head, Gated) and not head.keeps_first
        self._joint = JointMaps(layers, masks, head.arranged)
        self._cpu_joint = JointMaps(layers, masks, NumpyTicks.arranged) if self._on_cpu else None

    def prepare(self, x: Tensor, mask: Tensor | None, time_unit_s: float) -> "WiredSequence":
        """Return what a sequence of features [B, T, I] under a mask [B, T] needs."""
        joint, ticks = self._joint, None
        if self._cpu_joint is not None and x.device.type == "cpu":
            joint = self._cpu_joint
            layers = self.layers
            stays = layers.stays(x.shape[1]) if mask is None else [*~layers.delayed(mask).numpy()]
            ticks = NumpyTicks(stays)
        joint.fit(x)
        return WiredSequence(
            self.layers, ticks or TorchTicks(self._head, self.layers, mask, x), joint, time_unit_s
        )


@dataclass(frozen=True, slots=True, eq=False)
class WiredSequence:
    """What a sequence needs besides tensors with gradients.

    Attributes:
        layers: places of the layers.
        ticks: implementation of the ticks.
        joint: assembly of the weights and biases.
        time_unit_s: unit of elapsed time, s.
    """

    layers: Layers
    ticks: Ticks
    joint: JointMaps
    time_unit_s: float


def scan_wired(
    sequence: WiredSequence, x: Tensor, state: Tensor, dt: Tensor, parameters: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Return outputs [B, T, O] and the state after the last step [B, N].

    Args:
        sequence: structure of the core and of the sequence.
        x: features [B, T, I].
        state: [B, N].
        dt: elapsed seconds [B, T].
        parameters: weights, biases and, in mode `pure`, w_tau and A of each layer.
    """
    results: tuple[Tensor, Tensor] = _WiredScan.apply(  # type: ignore[no-untyped-call]
        sequence, x, state, dt, *parameters
    )
    return results


class _WiredScan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        sequence: WiredSequence,
        x: Tensor,
        state: Tensor,
        dt: Tensor,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        layers, ticks = sequence.layers, sequence.ticks
        count = 2 * len(layers.own)
        joint, pure = sequence.joint.assemble(parameters[:count]), parameters[count:]
        rows = joint[:, layers.own[0], : layers.inputs].flatten(0, 1)
        batch, steps, _ = x.shape
        drive = torch.bmm(rows.expand(steps, -1, -1), x.permute(1, 2, 0))
        kept = ticks.run(
            drive.view(steps, len(joint), -1, batch),
            joint[:, :, layers.inputs :],
            layers.delayed(dt / sequence.time_unit_s),
            state.t(),
            torch.cat(pure, dim=1).unsqueeze(2) if pure else None,
        )
        ctx.sequence = sequence
        ctx.save_for_backward(x, rows, *kept)
        states = kept[0]
        assert states is not None
        outputs = states[1 + layers.lag :, layers.own[-1]].permute(2, 0, 1) * ticks.scale
        return outputs, states[-1, : layers.neurons].t() * ticks.scale

    @staticmethod
    @once_differentiable
    @backward_without_autocast
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, rows, states, *kept = ctx.saved_tensors
        sequence: WiredSequence = ctx.sequence
        _, by_x, _, by_dt, *_ = ctx.needs_input_grad
        layers = sequence.layers
        totals = states.new_zeros(len(states), layers.neurons, len(x))
        scale = sequence.ticks.scale
        totals[1 + layers.lag :, layers.own[-1]] = scale * gradients[0].permute(1, 2, 0)
        totals[-1] += scale * gradients[1].t()
        found = sequence.ticks.run_backward([states, *kept], totals, by_time=by_dt)
        steps = x.shape[1]
        maps = found.sums.view(len(found.sums), -1, layers.neurons, len(x))
        drive = maps[:steps, :, layers.own[0]].flatten(1, 2)
        x_gradient = dt_gradient = None
        if by_x:
            x_gradient = torch.bmm(rows.t().expand(steps, -1, -1), drive).permute(2, 0, 1)
        if found.elapsed is not None:
            dt_gradient = layers.undelayed(found.elapsed) / sequence.time_unit_s
        others = _by_parameters(sequence, x, drive, found)
        return None, x_gradient, totals[0].t() / scale, dt_gradient, *others


def _by_parameters(
    sequence: WiredSequence, x: Tensor, drive: Tensor, found: Gradients
) -> list[Tensor]:
    """Return the gradients of the parameters in their order."""
    layers, (maps, neurons, width) = sequence.layers, sequence.joint.shape
    joint = drive.new_zeros(maps, neurons, width)
    into = torch.bmm(drive, x.transpose(0, 1)).sum(dim=0)
    joint[:, layers.own[0], : layers.inputs] = into.view(maps, -1, layers.inputs)
    joint[:, :, layers.inputs : -1] = found.recurrent.view(maps, neurons, -1)
    joint[:, :, -1] = found.bias.view(maps, neurons)
    parts = sequence.joint.take_apart(joint)
    if found.pure is not None:
        parts += [found.pure[:, own, 0] for own in layers.own]
    return parts
