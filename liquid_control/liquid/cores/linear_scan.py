"""The recurrence h_t = decay_t h_{t-1} + drive_t, element by element, for a whole sequence.

One fused multiply-add a step, forward and backward, and nothing kept but the states.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def linear_scan(decay: Tensor, drive: Tensor, start: Tensor) -> Tensor:
    """Return all states h_1 ... h_T.

    Args:
        decay: [B, T, ...].
        drive: [B, T, ...].
        start: h_0, [B, ...].

    Returns:
        States [B, T, ...].
    """
    states: Tensor = _LinearScan.apply(  # type: ignore[no-untyped-call]
        decay.transpose(0, 1), drive.transpose(0, 1), start
    )
    return states.transpose(0, 1)


class _LinearScan(torch.autograd.Function):
    """The recurrence with time first: [T, B, ...]."""

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
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        decay, start, states = ctx.saved_tensors
        drives = grad.clone(memory_format=torch.contiguous_format)
        steps = list(drives.unbind(0))
        for t in range(len(steps) - 1, 0, -1):
            steps[t - 1].addcmul_(decay[t], steps[t])
        before = torch.cat([start.unsqueeze(0), states[:-1]])
        return drives * before, drives, drives[0] * decay[0]
