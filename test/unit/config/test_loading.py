from pathlib import Path

import pytest

from liquid_control.config import (
    Scenario,
    apply_overrides,
    load_yaml,
    parse_settings,
    project_file,
    shipped,
    validate,
)
from liquid_control.config.loading import format_settings
from liquid_control.errors import ConfigError

pytestmark = pytest.mark.unit


def test_pairs_are_parsed_as_yaml():
    assert parse_settings(["wind.gust_mps=6", "vehicle=cf2x", "light.sun_azimuth_deg=null"]) == {
        "wind.gust_mps": 6,
        "vehicle": "cf2x",
        "light.sun_azimuth_deg": None,
    }


@pytest.mark.parametrize("pair", ["wind.gust_mps", "=3", ""])
def test_argument_without_key_and_value_is_rejected(pair):
    with pytest.raises(ConfigError, match="expects key=value"):
        parse_settings([pair])


def test_overrides_replace_nested_keys_in_a_copy():
    content = {"wind": {"mean_mps": 1.0, "gust_mps": 2.0}}
    changed = apply_overrides(content, {"wind.gust_mps": 5.0, "fog.extinction_per_m": 0.1})
    assert changed["wind"] == {"mean_mps": 1.0, "gust_mps": 5.0}
    assert changed["fog"] == {"extinction_per_m": 0.1}
    assert content == {"wind": {"mean_mps": 1.0, "gust_mps": 2.0}}


def test_key_inside_a_single_value_is_rejected():
    with pytest.raises(ConfigError, match=r"speed_mps is a single value"):
        apply_overrides({"speed_mps": 2.0}, {"speed_mps.x": 1})


def test_unknown_key_suggests_the_closest_and_lists_all():
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
def test_invalid_values_are_rejected_in_one_line(content, message):
    with pytest.raises(ConfigError, match=message) as caught:
        validate(Scenario, content, "here")
    assert "\n" not in str(caught.value)


def test_missing_file_is_reported_with_its_path(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read \(No such file"):
        load_yaml(tmp_path / "absent.yaml")


@pytest.mark.parametrize(("text", "message"), [("a: [1", "is not YAML"), ("- 1", "got list")])
def test_file_without_a_mapping_is_rejected(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_yaml(path)


CAMPAIGN = Path("config/campaigns/trail.yaml")


def test_package_file_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped(CAMPAIGN) == project_file(str(CAMPAIGN))


def test_existing_path_takes_precedence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CAMPAIGN.parent.mkdir(parents=True)
    CAMPAIGN.write_text("name: mine")
    assert shipped(CAMPAIGN) == CAMPAIGN


def test_unknown_path_is_returned_unchanged():
    assert shipped(Path("models/none")) == Path("models/none")
    assert shipped(Path("/models/none")) == Path("/models/none")


def test_formatted_settings_are_parsed_back():
    overrides = {"wind.gust_mps": 6, "light.gain": 0.25, "vehicle": "cf2x", "range.enabled": True}
    overrides["wind.direction_deg"] = None
    assert format_settings({"vehicle": "cf2x"}) == ['vehicle="cf2x"']
    assert parse_settings(format_settings(overrides)) == overrides
