"""CfC over a whole sequence with a hand-written backward pass.

Autograd over a loop in Python spends nearly all its time on bookkeeping. Here the loop is one
`autograd.Function`. Forward, a tick is one product and the few element-wise operations of the
head, in one small buffer that is then copied to a buffer of all ticks: a view of each operand of
each tick would take longer. Backward, the derivatives of all ticks are computed at once, and a
tick is one multiplication and one product; the gradients of the weights are one large product at
the end. Memory grows linearly with the number of ticks.

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
            the maps as `Head.arranged` arranges them, R = M N; without further products this is
            the first one.
    """

    drive: Tensor
    bias: Tensor
    elapsed: Tensor
    state: Tensor
    recurrent: Tensor
    pure: Tensor | None
    deeper: Sequence[Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """Gradients by the tensors of `Numbers`; None where there is none.

    Attributes:
        sums: by the sums of the first product, [K, R, B].
        bias: as in `Numbers`; likewise all that follow.
        elapsed: [K, N, B] for each neuron; None unless needed.
        recurrent: see `bias`.
        pure: see `bias`.
        deeper: see `bias`.
    """

    sums: Tensor
    bias: Tensor
    elapsed: Tensor | None
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
        numbers = Numbers(drive, bias, elapsed, state, recurrent, pure, deeper)
        states, sums = run_ticks(stack, numbers)
        ctx.stack, ctx.layers, ctx.driven = stack, len(sums), drive.shape
        ctx.save_for_backward(elapsed, recurrent, pure, states, *sums, *deeper)
        return states[1:].clone()

    @staticmethod
    @once_differentiable
    @backward_without_autocast
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        elapsed, recurrent, pure, states, *rest = ctx.saved_tensors
        sums, deeper = rest[: ctx.layers], rest[ctx.layers :]
        totals = torch.empty_like(states)
        totals[0] = 0.0
        totals[1:] = gradients[0]
        numbers = Numbers(sums[0], recurrent, elapsed, states, recurrent, pure, deeper)
        found = run_ticks_backward(
            ctx.stack, numbers, sums, totals, by_time=ctx.needs_input_grad[3]
        )
        time = None if found.elapsed is None else found.elapsed.sum_to_size(elapsed.shape)
        drive = _driven(found.sums, ctx.driven)
        return (
            *(None, drive, found.bias, time, totals[0], found.recurrent, found.pure),
            *found.deeper,
        )


def run_ticks(stack: Stack, numbers: Numbers) -> tuple[Tensor, list[Tensor]]:
    """Run all ticks.

    Returns:
        The states before the first and after every tick, [K + 1, N, B], and the sums of every
        product, [K, R, B]; those of the last one as `Head.tick` leaves them.
    """
    n, ticks = numbers, len(stack.due)
    weights, biases = n.deeper[::2], n.deeper[1::2]
    batch = n.drive.shape[3]
    sums = [n.drive.new_empty(ticks, len(rows), batch) for rows in (n.recurrent, *weights)]
    sums[0].copy_(n.bias)
    _driven(sums[0], n.drive.shape).add_(n.drive)
    states = n.drive.new_empty(ticks + 1, *n.state.shape)
    states[0] = n.state
    scratch = sums[-1].new_empty(sums[-1].shape[1:])
    tick = stack.head.tick(scratch.view(-1, *n.state.shape), n.pure)
    before, *after = states.unbind()
    further = [values.unbind() for values in sums[1:]]
    for k, (kept, times, now, due) in enumerate(
        zip(sums[0].unbind(), n.elapsed.unbind(), after, stack.due, strict=True)
    ):
        torch.addmm(kept, n.recurrent, before, out=kept if further else scratch)
        for layer, into in enumerate(further):
            active, kept = stack.activation(kept), into[k]
            out = scratch if into is further[-1] else kept
            torch.addmm(biases[layer], weights[layer], active, out=out)
        tick(times, now)
        kept.copy_(scratch)
        if due is not None:
            torch.where(due, now, before, out=now)
        before = now
    return states, sums


def run_ticks_backward(
    stack: Stack, numbers: Numbers, sums: Sequence[Tensor], totals: Tensor, *, by_time: bool
) -> Gradients:
    """Propagate gradients back through all ticks.

    Args:
        stack: as for `run_ticks`.
        numbers: as for `run_ticks`; `state` holds its states, `drive` and `bias` are not read.
        sums: from `run_ticks`.
        totals: gradients of all states but those through later ticks, [K + 1, N, B]; overwritten
            with the full gradients.
        by_time: whether the gradient by the elapsed times is needed.
    """
    n, head, states = numbers, stack.head, numbers.state
    maps = sums[-1].view(len(stack.due), -1, *states.shape[1:])
    slopes = head.slopes(maps, n.elapsed, n.pure)
    inner = [_activated(stack.activation, values) for values in sums[:-1]]
    time = head.time_slope(maps, n.elapsed, n.pure, slopes) if by_time else None
    flows = [slope for _, slope in inner] + [slopes.flatten(1, 2)]
    _flow_back(totals, slopes, flows, [n.recurrent, *n.deeper[::2]], stack.due)
    apart, by_pure = None, head.pure_slopes(maps, n.elapsed, n.pure)
    if by_pure is not None:
        moved = by_pure * _only_due(totals[1:], stack.due)
        apart = moved.sum(dim=(1, 3)).unsqueeze(2)
    deeper = [
        gradient
        for flow, (source, _) in zip(flows[1:], inner, strict=True)
        for gradient in (_outer(flow, source), _everywhere(flow))
    ]
    return Gradients(
        sums=flows[0],
        bias=_everywhere(flows[0]),
        elapsed=None if time is None else _only_due(totals[1:], stack.due) * time,
        recurrent=_outer(flows[0], states[:-1]),
        pure=apart,
        deeper=deeper,
    )


def _flow_back(
    totals: Tensor,
    slopes: Tensor,
    flows: Sequence[Tensor],
    weights: Sequence[Tensor],
    due: Sequence[Tensor | None],
) -> None:
    """Propagate gradients from the last tick to the first.

    Args:
        totals: as for `run_ticks_backward`.
        slopes: derivatives of the new states by their maps, [K, M, N, B]; overwritten with the
            gradients of the maps.
        flows: derivatives by the sums of every product, [K, R, B], the last one `slopes` in
            another shape; overwritten with the gradients of the sums.
        weights: of every product.
        due: as in `Stack`.
    """
    first, *further = [weight.t().contiguous() for weight in weights]
    *earlier, total = totals.unbind()
    flow = [values.unbind() for values in flows]
    rows = list(zip(due, slopes.unbind(), flow[0], earlier, strict=True))
    zero = totals.new_zeros(())
    for k in range(len(rows) - 1, -1, -1):
        moves, slope, entry, before = rows[k]
        slope.mul_(total if moves is None else torch.where(moves, total, zero))
        for layer in range(len(further) - 1, -1, -1):
            flow[layer][k].mul_(further[layer] @ flow[layer + 1][k])
        before.addmm_(first, entry)
        if moves is not None:
            before.add_(torch.where(moves, zero, total))
        total = before


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
            moved[k].masked_fill_(~moves, 0.0)
    return moved


def _everywhere(gradients: Tensor) -> Tensor:
    """Return a bias's gradient over all ticks and samples: [K, R, B] -> [R, 1]."""
    return gradients.sum(dim=0).sum(dim=1, keepdim=True)


def _outer(gradients: Tensor, sources: Tensor) -> Tensor:
    """Return a weight's gradient over all ticks and samples: [K, R, B], [K, N, B] -> [R, N]."""
    return torch.bmm(gradients, sources.transpose(1, 2)).sum(dim=0)
