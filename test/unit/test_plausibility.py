import math

import numpy as np
import pytest

from liquid_control.errors import ObservationError
from liquid_control.plausibility import (
    ImuRange,
    check_features,
    measured_orientation,
    measured_range,
)
from liquid_control.types import ImuWindow

pytestmark = pytest.mark.unit

RANGE = ImuRange(40.0, 200.0)


def window(rates, forces) -> ImuWindow:
    stamps = np.arange(len(rates), dtype=np.int64)
    return ImuWindow(stamps, np.array(rates, float), np.array(forces, float))


def test_samples_at_the_ends_of_the_range_pass():
    RANGE.check(window([[40.0, -40.0, 0.0]], [[200.0, 0.0, -200.0]]))
    RANGE.check(ImuWindow.empty())


@pytest.mark.parametrize("value", [1e30, -40.1, np.nan, np.inf])
def test_a_rate_out_of_range_is_named_with_value_and_axis(value):
    message = rf"angular velocity of at most 40 rad/s, got {value:g} rad/s on y".replace(
        "+", r"\+"
    )
    with pytest.raises(ObservationError, match=message):
        RANGE.check(window([[0, 0, 0], [0, value, 0]], [[0, 0, 9.81]] * 2))


def test_a_force_out_of_range_is_named_with_value_and_axis():
    with pytest.raises(ObservationError, match=r"at most 200 m/s\^2, got -9810 m/s\^2 on z"):
        RANGE.check(window([[0, 0, 0]], [[0, 0, -9810.0]]))


def features(picture=0.5, imu=0.5):
    return np.array([0.1, picture, 0.2, imu], np.float32)


def test_features_at_the_ends_of_the_range_pass():
    check_features(features(-1.0, 3.0), 2, 1.0, 3.0)
    check_features(features(np.nextafter(np.float32(1), np.float32(2)), 3.0), 2, 1.0, 3.0)


def test_features_of_an_unusable_frame_pass_to_the_session():
    check_features(np.full(4, np.nan, np.float32), 2, 1.0, 3.0)


@pytest.mark.parametrize(("name", "limit"), [("picture", "1"), ("IMU", "3")])
@pytest.mark.parametrize("value", [50.0, -np.inf])
def test_features_out_of_range_are_named(name, limit, value):
    bad = features(**{name.lower(): value})
    with pytest.raises(ObservationError, match=f"{name} of at most {limit}, got {value:g}"):
        check_features(bad, 2, 1.0, 3.0)


@pytest.mark.parametrize(
    ("quaternion", "covariance", "known"),
    [
        ((0.0, 0.0, 0.0, 1.0), 0.0, True),
        ((0.1, -0.2, 0.3, 0.95), 0.01, True),
        ((0.0, 0.0, 0.0, 1.0), -1.0, False),
        ((0.0, 0.0, 0.0, 0.0), 0.0, False),
        ((0.0, 0.0, math.nan, 1.0), 0.0, False),
    ],
)
def test_an_orientation_is_a_unit_quaternion_with_a_covariance(quaternion, covariance, known):
    found = measured_orientation(quaternion, covariance)
    assert (found is not None) == known
    if found is not None:
        assert tuple(found) == quaternion


@pytest.mark.parametrize(
    ("reading", "limits", "expected"),
    [
        (1.5, (0.1, 8.0), 1.5),
        (0.05, (0.1, 8.0), None),
        (9.0, (0.1, 8.0), None),
        (9.0, (0.0, 0.0), 9.0),
        (math.inf, (0.1, 8.0), None),
        (math.nan, (0.0, 0.0), None),
    ],
)
def test_a_range_is_finite_and_within_the_limits_of_its_sensor(reading, limits, expected):
    assert measured_range(reading, *limits) == expected
