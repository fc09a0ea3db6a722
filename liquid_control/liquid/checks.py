"""What a recurrent core accepts, checked once for every backend."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError


def check_step(
    inputs: int, neurons: int, x: Sequence[int], state: Sequence[int], dt: NDArray[Any]
) -> None:
    """Check the arguments of one step.

    Args:
        inputs: number of features that the core takes.
        neurons: size of its state.
        x: shape of the features, expected [B, inputs].
        state: shape of the state, expected [B, neurons].
        dt: elapsed seconds, expected [B], >= 0 and finite.

    Raises:
        CellError: something does not fit; the message says what was expected and what came.
    """
    if len(x) != 2 or x[1] != inputs:
        raise CellError(f"expected features of shape (batch, {inputs}), got {tuple(x)}")
    _check_state(x[0], neurons, state)
    _check_dt((x[0],), dt)


def check_sequence(
    inputs: int,
    neurons: int,
    x: Sequence[int],
    state: Sequence[int],
    dt: NDArray[Any],
    mask: NDArray[Any] | None,
) -> None:
    """Check the arguments of a sequence, as `check_step` with a time axis after the batch's.

    Raises:
        CellError: something does not fit; the message says what was expected and what came.
    """
    if len(x) != 3 or x[2] != inputs:
        raise CellError(f"expected features of shape (batch, time, {inputs}), got {tuple(x)}")
    _check_state(x[0], neurons, state)
    _check_dt((x[0], x[1]), dt)
    if mask is None:
        return
    if tuple(mask.shape) != (x[0], x[1]):
        raise CellError(f"expected a mask of shape {(x[0], x[1])}, got {tuple(mask.shape)}")
    if mask.dtype != np.bool_:
        raise CellError(f"expected a mask of booleans, got {mask.dtype}")


def _check_state(batch: int, neurons: int, state: Sequence[int]) -> None:
    if tuple(state) != (batch, neurons):
        raise CellError(f"expected a state of shape {(batch, neurons)}, got {tuple(state)}")


def _check_dt(shape: tuple[int, ...], dt: NDArray[Any]) -> None:
    if np.shape(dt) != shape:
        raise CellError(f"expected dt of shape {shape}, got {np.shape(dt)}")
    valid = np.isfinite(dt) & (np.asarray(dt) >= 0.0)
    if not valid.all():
        bad = np.asarray(dt)[~valid].flat[0]
        raise CellError(f"expected dt in seconds, finite and >= 0, got {bad}")
