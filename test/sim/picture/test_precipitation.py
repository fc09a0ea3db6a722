"""Rain and snow: sizes, speeds, haze, and the motion of streaks."""

from itertools import pairwise

import numpy as np
import pytest

from liquid_control_sim.picture.precipitation import (
    Precipitation,
    draw_streaks,
    drop_speed,
    flake_speed,
    rain_spectrum,
    snow_spectrum,
)

pytestmark = pytest.mark.sim

WHITE = np.ones(3)


def test_drops_fall_at_the_published_terminal_velocity():
    # Gunn & Kinzer 1949 measured 4.03, 6.49, 8.06 and 9.09 m/s at 1, 2, 3 and 5 mm.
    measured = [4.03, 6.49, 8.06, 9.09]
    assert drop_speed(np.array([1.0, 2.0, 3.0, 5.0])) == pytest.approx(measured, rel=0.03)


def test_flakes_fall_at_about_one_metre_per_second():
    assert flake_speed(np.array([0.3, 1.0, 3.0])) == pytest.approx([0.774, 0.939, 1.119], abs=1e-3)


@pytest.mark.parametrize("rate", [1.0, 10.0, 50.0])
def test_drop_spectrum_yields_the_rainfall_rate(rate):
    spectrum = rain_spectrum(rate)
    edges = np.linspace(0.05, 8.0, 800)
    middle = 0.5 * (edges[1:] + edges[:-1])
    number = [spectrum.number_per_m3(low, high) for low, high in pairwise(edges)]
    # mm^3 per m^3 times m/s is 1e-6 mm/s of water. Marshall and Palmer's fit is up to 18 % too
    # high.
    water = np.pi / 6.0 * middle**3 * np.array(number) * drop_speed(middle) * 3600.0 * 1e-6
    assert water.sum() == pytest.approx(rate, rel=0.2)


def test_drawn_sizes_follow_the_spectrum():
    spectrum = rain_spectrum(25.0)
    drawn = spectrum.draw_mm(0.5, 3.0, np.random.default_rng(1).random(20000))
    assert drawn.min() >= 0.5
    assert drawn.max() <= 3.0
    fraction = spectrum.number_per_m3(0.5, 1.0) / spectrum.number_per_m3(0.5, 3.0)
    # 20,000 draws: the standard error of a fraction is at most 0.35 %; five of them are exceeded
    # with probability 6e-7.
    assert np.mean(drawn < 1.0) == pytest.approx(fraction, abs=0.018)


def test_haze_of_rain_and_snow_has_the_measured_order_of_magnitude():
    # Rain: 1.076 R^0.67 dB/km (ITU-R P.1814), 3.41 /km at 50 mm/h; the spectrum has more small
    # drops. Snow: a visual range of 400 m at 2.5 mm/h, where heavy snow begins (Rasmussen 1999).
    assert rain_spectrum(50.0).extinction_per_m == pytest.approx(3.41e-3, rel=0.4)
    assert 3.912 / snow_spectrum(2.5).extinction_per_m == pytest.approx(400.0, rel=0.2)


def drawn(
    offset, velocity=(0.0, 0.0, 0.0), width_m=0.02, shutter_s=1e-9, wall_m=50.0, motion=None
):
    """Draw one white body at an offset from a static camera that faces east, without wind."""
    picture = np.zeros((54, 96, 3), np.float32)
    rotation = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    draw_streaks(
        picture,
        np.full((54, 96), wall_m, np.float32),
        np.array([offset], dtype=float),
        np.array([velocity], dtype=float),
        np.array([20.0]),
        np.array([width_m]),
        np.zeros((3, 3)) if motion is None else motion,
        rotation,
        0.0,
        shutter_s,
        48.0,
        WHITE,
    )
    return picture[..., 0]


def test_small_body_covers_its_projected_area():
    # 1 m ahead, 0.25 m to the left and 0.125 m up: u = 48 - 12, v = 27 - 6, on pixel corners.
    picture = drawn((1.0, 0.25, 0.125), width_m=0.01)
    rows, columns = np.nonzero(picture)
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((36.0, 21.0))
    # 0.48 pixels wide: it covers four pixels, each at 1 - sqrt(1/2) of its distance.
    assert picture.sum() == pytest.approx(4 * 0.48 * (1.0 - np.sqrt(0.5)), rel=1e-3)


def test_nearer_bodies_are_larger_and_walls_hide_bodies():
    near, far = drawn((0.5, 0.0, 0.0), width_m=0.05), drawn((2.0, 0.0, 0.0), width_m=0.05)
    assert near.sum() > 10.0 * far.sum() > 0.0
    assert not drawn((2.0, 0.0, 0.0), wall_m=1.9).any()
    assert not drawn((-2.0, 0.0, 0.0)).any()


def test_streak_length_is_the_fall_during_the_exposure():
    # 8 m/s for 20 ms at 1 m is 7.68 pixels.
    still = drawn((1.0, 0.01, 0.01), width_m=0.004)
    streak = drawn((1.0, 0.01, 0.01), (0.0, 0.0, -8.0), 0.004, 0.02)
    rows = np.flatnonzero(streak.any(axis=1))
    assert rows[-1] - rows[0] + 1 == pytest.approx(7.68 + 2.0, abs=1.0)
    assert streak.max() < 0.1 * still.max()


def test_body_at_the_velocity_of_the_camera_has_no_streak():
    along = np.zeros((3, 3))
    along[1] = (0.0, 0.0, 8.0)
    streak = drawn((1.0, 0.01, 0.01), (0.0, 0.0, -8.0), 0.004, 0.02, motion=along)
    assert streak == pytest.approx(drawn((1.0, 0.01, 0.01), width_m=0.004), abs=1e-6)


@pytest.fixture
def rain(view):
    return lambda seed=1: Precipitation(
        rain_spectrum(50.0), 0.0, WHITE, view, 0.0, seed, "weather.rain"
    )


def black():
    return np.zeros((54, 96, 3), np.float32)


def test_rain_depends_on_seed_and_time_only(rain, make_shot):
    first = rain()
    taken = [first(black(), make_shot(time_s=time)) for time in (0.0, 0.4, 0.0)]
    assert np.array_equal(taken[0], taken[2])
    assert not np.array_equal(taken[0], taken[1])
    assert np.array_equal(rain()(black(), make_shot(time_s=0.4)), taken[1])
    assert not np.array_equal(rain(2)(black(), make_shot()), taken[0])


def test_snow_moves_with_air_and_vehicle(view, make_shot):
    spectrum = snow_spectrum(5.0)
    snow = Precipitation(spectrum, 0.2, WHITE, view, 0.0, 1, "weather.snow")
    here = snow(black(), make_shot())
    # The flakes are the same if air and vehicle have moved together.
    moved = np.array([0.3, -0.2, 0.1])
    together = snow(black(), make_shot(position=moved, air_moved_m=moved))
    assert together == pytest.approx(here, abs=1e-4)
    assert np.abs(snow(black(), make_shot(position=moved)) - here).max() > 0.05


def test_input_picture_is_not_modified(rain, make_shot):
    picture = black()
    assert rain()(picture, make_shot()).any()
    assert not picture.any()
