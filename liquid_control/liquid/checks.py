"""Checks of the arguments of a recurrent core, shared by every backend."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError

Shape = Sequence[int]


def check_integers(**values: object) -> None:
    """Raise CellError unless every named value is an integer; a bool is none."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise CellError(f"expected {name} as an integer, got {value!r}")


def check_count(name: str, value: int, *, least: int = 1) -> None:
    """Raise CellError unless a value is an integer and at least `least`."""
    check_integers(**{name: value})
    if value < least:
        raise CellError(f"expected {name} >= {least}, got {value}")


def check_sizes(**sizes: int) -> None:
    """Raise CellError unless every named size is an integer and at least 1."""
    for name, size in sizes.items():
        check_count(name, size)


def check_step(inputs: int, neurons: int, x: Shape, state: Shape, dt: Shape) -> None:
    """Check the shapes of one step.

    Args:
        inputs: number of features that the core takes.
        neurons: size of its state.
        x: shape of the features, expected [B, inputs].
        state: shape of the state, expected [B, neurons].
        dt: shape of the elapsed seconds, expected [B].

    Raises:
        CellError: a shape does not fit; the message states the expected and the received shape.
    """
    if len(x) != 2 or x[1] != inputs:
        raise CellError(f"expected features of shape (batch, {inputs}), got {tuple(x)}")
    _check_shape("a state", state, (x[0], neurons))
    _check_shape("dt", dt, (x[0],))


def check_sequence(
    inputs: int, neurons: int, x: Shape, state: Shape, dt: Shape, mask: Shape | None
) -> None:
    """Check the shapes of a sequence: as `check_step`, with a time axis after the batch axis.

    Raises:
        CellError: a shape does not fit; the message states the expected and the received shape.
    """
    if len(x) != 3 or x[2] != inputs:
        raise CellError(f"expected features of shape (batch, time, {inputs}), got {tuple(x)}")
    _check_shape("a state", state, (x[0], neurons))
    _check_shape("dt", dt, (x[0], x[1]))
    if mask is not None:
        _check_shape("a mask", mask, (x[0], x[1]))


def check_elapsed(dt: NDArray[Any]) -> None:
    """Raise CellError unless all elapsed seconds are finite and >= 0."""
    valid = np.isfinite(dt) & (np.asarray(dt) >= 0.0)
    if not valid.all():
        bad = np.asarray(dt)[~valid].flat[0]
        raise CellError(f"expected dt in seconds, finite and >= 0, got {bad}")


def check_finite(name: str, values: NDArray[Any]) -> None:
    """Raise CellError unless all values are finite; the message states the first and its index."""
    finite = np.isfinite(values)
    if not finite.all():
        place = tuple(int(index) for index in np.argwhere(~finite)[0])
        raise CellError(f"expected {name} of finite numbers, got {values[place]:g} at {place}")


def check_mask_type(dtype: object, boolean: object) -> None:
    """Raise CellError unless the dtype of a mask is the backend's boolean dtype."""
    if dtype != boolean:
        raise CellError(f"expected a mask of booleans, got {dtype}")


def _check_shape(name: str, got: Shape, expected: tuple[int, ...]) -> None:
    if tuple(got) != expected:
        raise CellError(f"expected {name} of shape {expected}, got {tuple(got)}")
