import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.calibration.rotation import GAP_S, GyroRotation, rotations_of
from liquid_control.types import ImuWindow

pytestmark = pytest.mark.unit


def test_a_quarter_turn_about_z_leads_x_to_y():
    turned = rotations_of(np.array([[0.0, 0.0, np.pi / 2]]))[0]
    np.testing.assert_allclose(turned @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3))
def test_rotations_are_orthogonal(vector):
    matrix = rotations_of(np.array([vector]))[0]
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1.0)


def test_a_constant_rate_is_integrated_exactly_at_and_between_samples():
    stamps = np.arange(0.0, 2.0, 0.01)
    gyro = GyroRotation(stamps, np.tile([0.0, 0.0, 0.5], (len(stamps), 1)))
    times = np.array([0.0, 0.333, 1.99])
    turned = gyro.integrated(np.zeros(3)).at(times)
    expected = rotations_of(np.outer(times, [0.0, 0.0, 0.5]))
    np.testing.assert_allclose(turned, expected, atol=1e-12)


def test_the_bias_is_subtracted():
    stamps = np.arange(0.0, 1.0, 0.01)
    gyro = GyroRotation(stamps, np.tile([0.1, -0.2, 0.3], (len(stamps), 1)))
    still = gyro.integrated(np.array([0.1, -0.2, 0.3])).at(np.array([0.77]))
    np.testing.assert_allclose(still[0], np.eye(3), atol=1e-12)


def test_products_do_not_depend_on_the_blocks():
    stamps = np.arange(60) * 0.01
    rates = np.random.default_rng(3).normal(0.0, 2.0, (60, 3))
    whole = GyroRotation(stamps, rates).integrated(np.zeros(3)).totals
    step = np.eye(3)
    for index in range(59):
        middle = 0.5 * (rates[index] + rates[index + 1]) * 0.01
        step = step @ rotations_of(middle[None])[0]
    np.testing.assert_allclose(whole[-1], step, atol=1e-12)


def test_intervals_with_a_gap_or_outside_are_not_covered():
    stamps = np.concatenate([np.arange(0.0, 1.0, 0.01), np.arange(1.0 + 2 * GAP_S, 2.0, 0.01)])
    gyro = GyroRotation(stamps, np.zeros((len(stamps), 3)))
    begin = np.array([0.1, 0.9, 1.5, -0.1, 1.5])
    end = np.array([0.4, 1.5, 1.8, 0.2, 2.5])
    assert gyro.covers(begin, end).tolist() == [True, False, True, False, False]


def test_samples_that_go_back_in_time_are_left_out():
    stamps = np.array([0, 10, 5, 10, 20], np.int64) * 1_000_000
    window = ImuWindow(stamps, np.arange(15.0).reshape(5, 3), np.zeros((5, 3)))
    gyro = GyroRotation.of(window, 0)
    np.testing.assert_allclose(gyro.stamps_s, [0.0, 0.01, 0.02])
    np.testing.assert_allclose(gyro.rates[:, 0], [0.0, 3.0, 12.0])
    assert len(GyroRotation.of(ImuWindow.empty(), 0).stamps_s) == 0
