"""Masks, buffers and linear recurrences for cores that compute all steps of a sequence at once.

A mask is applied by moving the unmasked steps to the front of their sequence, in order. A core
then needs only their number. The masked steps follow and, being later, do not affect them.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from liquid_control.cores.execution import backward_without_autocast, is_tracing

Run = Callable[[Tensor, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""Takes features [B, T, I], state [B, S], dt [B, T], number of valid steps [B] (None for T)."""


def run_packed(
    run: Run, x: Tensor, state: Tensor, dt: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Run a sequence under a mask, as `Core.sequence` describes."""
    if mask is None:
        return run(x, state, dt, None)
    order = torch.argsort((~mask).to(torch.int8), dim=1, stable=True)
    outputs, after = run(_along(x, order), state, dt.gather(1, order), mask.sum(dim=1))
    return _along(outputs, torch.argsort(order, dim=1)), after


def run_once(run: Run, x: Tensor, state: Tensor, dt: Tensor) -> tuple[Tensor, Tensor]:
    """Run a sequence of one step: x [B, I], dt [B] -> output [B, O] and state [B, S]."""
    outputs, after = run(x.unsqueeze(1), state, dt.unsqueeze(1), None)
    return outputs.squeeze(1), after


def run_chunks(
    run: Run, x: Tensor, state: Tensor, dt: Tensor, count: Tensor | None, *, length: int
) -> tuple[Tensor, Tensor]:
    """Run a sequence in parts of at most `length` steps; memory then grows linearly in T."""
    outputs = []
    for start in range(0, x.shape[1], length):
        part = slice(start, start + length)
        rest = None if count is None else (count - start).clamp(0, x[:, part].shape[1])
        output, state = run(x[:, part], state, dt[:, part], rest)
        outputs.append(output)
    return torch.cat(outputs, dim=1), state


def slide(past: Tensor, new: Tensor, count: Tensor | None) -> tuple[Tensor, Tensor]:
    """Append new steps to a buffer of past steps.

    Args:
        past: [B, P, C], oldest first.
        new: [B, T, C].
        count: number of new steps that are valid, [B]; None for all.

    Returns:
        Both concatenated, [B, P + T, C], and the buffer afterwards, [B, P, C].
    """
    joined = torch.cat([past, new], dim=1)
    if count is None:
        return joined, joined[:, new.shape[1] :]
    places = count[:, None] + torch.arange(past.shape[1], device=past.device)
    return joined, _along(joined, places)


def valid_steps(x: Tensor, count: Tensor | None) -> Tensor | None:
    """Return a mask of the first `count` steps of x [B, T, ...], bool [B, T]; None for all."""
    return None if count is None else torch.arange(x.shape[1], device=x.device) < count[:, None]


def _along(x: Tensor, places: Tensor) -> Tensor:
    return x.gather(1, places.unsqueeze(-1).expand(-1, -1, x.shape[2]))


def linear_scan(decay: Tensor, drive: Tensor, start: Tensor) -> Tensor:
    """Return all states h_1 ... h_T of h_t = decay_t h_{t-1} + drive_t.

    Args:
        decay: [B, T, ...].
        drive: [B, T, ...].
        start: h_0, [B, ...].

    Returns:
        States [B, T, ...].
    """
    if is_tracing():
        states = []
        for factor, term in zip(decay.unbind(1), drive.unbind(1), strict=True):
            start = torch.addcmul(term, factor, start)
            states.append(start)
        return torch.stack(states, dim=1)
    scanned: Tensor = _LinearScan.apply(  # type: ignore[no-untyped-call]
        decay.transpose(0, 1), drive.transpose(0, 1), start
    )
    return scanned.transpose(0, 1)


class _LinearScan(torch.autograd.Function):
    """The recurrence with time as the first axis: [T, B, ...]."""

    @staticmethod
    def forward(ctx: Any, decay: Tensor, drive: Tensor, start: Tensor) -> Tensor:
        decay = decay.contiguous()
        states = drive.clone(memory_format=torch.contiguous_format)
        before = start
        for state, by in zip(states.unbind(0), decay.unbind(0), strict=True):
            before = state.addcmul_(by, before)
        ctx.save_for_backward(decay, start, states)
        return states

    @staticmethod
    @once_differentiable
    @backward_without_autocast
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        decay, start, states = ctx.saved_tensors
        drives = grad.clone(memory_format=torch.contiguous_format)
        steps = list(drives.unbind(0))
        for t in range(len(steps) - 1, 0, -1):
            steps[t - 1].addcmul_(decay[t], steps[t])
        before = torch.cat([start.unsqueeze(0), states[:-1]])
        return drives * before, drives, drives[0] * decay[0]
