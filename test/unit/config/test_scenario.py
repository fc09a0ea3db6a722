import pytest

from liquid_control.config import Scenario, load_scenario, scenario_names
from liquid_control.errors import ConfigError

pytestmark = pytest.mark.unit


def test_every_scenario_of_the_package_loads():
    assert "trail" in scenario_names()
    for name in scenario_names():
        assert isinstance(load_scenario(name), Scenario)


def test_unknown_scenario_lists_the_known_names():
    with pytest.raises(ConfigError, match=r"unknown scenario 'trial'; there are: .*trail"):
        load_scenario("trial")


def test_overrides_apply_to_the_scenario():
    scenario = load_scenario("trail", {"wind.mean_mps": 4, "wind.gust_mps": 6})
    assert (scenario.wind.mean_mps, scenario.wind.gust_mps) == (4.0, 6.0)


def test_focal_length_follows_from_the_field_of_view():
    scenario = load_scenario("trail", {"camera.horizontal_fov_deg": 90, "camera.width": 96})
    assert scenario.camera.focal_px == pytest.approx(48.0)


def test_the_time_limit_is_twice_the_flight_and_ten_seconds():
    assert load_scenario("trail").flight_limit_s == pytest.approx(70.0)
    assert load_scenario("trail", {"time_limit_s": 5}).flight_limit_s == 5.0
