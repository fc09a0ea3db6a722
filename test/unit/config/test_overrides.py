import pytest

from liquid_control.config import load_scenario
from liquid_control.config.overrides import (
    KINDS,
    Spread,
    check_keys,
    draw_overrides,
    is_whole,
    preset_names,
    preset_overrides,
)
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


def test_integer_keys_are_drawn_as_integers():
    assert is_whole("forest.trees")
    assert is_whole("trail.forks")
    assert not is_whole("speed_mps")
    drawn = draw_overrides({"forest.trees": Spread(low=10, high=90)}, 1)["forest.trees"]
    assert isinstance(drawn, int)


def test_unknown_key_names_the_nearest_keys():
    expected = r"here: randomise: unknown scenario key wind\.mean; did you mean wind\.mean_mps,"
    with pytest.raises(ConfigError, match=expected):
        check_keys({"wind.mean": Spread(low=0.0, high=1.0)}, "here")


@pytest.mark.parametrize("kind", KINDS)
def test_every_preset_is_valid(kind):
    assert len(preset_names(kind)) >= 3
    for name in preset_names(kind):
        overrides = preset_overrides(**{kind: name})
        scenario = load_scenario("trail", overrides)
        for key, value in overrides.items():
            section, field = key.split(".")
            assert getattr(getattr(scenario, section), field) == value


def test_presets_are_combined():
    assert preset_overrides(wind="gusty", fog="haze") == {
        "wind.mean_mps": 4.0,
        "wind.gust_mps": 6.0,
        "fog.extinction_per_m": 0.03,
    }
    assert preset_overrides() == {}


def test_unknown_preset_lists_the_known_names():
    with pytest.raises(ConfigError, match="unknown lighting 'moon'; there are: noon, overcast"):
        preset_overrides(lighting="moon")
