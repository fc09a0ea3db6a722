"""Optional inputs of the controller: values, order, refusals, mirroring."""

import math

import numpy as np
import pytest

from liquid_control.errors import ObservationError
from liquid_control.frames import quaternion_from_euler
from liquid_control.perception import (
    INPUTS,
    MIRRORED_INPUTS,
    input_columns,
    input_size,
    input_values,
    known_inputs,
    readings_of,
    with_readings,
)
from liquid_control.types import ImuWindow, Observation

pytestmark = pytest.mark.unit


def observe(**readings):
    return Observation(0, np.zeros((2, 2, 3), np.uint8), ImuWindow.empty(), **readings)


def full(roll=0.06, pitch=-0.12, yaw=2.0):
    return observe(
        cruise_mps=1.5,
        range_m=1.75,
        orientation=quaternion_from_euler(roll, pitch, yaw),
        mount=(110.0, 30.0),
    )


def test_values_are_scaled_and_in_the_declared_order():
    values = input_values(("mount", "cruise_speed", "attitude", "range"), full())
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, [1.0, 1.0, 0.5, 0.2, -0.4, 0.25], atol=1e-6)
    assert input_size(("mount", "attitude")) == 4
    assert input_values((), observe()).shape == (0,)


def test_attitude_does_not_depend_on_the_heading():
    one, two = (input_values(("attitude",), full(yaw=yaw)) for yaw in (0.0, -3.0))
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_columns_select_from_all_known_inputs():
    known = known_inputs(full())
    for names in (tuple(INPUTS), ("attitude", "cruise_speed"), ()):
        expected = input_values(names, full())
        np.testing.assert_array_equal(known[input_columns(names)], expected)
    assert np.isnan(known_inputs(observe())).all()


def test_values_are_limited():
    assert input_values(("range",), observe(range_m=80.0)).tolist() == [3.0]


@pytest.mark.parametrize("name", INPUTS)
def test_a_missing_input_is_named_with_its_source(name):
    with pytest.raises(ObservationError, match=f"needs the input {name}, from .*; got none"):
        input_values((name,), observe())


def test_an_input_that_is_not_finite_is_refused():
    with pytest.raises(ObservationError, match="expected a finite input range"):
        input_values(("range",), observe(range_m=math.nan))


def test_the_mirrored_picture_has_the_opposite_roll():
    left, right = (known_inputs(full(roll=roll)) for roll in (0.1, -0.1))
    np.testing.assert_allclose(left * MIRRORED_INPUTS, right, atol=1e-6)


def test_a_range_and_a_field_of_view_have_the_bits_of_their_messages():
    """A sensor_msgs/Range holds a float32; a CameraInfo holds a focal length."""
    for range_m in np.random.default_rng(0).uniform(0.1, 8.0, 200):
        values = [
            input_values(("range",), observe(range_m=value))
            for value in (float(range_m), float(np.float32(range_m)))
        ]
        np.testing.assert_array_equal(*values)
    for fov_deg in (90.0, 83.27361940281, 70.0, 110.0):
        focal_px = 48.0 / math.tan(math.radians(0.5 * fov_deg))
        received_deg = 2.0 * math.degrees(math.atan(48.0 / focal_px))
        values = [
            input_values(("mount",), observe(mount=(value, 17.3)))
            for value in (fov_deg, received_deg)
        ]
        np.testing.assert_array_equal(*values)


def test_readings_are_recorded_and_restored_with_every_digit():
    readings = readings_of(tuple(INPUTS), full())
    assert list(readings)[:2] == ["cruise_mps", "range_m"]
    assert len(readings) == 8
    restored = with_readings(observe(), readings)
    np.testing.assert_array_equal(known_inputs(restored), known_inputs(full()))
    assert restored.mount == (110.0, 30.0)
    assert restored.range_m == 1.75


def test_a_reading_that_was_missing_is_refused_when_it_is_restored():
    readings = readings_of(("range",), observe())
    assert math.isnan(readings["range_m"])
    restored = with_readings(full(), readings)
    assert restored.cruise_mps == 1.5
    with pytest.raises(ObservationError, match="expected a finite input range"):
        input_values(("range",), restored)


def test_readings_that_were_not_recorded_stay_as_they_are():
    assert with_readings(full(), {"range_m": 2.0, "orientation.x": 0.5}).range_m == 2.0
    kept = with_readings(full(), {"orientation.x": 0.5}).orientation
    np.testing.assert_array_equal(kept, full().orientation)
