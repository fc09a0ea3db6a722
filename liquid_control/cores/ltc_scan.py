"""Fused solver over a whole sequence with a hand-written gradient.

The plain loop records some ten operations of automatic differentiation for each unfold of each
step; at 19 neurons this recording costs more than the arithmetic. Here an unfold is five
operations into preallocated memory, and its gradient five more. Everything that does not depend on
the previous unfold is computed for all unfolds at once. The state after every unfold is kept for
the gradient; memory grows linearly in T.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from liquid_control.cores.execution import backward_without_autocast


def fused_scan(
    drive: Tensor,
    state: Tensor,
    part: Tensor,
    offset: Tensor,
    slope: Tensor,
    collection: Tensor,
    unfolds: int,
) -> Tensor:
    """Repeat v' = (v + h * current) / (1 + h * conductance).

    `current` and `conductance` [B, N] are the halves of drive + sigmoid(offset + v @ slope) @
    collection.

    Args:
        drive: current and conductance from inputs and leaks, [T, B, 2 N].
        state: before the first step, [B, N].
        part: h, the length of an unfold in time units, [T, B], >= 0.
        offset: of the activation of S synapses, [S].
        slope: of the same, [N, S].
        collection: map from open synapses to current and conductance, [S, 2 N].
        unfolds: of each step.

    Returns:
        The states after each step, [T, B, N].
    """
    states: Tensor = _FusedScan.apply(  # type: ignore[no-untyped-call]
        drive, state, part, offset, slope, collection, unfolds
    )
    return states


class _FusedScan(torch.autograd.Function):
    """See `fused_scan`."""

    @staticmethod
    def forward(
        ctx: Any,
        drive: Tensor,
        state: Tensor,
        part: Tensor,
        offset: Tensor,
        slope: Tensor,
        collection: Tensor,
        unfolds: int,
    ) -> Tensor:
        steps, batch, width = drive.shape
        neurons = width // 2
        rows = state.new_ones(steps * unfolds + 1, batch, width)
        rows[0, :, :neurons] = state
        affine = functional.pad(slope, (0, 0, 0, neurons))
        affine[neurons] = offset
        summed = drive.repeat_interleave(unfolds, dim=0)
        opened = state.new_empty(batch, len(offset))
        fraction = state.new_empty(batch, width)
        upper, lower = fraction.chunk(2, dim=1)
        befores, afters = rows.unbind(0), rows[1:, :, :neurons].unbind(0)
        lengths = part[:, :, None].expand(steps, batch, width).contiguous().unbind(0)
        for k, total in enumerate(summed.unbind(0)):
            torch.mm(befores[k], affine, out=opened)
            opened.sigmoid_()
            total.addmm_(opened, collection)
            torch.addcmul(befores[k], lengths[k // unfolds], total, out=fraction)
            torch.div(upper, lower, out=afters[k])
        kept = rows[:, :, :neurons].contiguous()
        ctx.save_for_backward(kept, summed, part, offset, slope, collection)
        ctx.unfolds = unfolds
        return kept[unfolds::unfolds].clone()

    @staticmethod
    @once_differentiable
    @backward_without_autocast
    def backward(ctx: Any, wanted: Tensor) -> tuple[Tensor | None, ...]:
        kept, summed, part, offset, slope, collection = ctx.saved_tensors
        unfolds: int = ctx.unfolds
        steps, batch, neurons = wanted.shape
        before, after = kept[:-1].reshape(-1, neurons), kept[1:]
        length = part.repeat_interleave(unfolds, dim=0)[:, :, None]
        current, conductance = summed.chunk(2, dim=2)
        opened = torch.addmm(offset, before, slope).sigmoid_()
        bend = (opened * (1.0 - opened)).view(-1, batch, len(offset))
        inverse = (1.0 + length * conductance).reciprocal_()
        scaled = length * inverse
        factors = torch.cat([scaled, -scaled * after, inverse], dim=2)
        d_fraction, d_opened, start = _backwards(wanted, factors, bend, collection, slope, unfolds)
        d_summed, carried = d_fraction[..., : 2 * neurons], d_fraction[..., 2 * neurons :]
        d_rows, d_bent = d_summed.flatten(0, 1), d_opened.flatten(0, 1)
        d_part = None
        if ctx.needs_input_grad[2]:
            change = (carried * (current - conductance * after)).sum(dim=2)
            d_part = change.view(steps, unfolds, batch).sum(dim=1)
        return (
            d_summed.view(steps, unfolds, batch, -1).sum(dim=1),
            start,
            d_part,
            d_bent.sum(dim=0),
            before.t() @ d_bent,
            opened.t() @ d_rows,
            None,
        )


def _backwards(
    wanted: Tensor,
    factors: Tensor,
    bend: Tensor,
    collection: Tensor,
    slope: Tensor,
    unfolds: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Propagate gradients from the last unfold to the first.

    Args:
        wanted: gradient of each step's state, [T, B, N].
        factors: derivative of the new state by current, conductance and numerator, [K, B, 3 N]
            for K unfolds in total.
        bend: derivative of the sigmoid, [K, B, S].
        collection: [S, 2 N].
        slope: [N, S].
        unfolds: of each step.

    Returns:
        Gradients of current, conductance and numerator [K, B, 3 N], of the sigmoid's argument
        [K, B, S] and of the first state [B, N].
    """
    neurons = wanted.shape[2]
    d_fraction, d_opened = torch.empty_like(factors), torch.empty_like(bend)
    threes = (len(factors), -1, 3, neurons)
    triples, changes = d_fraction.view(threes).unbind(0), factors.view(threes).unbind(0)
    rows = d_fraction[:, :, : 2 * neurons].unbind(0)
    uppers = d_fraction[:, :, 2 * neurons :].unbind(0)
    bents, bends, ends = d_opened.unbind(0), bend.unbind(0), wanted.unbind(0)
    back, across = collection.t().contiguous(), slope.t().contiguous()
    now = torch.zeros_like(ends[0])
    spread = now[:, None]
    for k in reversed(range(len(bents))):
        if (k + 1) % unfolds == 0:
            now += ends[k // unfolds]
        torch.mul(spread, changes[k], out=triples[k])
        torch.mm(rows[k], back, out=bents[k])
        bents[k].mul_(bends[k])
        torch.addmm(uppers[k], bents[k], across, out=now)
    return d_fraction, d_opened, now
