import pytest

from liquid_control.config.random_overrides import Spread, check_keys, draw_overrides, is_whole
from liquid_control.errors import ConfigError

pytestmark = pytest.mark.unit


def test_draws_fill_the_range_and_keep_to_their_share():
    spreads = {"light.gain": Spread(low=0.5, high=2.0, logarithmic=True, share=0.5)}
    drawn = [draw_overrides(spreads, seed) for seed in range(2000)]
    values = [draw["light.gain"] for draw in drawn if draw]
    assert 0.5 <= min(values) < 0.51
    assert 1.96 < max(values) <= 2.0
    # 2000 draws of 0.5: beyond 4.5 standard deviations with probability 7e-6.
    assert abs(len(values) - 1000) < 4.5 * 22.4
    assert abs(sum(value < 1.0 for value in values) / len(values) - 0.5) < 0.08


def test_another_key_leaves_the_draws_of_the_first():
    gain = {"light.gain": Spread(low=0.5, high=2.0)}
    both = {"fog.extinction_per_m": Spread(low=0.0, high=0.1), **gain}
    assert draw_overrides(both, 5)["light.gain"] == draw_overrides(gain, 5)["light.gain"]


def test_gust_is_never_below_the_mean():
    spreads = {
        "wind.mean_mps": Spread(low=0.0, high=5.0),
        "wind.gust_mps": Spread(low=0.5, high=5.0),
    }
    for seed in range(200):
        drawn = draw_overrides(spreads, seed)
        assert drawn["wind.mean_mps"] <= drawn["wind.gust_mps"]


def test_whole_numbers_are_drawn_whole():
    assert is_whole("forest.trees")
    assert is_whole("trail.forks")
    assert not is_whole("speed_mps")
    drawn = draw_overrides({"forest.trees": Spread(low=10, high=90)}, 1)["forest.trees"]
    assert isinstance(drawn, int)


def test_an_unknown_key_is_named_with_those_that_are_accepted():
    with pytest.raises(
        ConfigError, match=r"here: randomise: unknown scenario key wind\.mean; acc"
    ):
        check_keys({"wind.mean": Spread(low=0.0, high=1.0)}, "here")
