"""Colours of seasons and of wild ground."""

import numpy as np
import pytest

from liquid_control.config import ForestSettings, Scenario, TrailSettings
from liquid_control_sim.place.forest import generate_forest
from liquid_control_sim.place.palette import DRAWN_SEASONS, SEASONS

pytestmark = pytest.mark.sim


def palette(seed=1, season=None, colour_spread=0.0, **trail):
    forest = ForestSettings(trees=0, season=season, colour_spread=colour_spread)
    scenario = Scenario(trail=TrailSettings(**trail), forest=forest)
    return generate_forest(scenario, seed).palette


def test_only_the_default_seasons_are_drawn():
    # Each of four is missed by 60 draws with probability 4 * 0.75^60 < 2e-7.
    assert {palette(seed).season for seed in range(60)} == set(DRAWN_SEASONS)


@pytest.mark.parametrize("season", sorted(SEASONS))
def test_a_given_season_does_not_change_the_other_draws(season):
    drawn, given = palette(5), palette(5, season)
    assert given.season == season
    assert given.leaves == SEASONS[season][0]
    drawn_factor = drawn.litter_fraction / SEASONS[drawn.season][1]
    assert given.litter_fraction / SEASONS[season][1] == pytest.approx(drawn_factor)


@pytest.mark.parametrize("seed", range(5))
def test_snow_is_white_and_keeps_the_contrast_setting(seed):
    snow, summer = palette(seed, "snow"), palette(seed, "summer")
    assert min(snow.floor) > 0.75
    assert min(snow.trail) > min(summer.trail) + 0.1
    assert difference(palette(seed, "snow", contrast=0.2)) < 0.4 * difference(snow)


def difference(colours) -> float:
    return float(np.linalg.norm(np.array(colours.trail) - np.array(colours.floor)))


def test_hard_trails_have_leaf_litter_on_soil():
    for seed in range(10):
        hard, easy = palette(seed, difficulty=5.0), palette(seed, difficulty=0.3)
        assert difference(hard) < 0.35 * difference(easy)
        assert hard.litter_fraction > 0.4
        red, green, blue = hard.floor
        assert red > green > blue


def floors(spread, seeds=range(40)):
    return np.array([palette(seed, "summer", colour_spread=spread).floor for seed in seeds])


def test_spread_colours_reach_grounds_as_bright_as_snow():
    plain, spread = floors(0.0).mean(axis=1), floors(1.0).mean(axis=1)
    assert np.ptp(plain) < 0.15
    assert spread.min() < plain.min()
    assert spread.max() > 0.6
    half = floors(0.5).mean(axis=1)
    assert np.ptp(plain) < np.ptp(half) < np.ptp(spread)


def test_a_spread_keeps_half_of_the_contrast_and_may_turn_it_round():
    kept = [
        difference(palette(seed, "summer", colour_spread=1.0))
        / difference(palette(seed, "summer"))
        for seed in range(40)
    ]
    assert min(kept) >= 0.5
    brighter = [
        sum(p.trail) > sum(p.floor)
        for p in (palette(seed, "summer", colour_spread=1.0) for seed in range(40))
    ]
    assert 5 < sum(brighter) < 40


def test_a_spread_changes_colours_only_and_repeats():
    plain = Scenario(forest=ForestSettings(colour_spread=0.0))
    spread = Scenario(forest=ForestSettings(colour_spread=0.8))
    first, again, before = (generate_forest(s, 4) for s in (spread, spread, plain))
    assert first.palette == again.palette
    assert first.palette != before.palette
    assert first.palette.bark != (1.0, 1.0, 1.0)
    np.testing.assert_array_equal(first.trunks, before.trunks)
    np.testing.assert_array_equal(first.half_width_m, before.half_width_m)
