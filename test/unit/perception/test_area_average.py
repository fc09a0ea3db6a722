"""Exact area averages against fractions, integers and OpenCV."""

from fractions import Fraction
from math import gcd

import cv2
import numpy as np
import pytest

from liquid_control.perception import CameraView, fit
from liquid_control.perception.area_average import MAX_PARTS, MAX_PERIOD, area_average, is_simple

pytestmark = pytest.mark.unit


def fractions(size, wanted):
    """Return the fraction of each area that each pixel covers, exactly."""
    scale = Fraction(size, wanted)
    rows = np.empty((wanted, size), dtype=object)
    for area in range(wanted):
        for pixel in range(size):
            low, high = max(area * scale, pixel), min((area + 1) * scale, pixel + 1)
            rows[area, pixel] = max(Fraction(0), high - low) / scale
    return rows


@pytest.mark.parametrize("sizes", [((20, 40), (3, 6)), ((33, 65), (12, 15)), ((25, 35), (10, 14))])
def test_values_are_exact_means_over_areas(sizes):
    (rows, columns), (height, width) = sizes
    image = np.random.default_rng(1).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    exact = np.einsum(
        "ay,bx,yxc->abc", fractions(rows, height), fractions(columns, width), image.astype(object)
    )
    rounded = np.vectorize(round)(exact).astype(np.uint8)
    np.testing.assert_array_equal(area_average(image, width, height), rounded)


RATIOS = [
    (p, q) for q in range(2, MAX_PARTS + 1) for p in range(2 * q, MAX_PERIOD + 1) if gcd(p, q) == 1
]
"""All supported ratios of sides, in lowest terms."""


def overlaps(p, q):
    """Return the overlap of q areas, p wide, with p pixels, q wide: int [q, p]."""
    area, pixel = np.arange(q)[:, None] * p, np.arange(p) * q
    return np.clip(np.minimum(area + p, pixel + q) - np.maximum(area, pixel), 0, None)


def round_half_even(total, count):
    """Return total / count in integers, rounded half to even."""
    whole, rest = np.divmod(total, count)
    return whole + ((2 * rest > count) | ((2 * rest == count) & (whole % 2 == 1)))


def test_values_are_exact_for_every_supported_ratio():
    """Noise between two neighbouring values, where means lie close to half way between them."""
    random = np.random.default_rng(7)
    assert len(RATIOS) > 1000
    for rows, height in RATIOS:
        columns, width = RATIOS[random.integers(len(RATIOS))]
        low = int(random.integers(0, 255))
        image = random.integers(low, low + 2, (rows, columns, 3), dtype=np.uint8)
        down, across = overlaps(rows, height), overlaps(columns, width)
        total = np.einsum("ay,bx,yxc->abc", down, across, image.astype(np.int64), optimize=True)
        expected = round_half_even(total, rows * columns)
        np.testing.assert_array_equal(area_average(image, width, height), expected)


@pytest.mark.parametrize(("base", "rounded"), [(6, 6), (7, 8)])
def test_exact_halves_round_to_even(base, rounded):
    """The first area of 8:3 weighs pixels by (3, 3, 2) in both axes: 32 of 64 are a half."""
    image = np.full((8, 8, 3), base, np.uint8)
    image[2, 2] += 5
    image[:2, 2] += 1
    assert area_average(image, 3, 3)[0, 0].tolist() == [rounded] * 3


@pytest.mark.parametrize(("width", "height"), [(640, 360), (1280, 720), (320, 180), (848, 477)])
def test_values_equal_opencv_up_to_rounding(width, height):
    image = np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)
    expected = cv2.resize(image, (96, 54), interpolation=cv2.INTER_AREA).astype(int)
    averaged = area_average(image, 96, 54).astype(int)
    assert np.abs(averaged - expected).max() <= 1
    assert (averaged != expected).mean() < 0.01


def test_extremes_do_not_overflow():
    for value in (0, 255):
        image = np.full((255, 255, 3), value, np.uint8)
        np.testing.assert_array_equal(area_average(image, 4, 4), np.full((4, 4, 3), value))
    assert is_simple(255, 4)
    assert not is_simple(257, 4)


def test_view_and_copy_of_a_picture_give_equal_values():
    large = np.random.default_rng(3).integers(0, 256, (480, 700, 3), dtype=np.uint8)
    part = large[60:420, 30:670]
    np.testing.assert_array_equal(area_average(part, 96, 54), area_average(part.copy(), 96, 54))


@pytest.mark.parametrize(
    ("size", "simple"), [(640, True), (96, False), (128, False), (192, False), (503, False)]
)
def test_supported_ratios(size, simple):
    assert is_simple(size, 96) is simple


def test_fit_uses_area_average_for_supported_ratios():
    view = CameraView(96, 54, 90.0)
    rng = np.random.default_rng(4)
    vga = rng.integers(0, 256, (360, 640, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fit(vga, view), area_average(vga, 96, 54))
    small = rng.integers(0, 256, (72, 128, 3), dtype=np.uint8)
    expected = cv2.resize(small, (96, 54), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(fit(small, view), expected)
    native = rng.integers(0, 256, (54, 96, 3), dtype=np.uint8)
    assert fit(native, view) is native
