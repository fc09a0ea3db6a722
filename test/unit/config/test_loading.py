import pytest

from liquid_control.config.loading import apply_overrides, load_yaml, parse_settings, validate
from liquid_control.config.scenario import Scenario
from liquid_control.errors import ConfigError

pytestmark = pytest.mark.unit


def test_pairs_are_parsed_as_yaml():
    assert parse_settings(["wind.gust_mps=6", "vehicle=cf2x", "light.sun_azimuth_deg=null"]) == {
        "wind.gust_mps": 6,
        "vehicle": "cf2x",
        "light.sun_azimuth_deg": None,
    }


@pytest.mark.parametrize("pair", ["wind.gust_mps", "=3", ""])
def test_a_word_without_key_and_value_is_rejected(pair):
    with pytest.raises(ConfigError, match="expects key=value"):
        parse_settings([pair])


def test_overrides_reach_nested_keys_and_leave_the_original():
    content = {"wind": {"mean_mps": 1.0, "gust_mps": 2.0}}
    changed = apply_overrides(content, {"wind.gust_mps": 5.0, "fog.extinction_per_m": 0.1})
    assert changed["wind"] == {"mean_mps": 1.0, "gust_mps": 5.0}
    assert changed["fog"] == {"extinction_per_m": 0.1}
    assert content == {"wind": {"mean_mps": 1.0, "gust_mps": 2.0}}


def test_a_value_has_no_keys_inside():
    with pytest.raises(ConfigError, match=r"speed_mps is a single value"):
        apply_overrides({"speed_mps": 2.0}, {"speed_mps.x": 1})


def test_an_unknown_key_suggests_the_nearest_and_lists_all():
    with pytest.raises(ConfigError, match=r"unknown key wind\.gusty; did you mean wind\.gust_mps"):
        validate(Scenario, {"wind": {"gusty": 3}}, "here")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"camera": {"rate_hz": 500}}, r"camera\.rate_hz: .*less than or equal to 120, got 500"),
        ({"speed_mps": "fast"}, r"speed_mps: .*valid number.*got 'fast'"),
        ({"speed_mps": float("nan")}, r"speed_mps: .*finite number, got nan"),
        (
            {"wind": {"mean_mps": 5, "gust_mps": 3}},
            r"^here: wind\.gust_mps must be 0 or at least wind\.mean_mps \(5\)$",
        ),
    ],
)
def test_values_that_do_not_fit_are_rejected_in_one_line(content, message):
    with pytest.raises(ConfigError, match=message) as caught:
        validate(Scenario, content, "here")
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_its_path(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read \(No such file"):
        load_yaml(tmp_path / "absent.yaml")


@pytest.mark.parametrize(("text", "message"), [("a: [1", "is not YAML"), ("- 1", "got list")])
def test_a_file_that_is_no_mapping_is_rejected(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_yaml(path)
