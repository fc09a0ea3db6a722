"""Shrink a picture by exact averages over areas.

The pixels under each output pixel are summed in integers; pixels on an edge are weighted by the
fraction covered. OpenCV's INTER_AREA computes the same in float32, one value at a time. If the
ratio of sizes is a small fraction, such as 640:96 = 20:3, the weights repeat after a few rows and
columns. A few operations on whole pictures and one small matrix product then suffice. Sums stay
below 2^24, where float32 represents every integer. They are divided once, by at most 255^2: a
value that is not half way between two integers is at least 1 / (2 255^2) away from that point,
more than the rounding error of float32 below 256, 2^-17. So the result is exact, on every machine
and in any summation order.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Pixels

MAX_PARTS = 12
"""Largest period of the weights in pixels of the small picture."""
MAX_PERIOD = 255
"""Largest period in pixels of the large picture: a sum of 255 x 255 pixels is below 2^24."""


def is_simple(size: int, wanted: int) -> bool:
    """Return whether `area_average` supports the ratio of a side: at least 2, a small fraction.

    Integer ratios are excluded: OpenCV has special code for them.
    """
    period = gcd(size, wanted)
    parts = wanted // period
    return size >= 2 * wanted and 1 < parts <= MAX_PARTS and size // period <= MAX_PERIOD


def area_average(image: Pixels, width: int, height: int) -> Pixels:
    """Return a smaller picture; each value is the mean over its area, rounded half to even.

    Args:
        image: uint8 [H, W, 3].
        width: output width, pixels; requires `is_simple(W, width)`.
        height: output height, pixels; requires `is_simple(H, height)`.

    Returns:
        uint8 [height, width, 3].
    """
    rows, columns = image.shape[:2]
    periods = gcd(rows, height)
    lines = np.ascontiguousarray(image).reshape(periods, rows // periods, columns * 3)
    summed = np.stack([_weighted(lines, *part) for part in _parts(rows, height)], axis=1)
    across = gcd(columns, width)
    strips = summed.reshape(height * across, columns // across * 3).astype(np.float32)
    totals = strips @ _product(columns, width)
    totals /= np.float32(rows // periods * (columns // across))
    rounded = np.rint(totals, out=totals).astype(np.uint8)
    return np.asarray(rounded.reshape(height, width, 3), np.uint8)


def _weighted(
    lines: Pixels, first: int, first_weight: int, last: int, last_weight: int, whole: int
) -> NDArray[np.uint16]:
    """Return the weighted sum of an area's rows, uint16 [P, W * 3]; inner rows weigh `whole`."""
    total: NDArray[np.uint16] = lines[:, first + 1 : last].sum(axis=1, dtype=np.uint16)
    total *= np.uint16(whole)
    total += np.multiply(lines[:, first], np.uint16(first_weight), dtype=np.uint16)
    total += np.multiply(lines[:, last], np.uint16(last_weight), dtype=np.uint16)
    return total


@lru_cache(maxsize=16)
def _parts(size: int, wanted: int) -> tuple[tuple[int, int, int, int, int], ...]:
    """Return, for each area of a period, first and last pixel with weights, and the inner weight.

    Each row is (first, first weight, last, last weight, inner weight), in units in which a pixel
    is q wide and an area p wide, for size : wanted = p : q. An area is at least two pixels wide,
    so its first and last pixel differ.
    """
    period = gcd(size, wanted)
    p, q = size // period, wanted // period
    parts = []
    for part in range(q):
        start, end = part * p, (part + 1) * p
        first, last = start // q, (end - 1) // q
        parts.append((first, (first + 1) * q - start, last, end - last * q, q))
    return tuple(parts)


@lru_cache(maxsize=16)
def _product(size: int, wanted: int) -> NDArray[np.float32]:
    """Return the column weights of a period, float32 [p * 3, q * 3]; channels do not mix."""
    period = gcd(size, wanted)
    p, q = size // period, wanted // period
    weights = np.zeros((p, q), np.float32)
    for part, (first, first_weight, last, last_weight, whole) in enumerate(_parts(size, wanted)):
        weights[first + 1 : last, part] = whole
        weights[first, part], weights[last, part] = first_weight, last_weight
    return np.kron(weights, np.eye(3, dtype=np.float32)).astype(np.float32)
