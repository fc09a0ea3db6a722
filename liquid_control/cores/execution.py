"""Rules for how PyTorch runs a core: tracing, autocast and low-precision parameters."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

LOW_PRECISION = (torch.bfloat16, torch.float16)
"""Parameters may be stored in these; the computation takes place in float32."""

Backward = TypeVar("Backward", bound=Callable[..., tuple[Tensor | None, ...]])


def is_tracing() -> bool:
    """Return whether `torch.jit.trace`, `torch.export` or `torch.compile` records the computation.

    Python code must then not depend on the values of tensors. Checks of values are skipped, and
    hand-written `autograd.Function`s give way to plain operations.
    """
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return tracing or torch.compiler.is_compiling()


def is_exporting_onnx() -> bool:
    """Return whether ONNX export runs; some operations of torch have no counterpart there."""
    return is_tracing() and torch.onnx.is_in_onnx_export()


def autocast_disabled(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which autocast leaves the dtypes of operations on a device alone."""
    if torch.is_autocast_enabled(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def backward_without_autocast(backward: Backward) -> Backward:
    """Decorate the backward of an `autograd.Function` to run with autocast disabled.

    This matters where the loss is differentiated inside the `torch.autocast` block.
    """

    @wraps(backward)
    def run(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        with autocast_disabled(gradients[0].device):
            return backward(ctx, *gradients)

    return cast("Backward", run)
