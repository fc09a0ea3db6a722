"""Range sensor against geometry."""

import math

import numpy as np
import pytest

from liquid_control.config import RangeSettings
from liquid_control.frames import quaternion_from_euler
from liquid_control.types import VehicleState
from liquid_control_sim.place.terrain import Terrain
from liquid_control_sim.sensors.range_sensor import RangeSensor

pytestmark = pytest.mark.sim


def state(height=1.5, roll=0.0, pitch=0.0):
    quaternion = quaternion_from_euler(roll, pitch, 0.4)
    return VehicleState(np.array([3.0, 4.0, height]), quaternion, np.zeros(3), np.zeros(3))


def test_no_reading_without_a_sensor():
    assert RangeSensor(RangeSettings(), 0).measure(state()) is None


@pytest.mark.parametrize(("roll", "pitch"), [(0.0, 0.0), (0.3, 0.0), (0.0, -0.4), (0.3, 0.4)])
def test_distance_along_the_tilted_body(roll, pitch):
    sensor = RangeSensor(RangeSettings(enabled=True, noise_m=0.0), 0)
    expected = 1.5 / (math.cos(roll) * math.cos(pitch))
    assert sensor.measure(state(1.5, roll, pitch)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("roll", [1.5, 2.0, 3.1])
def test_no_reading_when_the_beam_misses_the_ground(roll):
    assert RangeSensor(RangeSettings(enabled=True), 0).measure(state(roll=roll)) is None


def test_noise_has_the_stated_deviation_and_depends_on_the_seed():
    settings = RangeSettings(enabled=True, noise_m=0.05)

    def readings(seed):
        sensor = RangeSensor(settings, seed)
        return [sensor.measure(state()) for _ in range(5000)]

    # The deviation deviates by 1 %, the mean by 0.7 mm: 6 % and 5 mm are above 5 deviations.
    first = readings(1)
    assert np.std(first) == pytest.approx(0.05, rel=0.06)
    assert np.mean(first) == pytest.approx(1.5, abs=0.005)
    assert first == readings(1)
    assert first != readings(2)


def test_readings_are_never_negative():
    sensor = RangeSensor(RangeSettings(enabled=True, noise_m=1.0), 0)
    readings = [sensor.measure(state(0.01)) for _ in range(100)]
    assert min(readings) == 0.0


@pytest.mark.parametrize("pitch", [0.0, 0.3, -0.3])
def test_distance_to_a_slope(pitch):
    # Near the origin this long wave is a plane of slope 0.2, up to the east. With the nose down by
    # p, the beam points down and back and meets the plane where z - d cos p = 0.2 (x - d sin p).
    plane = Terrain(np.array([(1e-5, 0.0, 0.0, 2e4)]))
    sensor = RangeSensor(RangeSettings(enabled=True, noise_m=0.0), 0, plane)
    quaternion = quaternion_from_euler(0.0, pitch, 0.0)
    tilted = VehicleState(np.array([3.0, 0.0, 2.1]), quaternion, np.zeros(3), np.zeros(3))
    expected = (2.1 - 0.6) / (math.cos(pitch) - 0.2 * math.sin(pitch))
    assert sensor.measure(tilted) == pytest.approx(expected, rel=1e-5)
