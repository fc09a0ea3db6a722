from itertools import pairwise

import pytest

from liquid_control.config import load_scenario
from liquid_control.config.disturbances import (
    disturbance_names,
    disturbance_overrides,
    disturbances,
    joined_overrides,
    load_disturbances,
    parse_disturbances,
)
from liquid_control.errors import ConfigError

pytestmark = pytest.mark.unit

NAMES = disturbance_names()


@pytest.mark.parametrize("name", NAMES)
def test_every_severity_is_valid_and_differs_from_the_previous_one(name):
    scenarios = [load_scenario("trail", disturbance_overrides(name, s)) for s in range(6)]
    assert scenarios[0] == load_scenario("trail")
    for before, after in pairwise(scenarios):
        assert before != after


@pytest.mark.parametrize("name", NAMES)
def test_values_are_monotonic_in_severity(name):
    """Values rise or fall with severity: severity 3 lies between 2 and 4."""
    for key, values in disturbances()[name].keys.items():
        if isinstance(values, list) and not isinstance(values[0], str):
            ordered = sorted(values)
            assert values in (ordered, ordered[::-1]), key
            assert len(set(values)) == 5, key


@pytest.mark.parametrize(
    ("name", "key", "published"),
    [
        ("delta_brightness", "delta.brightness", [0.1, 0.2, 0.3, 0.4]),
        ("delta_darkness", "delta.brightness", [-0.1, -0.2, -0.3, -0.4]),
        ("delta_contrast", "delta.contrast", [0.75, 1.25, 1.75, 2.25]),
        ("delta_saturation", "delta.saturation", [0.5, 1.5, 2.5, 3.25]),
        ("delta_noise", "delta.noise", [15.0, 30.0, 45.0, 60.0]),
    ],
)
def test_published_changes_are_exact(name, key, published):
    assert [disturbance_overrides(name, severity)[key] for severity in (1, 2, 3, 4)] == published
    assert list(disturbances()[name].keys) == [key]


def test_severity_3_of_rotor_and_payload():
    assert disturbance_overrides("rotor", 3) == {"faults.rotor_efficiency": 0.85}
    assert disturbance_overrides("payload", 3) == {"faults.mass_scale": 1.15}


def test_single_value_applies_to_every_severity():
    assert {disturbance_overrides("lee", s)["wind.mean_mps"] for s in range(1, 6)} == {5.0}


def test_later_disturbance_overrides_earlier_ones():
    assert joined_overrides({"fog": 1, "noise": 2, "jpeg": 0}) == {
        **disturbance_overrides("fog", 1),
        **disturbance_overrides("noise", 2),
    }
    both = joined_overrides({"turbulence": 4, "wind": 5})
    assert both["wind.turbulence"] == disturbance_overrides("turbulence", 4)["wind.turbulence"]
    assert both["wind.mean_mps"] == disturbance_overrides("wind", 5)["wind.mean_mps"]


def test_arguments_are_parsed_in_order():
    assert parse_disturbances(["fog=3", "wind=0"]) == {"fog": 3, "wind": 0}
    assert list(parse_disturbances(["wind=0", "fog=3"])) == ["wind", "fog"]
    assert parse_disturbances([]) == {}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("fog", r"--disturb expects name=severity, such as fog=3, got 'fog'"),
        ("=3", "--disturb expects name=severity"),
        (
            "fogg=3",
            r"disturbance 'fogg'; did you mean fog, \w+ or \w+\? \(`liquid-control worlds` lists",
        ),
        ("xyzzy=3", "unknown disturbance 'xyzzy'; did you mean [a-z_]+, [a-z_]+ or [a-z_]+[?]"),
        ("fog=6", "fog: expected a severity that is a whole number from 0 to 5, got 6"),
        ("fog=-1", "from 0 to 5, got '-1'"),
        ("fog=2.5", "from 0 to 5, got '2.5'"),
        ("fog=", "from 0 to 5, got ''"),
    ],
)
def test_invalid_arguments_are_reported_in_one_line(word, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_disturbances([word])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("severity", [True, 2.0, "3", None, -1, 6])
def test_severities_are_whole_numbers_up_to_five(severity):
    with pytest.raises(ConfigError, match="whole number from 0 to 5, got"):
        disturbance_overrides("fog", severity)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fog: 3", "fog: expected group, about and keys, got 3"),
        ("fog: {group: a, about: b}", "fog: keys: field required"),
        (
            "fog: {group: a, about: b, keys: {fog.extinction: [1, 2, 3, 4, 5]}}",
            "fog: unknown scenario key fog.extinction; did you mean fog.extinction_per_m",
        ),
        (
            "fog: {group: a, about: b, keys: {fog.extinction_per_m: [0.1, 0.2]}}",
            "fog.extinction_per_m: expected 5 values, for severities 1 to 5, .* got 2",
        ),
        (
            "fog: {group: a, about: b, keys: {fog.extinction_per_m: [0.1, 0.2, 1.0, 3.0, 4.0]}}",
            "fog: severity 4: fog.extinction_per_m: input should be less than or equal to 2",
        ),
        ("fog: {group: a, about: b, keys: {wind.x: 1}, loud: 1}", "unknown key loud"),
    ],
)
def test_invalid_file_is_reported_with_its_key(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"mine.yaml: .*{message}") as caught:
        load_disturbances(path)
    assert "\n" not in str(caught.value)
