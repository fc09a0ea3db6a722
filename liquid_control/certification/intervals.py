"""Interval arithmetic on float64 arrays with outward rounding.

An interval is a pair of arrays, `lower` and `upper`. By the fundamental theorem of interval
analysis (Moore, Kearfott, Cloud 2009, Introduction to Interval Analysis, theorem 5.1) the
composition of such operations encloses the range of the composed function. NumPy rounds to
nearest, so results are widened: sums of products by the error bound gamma_n of Higham 2002
(Accuracy and Stability of Numerical Algorithms, lemma 3.1), all others by 2^-44 of one plus their
magnitude, more than 64 roundings of 2^-53. `numpy.tanh` is taken to err by at most 2^-50.
The checker of certificates (`liquid_control.certification.checker`) relies on none of this.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats

UNIT_ROUNDOFF = 2.0**-53
UNIT_ROUNDOFF_32 = 2.0**-24
_WIDENING = 2.0**-44
_TANH_ERROR = 2.0**-50


class Interval(NamedTuple):
    """Lower and upper bounds, arrays of one shape."""

    lower: Floats
    upper: Floats

    @property
    def magnitude(self) -> Floats:
        """Largest absolute value."""
        return np.maximum(np.abs(self.lower), np.abs(self.upper))

    def contains(self, other: "Interval") -> bool:
        """Return whether another interval lies within this one, element by element."""
        return bool(np.all(self.lower <= other.lower) and np.all(other.upper <= self.upper))


def gamma(count: int | NDArray[np.int64], unit: float = UNIT_ROUNDOFF) -> Floats:
    """Return n u / (1 - n u), the relative error bound of n roundings (Higham 2002, lemma 3.1)."""
    product = np.asarray(count, np.float64) * unit
    return product / (1.0 - product)


def outward(lower: Floats, upper: Floats) -> Interval:
    """Return an interval widened by the rounding of the operations that gave its ends."""
    return Interval(
        lower - _WIDENING * (1.0 + np.abs(lower)), upper + _WIDENING * (1.0 + np.abs(upper))
    )


def linear(weight: Floats, bias: Floats, values: Interval) -> Interval:
    """Return the range of `weight @ z + bias` over a box.

    The form of midpoint and radius is that of Rump 1999 (doi 10.1023/A:1022374804152).

    Args:
        weight: [R, K].
        bias: [R].
        values: [B, K].

    Returns:
        [B, R].
    """
    centre = 0.5 * (values.lower + values.upper)
    radius = np.maximum(values.upper - centre, centre - values.lower)
    size = np.abs(weight)
    middle = centre @ weight.T + bias
    spread = radius @ size.T
    error = gamma(weight.shape[1] + 8) * (np.abs(centre) @ size.T + np.abs(bias) + spread)
    return outward(middle - spread - error, middle + spread + error)


def multiply(a: Interval, b: Interval) -> Interval:
    """Return the range of a product."""
    products = (a.lower * b.lower, a.lower * b.upper, a.upper * b.lower, a.upper * b.upper)
    return outward(np.minimum.reduce(products), np.maximum.reduce(products))


def add(*parts: Interval) -> Interval:
    """Return the range of a sum."""
    lower, upper = parts[0]
    for part in parts[1:]:
        lower, upper = lower + part.lower, upper + part.upper
    return outward(lower, upper)


def tanh(values: Interval) -> Interval:
    """Return the range of tanh, which increases."""
    return Interval(
        np.maximum(np.tanh(values.lower) - _TANH_ERROR, -1.0),
        np.minimum(np.tanh(values.upper) + _TANH_ERROR, 1.0),
    )


def sigmoid(values: Interval) -> Interval:
    """Return the range of the logistic function, (1 + tanh(v / 2)) / 2."""
    half = tanh(Interval(0.5 * values.lower, 0.5 * values.upper))
    return Interval(0.5 * (1.0 + half.lower), 0.5 * (1.0 + half.upper))


def quadratic(values: Interval) -> Interval:
    """Return the range of 1 - y^2 for y within [-1, 1]."""
    largest = values.magnitude
    inside = (values.lower <= 0.0) & (values.upper >= 0.0)
    least = np.where(inside, 0.0, np.minimum(np.abs(values.lower), np.abs(values.upper)))
    return _not_negative(outward(1.0 - largest * largest, 1.0 - least * least))


def gate_product(gate: Interval) -> Interval:
    """Return the range of s (1 - s) for s within [0, 1]."""
    ends = gate.lower * (1.0 - gate.lower), gate.upper * (1.0 - gate.upper)
    inside = (gate.lower <= 0.5) & (gate.upper >= 0.5)
    largest = np.where(inside, 0.25, np.maximum(*ends))
    return _not_negative(outward(np.minimum(*ends), largest))


def _not_negative(values: Interval) -> Interval:
    return Interval(np.maximum(values.lower, 0.0), np.maximum(values.upper, 0.0))
