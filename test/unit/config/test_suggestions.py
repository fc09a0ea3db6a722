import pytest

from liquid_control.config import Scenario, validate
from liquid_control.config.suggestions import nearest, suggestion
from liquid_control.errors import ConfigError

pytestmark = pytest.mark.unit

KEYS = ["wind.mean_mps", "wind.gust_mps", "light.gain", "trail.length_m", "fog", "rain", "camera"]


def test_the_nearest_come_first():
    assert nearest("wind.gusty", KEYS)[:2] == ["wind.gust_mps", "wind.mean_mps"]
    assert nearest("gust", KEYS)[0] == "wind.gust_mps"
    assert len(nearest("anything", KEYS)) == 3


def test_few_names_are_all_listed():
    assert suggestion("x", ["a", "b"]) == "there are: a, b"


def test_many_names_are_counted():
    text = suggestion("wind.gusty", KEYS, "`list`")
    assert text.startswith("did you mean wind.gust_mps, wind.mean_mps or ")
    assert text.endswith("? (`list` lists all 7)")


def test_an_unknown_key_is_answered_by_three_of_ninety():
    with pytest.raises(ConfigError) as caught:
        validate(Scenario, {"wind": {"gusts": 3}}, "here")
    text = str(caught.value)
    assert text.startswith("here: unknown key wind.gusts; did you mean wind.gust_mps, wind.")
    assert len(text) < 160
