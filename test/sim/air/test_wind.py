"""Wind and rotor wash: profile, gusts, turbulence, ground effect, eddies, random streams."""

import math

import numpy as np
import pytest

from liquid_control.config import WindSettings, load_scenario
from liquid_control_sim.air.wind import INTENSITY, Air, RotorWash, WindField
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.schedule import PHYSICS_HZ

pytestmark = pytest.mark.sim

REFERENCE = np.array([0.0, 0.0, 2.0])


def wind_at(settings, seed=0, seconds=20.0, position=REFERENCE):
    field = WindField(settings, seed)
    return np.array([field.wind(tick, position) for tick in range(round(seconds * PHYSICS_HZ))])


def wind_speed(settings, **how):
    """Return the speed along a mean wind to the north, [T]."""
    return wind_at(settings.model_copy(update={"direction_deg": 90.0}), **how)[:, 1]


def test_without_wind_the_air_is_still_and_nothing_is_drawn():
    field = WindField(WindSettings(), 0)
    assert field.wind(10**12, REFERENCE).tolist() == [0.0, 0.0, 0.0]
    assert field.wind(0, REFERENCE) is field.wind(1, REFERENCE)


def test_the_wind_is_the_same_until_it_ends():
    settings = WindSettings(mean_mps=4.0, gust_mps=6.0, direction_deg=30.0)
    whole = wind_at(settings, seconds=3.0)
    ended = wind_at(settings.model_copy(update={"end_s": 2.0}), seconds=3.0)
    assert np.array_equal(ended[: 2 * PHYSICS_HZ], whole[: 2 * PHYSICS_HZ])
    assert not ended[2 * PHYSICS_HZ :].any()
    assert whole[2 * PHYSICS_HZ :].any()


def test_mean_wind_has_its_direction():
    settings = WindSettings(mean_mps=4.0, direction_deg=30.0, turbulence=0.0)
    expected = [4.0 * math.cos(math.radians(30.0)), 2.0, 0.0]
    assert wind_at(settings, seconds=0.1)[-1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("height", "speed"),
    [
        (2.0, 5.0),
        (0.1, 5.0 * math.log(2) / math.log(21)),
        (4.3, 5.0 * math.log(44) / math.log(21)),
    ],
)
def test_log_profile(height, speed):
    settings = WindSettings(mean_mps=5.0, turbulence=0.0)
    assert WindField(settings, 0).mean_mps(height) == pytest.approx(speed, rel=1e-12)
    at = np.array([7.0, 8.0, height])
    assert wind_speed(settings, seconds=0.1, position=at)[-1] == pytest.approx(speed, rel=1e-12)


@pytest.mark.parametrize("height", [0.0, -3.0])
def test_mean_wind_is_zero_on_and_below_the_ground(height):
    at = np.array([0.0, 0.0, height])
    settings = WindSettings(mean_mps=5.0, gust_mps=8.0, turbulence=0.0)
    assert not wind_at(settings, position=at).any()


def test_gusts_peak_at_exactly_gust_mps():
    speeds = wind_speed(WindSettings(mean_mps=4.0, gust_mps=6.0, turbulence=0.0), seconds=120.0)
    assert speeds.max() == pytest.approx(6.0, rel=1e-12)
    assert speeds.min() == pytest.approx(4.0, rel=1e-12)
    peaks = (speeds[1:-1] > speeds[:-2]) & (speeds[1:-1] > speeds[2:])
    assert speeds[1:-1][peaks] == pytest.approx(np.full(peaks.sum(), 6.0), rel=1e-12)
    # 120 s with a mean cycle of 7.75 s: 15 gusts expected; the bounds hold for this seed.
    assert 8 <= peaks.sum() <= 25


def test_a_gust_is_one_minus_cosine():
    speeds = wind_speed(WindSettings(mean_mps=0.0, gust_mps=5.0), seconds=60.0)
    start = int(np.flatnonzero(speeds)[0]) - 1
    length = int(np.argmin(speeds[start + 1 :] > 0.0)) + 1
    assert 1.5 <= length / PHYSICS_HZ <= 4.0
    phase = 2.0 * np.pi * np.arange(length) / length
    expected = 2.5 * (1.0 - np.cos(phase))
    assert speeds[start : start + length] == pytest.approx(expected, abs=1e-9)


def test_gusts_require_a_speed_above_the_mean():
    speeds = wind_speed(WindSettings(mean_mps=4.0, turbulence=0.0), seconds=60.0)
    assert speeds == pytest.approx(np.full(len(speeds), 4.0))


def test_turbulence_has_the_low_altitude_intensities():
    # 400 s are 80 correlation times of u and v, and 600 of w: their variances deviate by 16 % and
    # 6 %. 60 % and 30 % are above 3.7 deviations: 1e-3 over seeds; the seed is fixed.
    settings = WindSettings(mean_mps=4.0, direction_deg=0.0)
    wind = wind_at(settings, seed=5, seconds=400.0)
    sigma_w = 0.1 * WindField(settings, 5).mean_mps(6.096)
    assert wind[:, 2].var() == pytest.approx(sigma_w**2, rel=0.3)
    sigma_u = sigma_w / (0.177 + 0.000823 * 10.0) ** 0.4
    assert wind[:, 0].var() == pytest.approx(sigma_u**2, rel=0.6)
    assert wind[:, 1].var() == pytest.approx(sigma_u**2, rel=0.6)
    assert wind.mean(axis=0) == pytest.approx([4.0, 0.0, 0.0], abs=0.7)


def test_turbulence_scales_and_depends_on_the_altitude():
    settings = WindSettings(mean_mps=4.0, direction_deg=0.0)
    one = wind_at(settings) - [4.0, 0.0, 0.0]
    double = wind_at(settings.model_copy(update={"turbulence": 2.0})) - [4.0, 0.0, 0.0]
    assert double == pytest.approx(2.0 * one, abs=1e-12)
    low, high = (WindField(settings, 0, altitude_m) for altitude_m in (3.0, 10.0))
    assert low.wind(500, REFERENCE)[2] != high.wind(500, REFERENCE)[2]


def test_wind_is_reproducible_in_any_order_of_queries():
    settings = WindSettings(mean_mps=4.0, gust_mps=6.0)
    straight = wind_at(settings, seed=3)
    field = WindField(settings, 3)
    for tick in (4799, 0, 2500, 1, 2500):
        assert field.wind(tick, REFERENCE).tolist() == straight[tick].tolist()
    assert np.abs(straight - wind_at(settings, seed=4)).max() > 1.0


def test_streams_are_independent():
    drawn = WindSettings(mean_mps=4.0, gust_mps=6.0)
    fixed = drawn.model_copy(update={"direction_deg": 0.0})
    straight = wind_at(fixed, seed=3)
    turn = WindField(drawn, 3).direction_rad
    c, s = math.cos(turn), math.sin(turn)
    back = wind_at(drawn, seed=3) @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    assert back == pytest.approx(straight, abs=1e-12)
    no_gusts = wind_at(fixed.model_copy(update={"gust_mps": 0.0}), seed=3)
    assert no_gusts[:, 1:] == pytest.approx(straight[:, 1:], abs=0.0)
    smooth = wind_at(fixed.model_copy(update={"turbulence": 0.0}), seed=3)
    assert smooth[:, 0] - 4.0 == pytest.approx(straight[:, 0] - no_gusts[:, 0], abs=1e-12)


def test_direction_is_drawn_over_the_whole_circle():
    turns = [WindField(WindSettings(mean_mps=1.0), seed).direction_rad for seed in range(40)]
    # A quadrant stays empty with probability 4 * 0.75^40 = 4e-5.
    assert len({int(turn // (math.pi / 2)) for turn in turns}) == 4


OUTDOOR = load_vehicle("outdoor")
RADIUS = 0.127


@pytest.mark.parametrize("height", [RADIUS, 0.2, 0.5, 1.5])
def test_thrust_gain_follows_cheeseman_and_bennett(height):
    gain = RotorWash(1.0, OUTDOOR, 0).thrust_gain(height)
    assert gain == pytest.approx(1.0 / (1.0 - (RADIUS / (4.0 * height)) ** 2), rel=1e-12)
    assert RotorWash(3.0, OUTDOOR, 0).thrust_gain(height) - 1.0 == pytest.approx(
        3.0 * (gain - 1.0)
    )


def test_thrust_gain_is_constant_below_one_radius():
    wash = RotorWash(1.0, OUTDOOR, 0)
    assert wash.thrust_gain(0.0) == wash.thrust_gain(-1.0) == pytest.approx(16.0 / 15.0, rel=1e-12)


def test_induced_velocity_and_radius_follow_from_the_rotors():
    wash = RotorWash(1.0, OUTDOOR, 0)
    area = 4.0 * math.pi * RADIUS**2
    assert 2.0 * 1.225 * area * wash.induced_mps**2 == pytest.approx(1.5 * 9.81, rel=1e-12)
    assert math.pi * wash.radius_m**2 == pytest.approx(area, rel=1e-12)


@pytest.mark.parametrize("height", [0.1, 0.5, 2.0])
def test_eddies_have_the_stated_intensity(height):
    """200 s are 4,000 correlation times: the deviation deviates by 1.6 %; 10 % is 6 times that."""
    wash = RotorWash(1.0, OUTDOOR, 4)
    series = np.array([wash.eddies(tick, height) for tick in range(200 * 240)])
    near = min(1.0, (2.0 * RADIUS / height) ** 2)
    assert series.std(axis=0) == pytest.approx([INTENSITY * wash.induced_mps * near] * 3, rel=0.1)


def test_wash_uses_the_height_above_ground_and_leaves_the_wind_unchanged():
    forest = generate_forest(load_scenario("trail"), 3)
    breeze = WindSettings(mean_mps=4.0)
    still, washed = (
        Air(breeze.model_copy(update={"rotor_wash": scale}), 3, 1.5, forest, OUTDOOR)
        for scale in (0.0, 1.0)
    )
    at = np.array([1.0, 0.2, 0.4])
    height = 0.4 - forest.terrain.height_at(1.0, 0.2)
    assert still.thrust_gain(at) == 1.0
    wash = RotorWash(1.0, OUTDOOR, 3)
    assert washed.thrust_gain(at) == wash.thrust_gain(height)
    difference = washed.wind(77, at) - still.wind(77, at)
    assert difference == pytest.approx(wash.eddies(77, height), abs=1e-12)
    assert np.abs(difference).max() > 0.05
