"""Faults of drivers as texts: values, rejections, times."""

import math

import pytest

from liquid_control.config.driver_faults import DriverFault, DriverFaultKind, parse_driver_faults
from liquid_control.errors import ConfigError

pytestmark = pytest.mark.unit


def test_a_text_is_a_fault_and_a_fault_is_its_text():
    (fault,) = parse_driver_faults(["imu/data:frozen:5:2.5"])
    assert fault == DriverFault("imu/data", DriverFaultKind.FROZEN, 5.0, 2.5)
    assert parse_driver_faults([str(fault)]) == (fault,)
    (lasting,) = parse_driver_faults(["clock:jumped:0:inf"])
    assert lasting.duration_s == math.inf


def test_a_fault_acts_from_its_start_to_before_its_end():
    (fault,) = parse_driver_faults(["imu/data:silent:1:0.5"])
    stamps = [999_999_999, 1_000_000_000, 1_499_999_999, 1_500_000_000]
    assert [fault.active(stamp) for stamp in stamps] == [False, True, True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("imu/data:frozen:5", "expected topic:kind:start:duration"),
        ("imu:frozen:5:2", "expected a topic of camera/image_raw"),
        ("imu/data:cold:5:2", "expected a kind of silent"),
        ("imu/data:frozen:-1:2", "expected a start of 0 s or later"),
        ("imu/data:frozen:1:0", "duration above 0 s"),
        ("imu/data:frozen:soon:2", "expected a start"),
        (
            "camera/image_raw:not_finite:1:2",
            "possible for camera/camera_info, imu/data, odom",
        ),
        ("odom:garbage:1:2", "possible for camera/image_raw, imu/data only"),
    ],
)
def test_texts_that_mean_nothing_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_driver_faults([text])
