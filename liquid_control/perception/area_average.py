"""Average a large picture over areas, exactly and fast.

What a pixel of the small picture covers is summed in integers, pixels on the edges by their share.
OpenCV's INTER_AREA does the same in float32, a value at a time. Sizes whose ratio is a small
fraction, as 640:96 = 20:3, repeat after a few rows and columns, so that here a few operations on
whole pictures and one small product do. Sums stay below 2^24, where float32 still counts every
integer. They are divided once, by at most 255^2: what is not half way between two values is at
least 1 / (2 255^2) away from it, farther than the 2^-17 that float32 rounds by below 256. So the
result is exact, and the same on every machine, in whatever order it is summed.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Pixels

MOST_PARTS = 12
"""Pixels of the small picture after which the pattern must repeat."""
LONGEST_PERIOD = 255
"""Pixels of the large one: a sum is at most 255 of them down and across, below 2^24 in all."""


def is_simple(size: int, wanted: int) -> bool:
    """Return whether a side is shrunk by at least 2 in a ratio that `area_average` is made for.

    Whole numbers are left to OpenCV, which has code of their own for them.
    """
    period = gcd(size, wanted)
    parts = wanted // period
    return size >= 2 * wanted and 1 < parts <= MOST_PARTS and size // period <= LONGEST_PERIOD


def area_average(image: Pixels, width: int, height: int) -> Pixels:
    """Return a smaller picture, each value the mean over its area, rounded half to even.

    Args:
        image: uint8 [H, W, 3].
        width: wanted, pixels; `is_simple(W, width)`.
        height: wanted, pixels; `is_simple(H, height)`.

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
    """Return the sum over an area's rows, uint16 [P, W * 3]: whole ones count `whole`."""
    total: NDArray[np.uint16] = lines[:, first + 1 : last].sum(axis=1, dtype=np.uint16)
    total *= np.uint16(whole)
    total += np.multiply(lines[:, first], np.uint16(first_weight), dtype=np.uint16)
    total += np.multiply(lines[:, last], np.uint16(last_weight), dtype=np.uint16)
    return total


@lru_cache(maxsize=16)
def _parts(size: int, wanted: int) -> tuple[tuple[int, int, int, int, int], ...]:
    """Return first and last pixel of each area of a period, their weights and that of a whole one.

    In units in which a pixel is q wide and an area p, for size : wanted = p : q. An area is at
    least two pixels wide, so that its first and last are never the same.
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
    """Return the weights of a period across, float32 [p * 3, q * 3], channels apart."""
    period = gcd(size, wanted)
    p, q = size // period, wanted // period
    weights = np.zeros((p, q), np.float32)
    for part, (first, first_weight, last, last_weight, whole) in enumerate(_parts(size, wanted)):
        weights[first + 1 : last, part] = whole
        weights[first, part], weights[last, part] = first_weight, last_weight
    return np.kron(weights, np.eye(3, dtype=np.float32)).astype(np.float32)
