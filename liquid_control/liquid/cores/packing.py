"""Masks for architectures that compute all steps of a sequence at once.

The steps that count are moved to the front of their sequence, in order; an architecture then needs
to know only how many there are. The others lie behind and, being later, change nothing before.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Run = Callable[[Tensor, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""Features [B, T, I], state [B, S], dt [B, T], steps that count [B] or None for all T."""


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
    """Run a sequence in pieces of at most `length` steps, so that memory grows linearly in T."""
    outputs = []
    for start in range(0, x.shape[1], length):
        part = slice(start, start + length)
        left = None if count is None else (count - start).clamp(0, x[:, part].shape[1])
        output, state = run(x[:, part], state, dt[:, part], left)
        outputs.append(output)
    return torch.cat(outputs, dim=1), state


def slide(past: Tensor, new: Tensor, count: Tensor | None) -> tuple[Tensor, Tensor]:
    """Append new steps to a buffer of past ones.

    Args:
        past: [B, P, C], the oldest first.
        new: [B, T, C].
        count: how many of the new steps count, [B]; None for all.

    Returns:
        Both in a row [B, P + T, C], and the buffer afterwards [B, P, C].
    """
    joined = torch.cat([past, new], dim=1)
    if count is None:
        return joined, joined[:, new.shape[1] :]
    places = count[:, None] + torch.arange(past.shape[1], device=past.device)
    return joined, _along(joined, places)


def counted(x: Tensor, count: Tensor | None) -> Tensor | None:
    """Return which steps of x [B, T, ...] count, bool [B, T]; None for all."""
    return None if count is None else torch.arange(x.shape[1], device=x.device) < count[:, None]


def _along(x: Tensor, places: Tensor) -> Tensor:
    return x.gather(1, places.unsqueeze(-1).expand(-1, -1, x.shape[2]))
