import pytest

from liquid_control.config import load_scenario
from liquid_control.config.presets import KINDS, preset_names, preset_overrides
from liquid_control.errors import ConfigError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("kind", KINDS)
def test_every_preset_fits_the_scenario(kind):
    assert len(preset_names(kind)) >= 3
    for name in preset_names(kind):
        overrides = preset_overrides(**{kind: name})
        scenario = load_scenario("trail", overrides)
        for key, value in overrides.items():
            room, field = key.split(".")
            assert getattr(getattr(scenario, room), field) == value


def test_presets_join():
    assert preset_overrides(wind="gusty", fog="haze") == {
        "wind.mean_mps": 4.0,
        "wind.gust_mps": 6.0,
        "fog.extinction_per_m": 0.03,
    }
    assert preset_overrides() == {}


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(ConfigError, match="unknown lighting 'moon'; there are: noon, overcast"):
        preset_overrides(lighting="moon")
