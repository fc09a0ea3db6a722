"""The whole pipeline: defaults, order, state and independence of the random streams."""

import numpy as np
import pytest

from liquid_control.config import Scenario
from liquid_control_sim.picture.light import Exposure
from liquid_control_sim.picture.pipeline import Memory, haze_per_m, make_pipeline, quantise, shrink
from liquid_control_sim.picture.sensor import SensorNoise
from liquid_control_sim.picture.sky import Backdrop
from liquid_control_sim.place.palette import Palette, draw_palette
from liquid_control_sim.render.sunlight import make_sun

pytestmark = pytest.mark.sim


def scenario(**overrides) -> Scenario:
    content = Scenario().model_dump()
    for dotted, value in overrides.items():
        head, _, rest = dotted.partition("__")
        content[head][rest] = value
    return Scenario(**content)


def palette() -> Palette:
    return draw_palette(Scenario().trail, None, np.random.default_rng(0))


@pytest.fixture
def form(view, make_shot, pattern):
    """Return a function that forms frames of one pattern under a scenario, at 20 Hz."""

    def run(count=1, seed=1, **overrides):
        setting = scenario(**overrides)
        sun = make_sun(setting.light, seed)
        pipeline = make_pipeline(setting, sun, palette(), view, seed)
        memory, taken = Memory(), []
        for index in range(count):
            time_s = index / 20.0
            memory = memory.at(time_s, np.array([2.0, 0.0, 0.0]))
            picture = pattern * np.float32(0.4 + 0.02 * index)
            shot = make_shot(
                frame_index=index, time_s=time_s, air_moved_m=np.array(memory.air_moved_m)
            )
            pixels, memory = pipeline.form(picture, shot, memory)
            taken.append(pixels)
        return np.array(taken)

    return run


def test_default_pipeline_has_sky_exposure_and_shot_noise_only(view, make_shot, pattern):
    setting, sun = Scenario(), make_sun(Scenario().light, 1)
    pipeline = make_pipeline(setting, sun, palette(), view, 1)
    assert [type(step) for step in pipeline.optics] == [Backdrop]
    assert [type(step) for step in pipeline.sensor] == [SensorNoise]
    assert (pipeline.transport, pipeline.blackout) == ((), None)
    pixels, memory = pipeline.form(pattern.copy(), make_shot(), Memory())
    exposed, _ = Exposure(sun.exposure)(pattern, 0.0, None)
    assert np.array_equal(pixels, quantise(SensorNoise(0.01, 0.0, 1)(exposed, make_shot())))
    assert memory.metering is None


NEUTRAL = {
    "light__temperature_k": 6500.0,
    "light__glare": 0.0,
    "light__flicker": 0.0,
    "light__level": 1.0,
    "light__exposure_lag_s": 0.0,
    "rain__rate_mmph": 0.0,
    "snow__rate_mmph": 0.0,
    "camera__defocus": 0.0,
    "camera__exposure_s": 0.0,
    "camera__dirt": 0.0,
    "camera__drops": 0,
    "camera__vignetting": 0.0,
    "camera__jpeg_quality": None,
    "camera__freeze_rate": 0.0,
    "camera__blackout_s": 0.0,
    "delta__noise": 0.0,
}
DISTURBED = {
    "light__temperature_k": 4000.0,
    "light__glare": 0.8,
    "light__flicker": 0.3,
    "light__level": 0.1,
    "light__exposure_lag_s": 0.5,
    "rain__rate_mmph": 50.0,
    "snow__rate_mmph": 3.0,
    "camera__defocus": 0.03,
    "camera__dirt": 0.2,
    "camera__drops": 10,
    "camera__vignetting": 0.5,
    "camera__jpeg_quality": 30,
    "camera__freeze_rate": 0.5,
    "camera__blackout_s": 10.0,
    "delta__noise": 15.0,
}


def test_neutral_settings_equal_the_defaults_bit_for_bit(form):
    assert np.array_equal(form(3, **NEUTRAL), form(3))


@pytest.mark.parametrize("key", DISTURBED)
def test_each_setting_changes_the_picture_reproducibly(form, key):
    extra = {"light__sun_azimuth_deg": 0.0} if key == "light__glare" else {}
    extra |= {"camera__blackout_from_s": 0.0} if key == "camera__blackout_s" else {}
    disturbed = form(8, **{key: DISTURBED[key]}, **extra)
    assert not np.array_equal(disturbed, form(8, **extra))
    assert np.array_equal(disturbed, form(8, **{key: DISTURBED[key]}, **extra))


def test_frozen_frames_repeat_bit_for_bit(form):
    fresh, frozen = form(30), form(30, camera__freeze_rate=0.4)
    repeats = [np.array_equal(frozen[i], frozen[i - 1]) for i in range(1, 30)]
    assert 3 <= sum(repeats) <= 26
    for index in range(1, 30):
        assert repeats[index - 1] or np.array_equal(frozen[index], fresh[index])


def test_frames_are_black_during_the_blackout_and_unchanged_otherwise(form):
    taken = form(12, camera__blackout_s=0.2, camera__blackout_from_s=0.15)
    black = [not picture.any() for picture in taken]
    assert black == [3 <= index < 7 for index in range(12)]
    clear = form(12)
    assert np.array_equal(taken[[0, 1, 2, 7, 8]], clear[[0, 1, 2, 7, 8]])


def test_random_streams_of_disturbances_are_independent(form):
    # Vignetting does not affect the centre: the shot noise there must be equal.
    plain, dark = form(2, light__level=0.05), form(2, light__level=0.05, camera__drops=3)
    same = (plain == dark).all(axis=3).mean()
    assert same > 0.6
    frozen = form(9, delta__noise=15.0, camera__freeze_rate=0.3)
    moving = form(9, delta__noise=15.0)
    for index in range(1, 9):
        repeated = np.array_equal(frozen[index], frozen[index - 1])
        assert repeated or np.array_equal(frozen[index], moving[index])


def test_rain_and_snow_add_their_haze_to_the_fog():
    assert haze_per_m(Scenario()) == 0.0
    alone = haze_per_m(scenario(rain__rate_mmph=25.0)), haze_per_m(scenario(snow__rate_mmph=2.0))
    both = scenario(rain__rate_mmph=25.0, snow__rate_mmph=2.0, fog__extinction_per_m=0.1)
    assert haze_per_m(both) == pytest.approx(0.1 + sum(alone))


def test_shrink_averages_squares(pattern):
    expected = pattern.reshape(27, 2, 48, 2, 3).mean(axis=(1, 3))
    assert shrink(pattern, 2) == pytest.approx(expected, abs=1e-6)
    assert shrink(pattern, 1) is pattern


def test_the_air_moves_with_the_wind_between_frames():
    memory = Memory().at(3.0, np.array([5.0, 0.0, 0.0]))
    assert memory.air_moved_m == (0.0, 0.0, 0.0)
    memory = memory.at(3.5, np.array([2.0, -1.0, 0.0]))
    assert memory.air_moved_m == (1.0, -0.5, 0.0)
