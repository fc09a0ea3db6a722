"""CfC over a whole sequence with a hand-written backward pass.

Autograd over a loop in Python spends nearly all its time on bookkeeping. Here the loop is one
`autograd.Function`. Forward, a tick is one product and the few element-wise operations of the
head, in place in buffers that hold all ticks. Backward, the derivatives of all ticks are computed
at once, and a tick is one multiplication and one product; the gradients of the weights are one
large product at the end. Memory grows linearly with the number of ticks.

Tensors have the batch as the last axis; the maps of a tick are then blocks of rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from liquid_control.cores.cfc_heads import Head
from liquid_control.cores.execution import backward_without_autocast

Activation = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Structure of a CfC between its recurrent product and its new state.

    Attributes:
        head: from the maps to the new state.
        activation: element-wise, between backbone layers.
        due: bool [N or 1, B or 1] for each tick, True for the neurons that the tick updates; None
            where it updates all.
    """

    head: Head
    activation: Activation
    due: Sequence[Tensor | None]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Tensors of a sequence: K ticks, N neurons, B samples, M maps.

    Attributes:
        drive: contribution of the inputs to the first product, [T, G, F, B]: to the first F of
            every R / G rows, at the first T <= K ticks.
        bias: bias of the first product, [R, 1].
        elapsed: time units before each tick, [K, N or 1, B].
        state: [N, B].
        recurrent: the first product, [R, N].
        pure: [2, N, 1], rows w_tau and A; None where the mode has none.
        deeper: weight [R', R] and bias [R', 1] of each further product. The last product yields
            the maps, R = M N; without further products this is the first one.
    """

    drive: Tensor
    bias: Tensor
    elapsed: Tensor
    state: Tensor
    recurrent: Tensor
    pure: Tensor | None
    deeper: Sequence[Tensor]


def scan_cfc(stack: Stack, numbers: Numbers) -> Tensor:
    """Return the states after every tick, [K, N, B]."""
    n = numbers
    states: Tensor = _Scan.apply(  # type: ignore[no-untyped-call]
        stack, n.drive, n.bias, n.elapsed, n.state, n.recurrent, n.pure, *n.deeper
    )
    return states


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        stack: Stack,
        drive: Tensor,
        bias: Tensor,
        elapsed: Tensor,
        state: Tensor,
        recurrent: Tensor,
        pure: Tensor | None,
        *deeper: Tensor,
    ) -> Tensor:
        ticks, batch = len(stack.due), drive.shape[3]
        weights, biases = deeper[::2], deeper[1::2]
        sums = [drive.new_empty(ticks, len(rows), batch) for rows in (recurrent, *weights)]
        sums[0].copy_(bias)
        _driven(sums[0], drive.shape).add_(drive)
        states = drive.new_empty(ticks + 1, *state.shape)
        states[0] = state
        before, *after = states.unbind()
        first, *further = (values.unbind() for values in sums)
        maps = sums[-1].view(ticks, -1, *state.shape)
        tick = stack.head.ticks(maps, elapsed, pure, after)
        for k, due in enumerate(stack.due):
            value = first[k].addmm_(recurrent, before)
            for weight, offset, into in zip(weights, biases, further, strict=True):
                value = torch.addmm(offset, weight, stack.activation(value), out=into[k])
            tick(k)
            if due is not None:
                torch.where(due, after[k], before, out=after[k])
            before = after[k]
        ctx.stack, ctx.layers, ctx.driven = stack, len(sums), drive.shape
        ctx.save_for_backward(elapsed, recurrent, pure, states, *sums, *weights)
        return states[1:].clone()

    @staticmethod
    @once_differentiable
    @backward_without_autocast
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        elapsed, recurrent, pure, states, *rest = ctx.saved_tensors
        sums, weights = rest[: ctx.layers], rest[ctx.layers :]
        head, due = ctx.stack.head, ctx.stack.due
        maps = sums[-1].view(len(due), -1, *states.shape[1:])
        slopes = head.slopes(maps, elapsed, pure)
        inner = [_activated(ctx.stack.activation, values) for values in sums[:-1]]
        by_time = head.time_slope(maps, elapsed, pure, slopes) if ctx.needs_input_grad[3] else None
        flows = [slope for _, slope in inner] + [slopes.flatten(1, 2)]
        totals = _backward_ticks(gradients[0], slopes, flows, [recurrent, *weights], due)
        time = apart = None
        if by_time is not None:
            time = (_only_due(totals[1:], due) * by_time).sum_to_size(elapsed.shape)
        if pure is not None:
            by_pure = head.pure_slopes(maps, elapsed, pure) * _only_due(totals[1:], due)
            apart = by_pure.sum(dim=(1, 3)).unsqueeze(2)
        sources = [value for value, _ in inner]
        deeper = [
            gradient
            for flow, source in zip(flows[1:], sources, strict=True)
            for gradient in (_outer(flow, source), _everywhere(flow))
        ]
        drive = _driven(flows[0], ctx.driven)
        across = _outer(flows[0], states[:-1])
        return (None, drive, _everywhere(flows[0]), time, totals[0], across, apart, *deeper)


def _backward_ticks(
    gradients: Tensor,
    slopes: Tensor,
    flows: Sequence[Tensor],
    weights: Sequence[Tensor],
    due: Sequence[Tensor | None],
) -> Tensor:
    """Propagate gradients back through all ticks.

    Args:
        gradients: of the states after every tick, [K, N, B].
        slopes: derivatives of the new states by their maps, [K, M, N, B]; overwritten with the
            gradients of the maps.
        flows: derivatives by the sums of every product, [K, R, B], the last one `slopes` in
            another shape; overwritten with the gradients of the sums.
        weights: of every product.
        due: as in `Stack`.

    Returns:
        Full gradients of all states, including the one before the first tick, [K + 1, N, B].
    """
    totals = gradients.new_empty(len(due) + 1, *gradients.shape[1:])
    totals[0] = 0.0
    totals[1:] = gradients
    total, slope = totals.unbind(), slopes.unbind()
    flow = [values.unbind() for values in flows]
    first, *further = [weight.t().contiguous() for weight in weights]
    for k in range(len(due) - 1, -1, -1):
        slope[k].mul_(total[k + 1])
        moves = due[k]
        if moves is not None:
            slope[k].mul_(moves)
        for layer in range(len(further) - 1, -1, -1):
            flow[layer][k].mul_(further[layer] @ flow[layer + 1][k])
        total[k].addmm_(first, flow[0][k])
        if moves is not None:
            total[k].add_(total[k + 1] * ~moves)
    return totals


def _driven(sums: Tensor, shape: torch.Size) -> Tensor:
    """Return the part of the first product's sums [K, R, B] that has inputs, [T, G, F, B]."""
    ticks, groups, rows, batch = shape
    return sums.view(len(sums), groups, -1, batch)[:ticks, :, :rows]


def _activated(activation: Activation, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return activations of all ticks and their derivatives."""
    with torch.enable_grad():
        values = values.detach().requires_grad_()
        active = activation(values)
        (slope,) = torch.autograd.grad(active, values, torch.ones_like(active))
    return active.detach(), slope.contiguous()


def _only_due(totals: Tensor, due: Sequence[Tensor | None]) -> Tensor:
    """Return gradients [K, N, B] with zeros where a neuron was not updated."""
    moved = totals.clone()
    for k, moves in enumerate(due):
        if moves is not None:
            moved[k].mul_(moves)
    return moved


def _everywhere(gradients: Tensor) -> Tensor:
    """Return a bias's gradient over all ticks and samples: [K, R, B] -> [R, 1]."""
    return gradients.sum(dim=0).sum(dim=1, keepdim=True)


def _outer(gradients: Tensor, sources: Tensor) -> Tensor:
    """Return a weight's gradient over all ticks and samples: [K, R, B], [K, N, B] -> [R, N]."""
    return torch.bmm(gradients, sources.transpose(1, 2)).sum(dim=0)
