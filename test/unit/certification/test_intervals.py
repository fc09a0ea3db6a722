import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.certification import exact_step, intervals
from liquid_control.certification.intervals import Interval

pytestmark = pytest.mark.unit
EXTREMES = [0.0, -0.0, 5e-324, 1e-300, 1e-8, 0.5, 1.0, 20.0, 700.0, 1e6]


def point(value):
    return Interval(np.array(value, float), np.array(value, float))


@pytest.mark.parametrize("x", [sign * value for value in EXTREMES for sign in (1.0, -1.0)])
def test_tanh_and_sigmoid_enclose_exact_values_at_the_extremes(x):
    with mpmath.workdps(60):
        exact, gate = mpmath.tanh(x), 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
        for found, value in (
            (intervals.tanh(point(x)), exact),
            (intervals.sigmoid(point(x)), gate),
        ):
            assert mpmath.mpf(float(found.lower)) <= value <= mpmath.mpf(float(found.upper))
            assert float(found.upper - found.lower) < 1e-14


@pytest.mark.parametrize("x", [sign * value for value in EXTREMES for sign in (1.0, -1.0)])
def test_the_checkers_tanh_encloses_exact_values_within_2_to_the_minus_60(x):
    low, high = exact_step.tanh((exact_step.units(x), exact_step.units(x, True)))
    with mpmath.workdps(80):
        scaled = mpmath.tanh(x) * mpmath.mpf(2) ** exact_step.P
        assert low <= scaled <= high
    assert high - low < 1 << (exact_step.P - 60)


def test_the_smallest_float32_is_exact_in_units():
    smallest = float(np.nextafter(np.float32(0), np.float32(1)))
    assert exact_step.units(smallest) == exact_step.units(smallest, True) == 2


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), st.integers(0, 10**6))
def test_linear_encloses_the_exact_sum_of_products(values, seed):
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(size=(1, 3)) * 10.0 ** rng.uniform(-6, 6, (1, 3)), rng.normal(size=1)
    box = Interval(np.array([values]), np.array([values]))
    found = intervals.linear(weight, bias, box)
    exact = sum(
        exact_step.Fraction(w) * exact_step.Fraction(v)
        for w, v in zip(weight[0].tolist(), values, strict=True)
    ) + exact_step.Fraction(float(bias[0]))
    assert exact_step.Fraction(float(found.lower[0, 0])) <= exact
    assert exact <= exact_step.Fraction(float(found.upper[0, 0]))


def test_a_rounded_product_stays_inside():
    third = Interval(np.array(1.0 / 3.0), np.array(1.0 / 3.0))
    found = intervals.multiply(third, third)
    exact = exact_step.Fraction(1.0 / 3.0) ** 2
    assert (
        exact_step.Fraction(float(found.lower)) < exact < exact_step.Fraction(float(found.upper))
    )


def test_ranges_of_the_quadratic_and_the_gate_product_by_hand():
    found = intervals.quadratic(Interval(np.array([-0.5, 0.2]), np.array([0.25, 0.4])))
    assert np.allclose(found.lower, [0.75, 0.84], atol=1e-12)
    assert np.allclose(found.upper, [1.0, 0.96], atol=1e-12)
    gate = intervals.gate_product(Interval(np.array([0.1, 0.8]), np.array([0.6, 0.9])))
    assert np.allclose(gate.lower, [0.09, 0.09], atol=1e-12)
    assert np.allclose(gate.upper, [0.25, 0.16], atol=1e-12)
