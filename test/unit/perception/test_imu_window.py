"""Features of IMU windows."""

import numpy as np
import pytest

from liquid_control.errors import ObservationError
from liquid_control.perception import imu_features
from liquid_control.types import ImuWindow

pytestmark = pytest.mark.unit


def window(rates, forces):
    stamps = np.arange(len(rates), dtype=np.int64)
    return ImuWindow(stamps, np.array(rates, float), np.array(forces, float))


def test_means_are_scaled():
    features = imu_features(
        window([[1.0, 0, -2.0], [3.0, 0, -2.0]], [[0, 4.905, 9.81], [9.81, 4.905, 19.62]])
    )
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, [1.0, 0.0, -1.0, 0.5, 0.5, 0.5], atol=1e-6)


def test_imu_at_rest_gives_zeros():
    np.testing.assert_allclose(imu_features(window([[0, 0, 0]], [[0, 0, 9.81]])), np.zeros(6))


def test_features_are_clipped_to_three():
    features = imu_features(window([[100.0, -100.0, 0]], [[0, 0, 9.81 * 9]]))
    np.testing.assert_array_equal(features, [3, -3, 0, 0, 0, 3])


def test_no_samples_give_zeros():
    empty = ImuWindow(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3)))
    np.testing.assert_array_equal(imu_features(empty), np.zeros(6, np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rejects_samples_that_are_not_finite(bad):
    with pytest.raises(ObservationError, match="finite IMU samples, got angular_velocity"):
        imu_features(window([[0, 0, 0], [bad, 0, 0]], [[0, 0, 9.81]] * 2))
    with pytest.raises(ObservationError, match="finite IMU samples, got linear_acceleration"):
        imu_features(window([[0, 0, 0]], [[0, 0, bad]]))
