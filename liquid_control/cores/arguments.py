"""Checks of a core's arguments before any arithmetic, the same for all cores.

Types, dtypes and shapes are always checked. Values (NaN, infinity, negative dt) are checked unless
PyTorch traces: one sum of the features and of the state and the least and greatest dt, together
about 20 us for 32 sequences of 64 steps.
"""

from math import isfinite
from numbers import Real

import torch
from torch import Tensor

from liquid_control.cores.execution import LOW_PRECISION, is_tracing
from liquid_control.errors import CellError
from liquid_control.liquid.checks import check_elapsed, check_finite


def check_tensors(x: Tensor, *state: Tensor) -> None:
    """Raise CellError unless features and state are tensors of a floating-point dtype."""
    _check_tensor("features", x)
    for values in state:
        _check_tensor("a state, such as init_state(batch),", values)


def elapsed_tensor(dt: Tensor | float, x: Tensor, axes: int) -> Tensor:
    """Return elapsed seconds as a tensor; one number, or a tensor without axes, is for all steps.

    Args:
        dt: elapsed seconds.
        x: features, of which the first axes are those of the elapsed seconds.
        axes: their number.

    Raises:
        CellError: dt is neither a number nor a tensor of a floating-point dtype.
    """
    if isinstance(dt, Tensor):
        _check_tensor("dt", dt)
        return dt if dt.dim() else dt.expand(x.shape[:axes])
    if isinstance(dt, bool) or not isinstance(dt, Real):
        raise CellError(f"expected dt in seconds as a number or a tensor, got {type(dt).__name__}")
    return x.new_full(x.shape[:axes], float(dt), dtype=torch.float64)


def without_hidden(x: Tensor, dt: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return features [B, T, I] and dt [B, T] with zeros at masked steps, also for gradients."""
    return torch.where(mask.unsqueeze(-1), x, 0.0), torch.where(mask, dt, 0.0)


def check_values(x: Tensor, state: Tensor, dt: Tensor) -> None:
    """Raise CellError unless features and state are finite, and dt is finite and >= 0."""
    if is_tracing():
        return
    x, state, dt = x.detach(), state.detach(), dt.detach()
    if dt.numel():
        least, greatest = torch.aminmax(dt)
        if not (float(least) >= 0.0 and isfinite(float(greatest))):
            values = dt.cpu()
            check_elapsed((values.float() if dt.dtype in LOW_PRECISION else values).numpy())
    _check_sum("features", x)
    _check_sum("a state", state)


def _check_tensor(name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise CellError(f"expected {name} as a tensor, got {type(value).__name__}")
    if not value.is_floating_point():
        raise CellError(f"expected {name} of a floating-point dtype, got {value.dtype}")


def _check_sum(name: str, values: Tensor) -> None:
    """Check the sum first: it is finite only if all values are."""
    if not isfinite(float(values.sum())):
        check_finite(name, values.cpu().double().numpy())
