import time

import pytest

from liquid_control.config import load_extended, load_scenario, load_yaml, parse_settings
from liquid_control.config.yaml_files import MAX_BYTES, merged, parse_yaml
from liquid_control.errors import ConfigError
from liquid_control.evaluation import load_campaign

pytestmark = pytest.mark.unit


def bomb(levels, width=10):
    """Return a document whose last value stands for width ** levels values."""
    lines = [f"a0: &a0 [{', '.join('x' * width)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def written(tmp_path):
    def write(text, name="file.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", r"file\.yaml: line 3: key 'a' comes twice, in lines 1 and 3$"),
        ("wind:\n  gust: 1\n  mean: 2\n  gust: 3", r"line 4: key 'gust' comes twice"),
        ("- {a: 1, a: 2}", r"line 1: key 'a' comes twice, in lines 1 and 1$"),
        ("a: 1\n'a': 2", r"line 2: key 'a' comes twice"),
        (bomb(12), r"line \d+: its aliases stand for more than 1,000,000 values$"),
        ("a: &a [*a]", "line 1: an alias stands for a value that contains it$"),
        ("[" * 100_000, "line 1: it is nested more than 100 levels deep$"),
        ("{a: " * 100_000, "line 1: it is nested more than 100 levels deep$"),
        ("a: 2024-99-99", r"is not YAML \(month must be in 1\.\.12"),
        ("a: " + "9" * 5000, r"is not YAML \(Exceeds the limit"),
        ("a: " + "x" * MAX_BYTES, "cannot be read .it has more than 16,777,216 bytes"),
    ],
)
def test_a_hostile_document_is_one_line_at_once(written, text, message):
    path = written(text)
    start = time.process_time()
    with pytest.raises(ConfigError, match=message) as caught:
        load_yaml(path)
    assert time.process_time() - start < 2.0
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_deep_nesting_in_a_setting_is_an_error():
    with pytest.raises(ConfigError, match="is not a YAML value"):
        parse_settings(["a=" + "[" * 50_000])


def test_aliases_and_merges_are_accepted():
    text = "calm: &calm {mean: 0, gust: 0}\nwindy:\n  <<: *calm\n  gust: 3\nagain: *calm\n"
    assert parse_yaml(text) == {
        "calm": {"mean": 0, "gust": 0},
        "windy": {"mean": 0, "gust": 3},
        "again": {"mean": 0, "gust": 0},
    }


def test_foreign_files_may_have_a_key_twice():
    assert parse_yaml("a: 1\na: 2", twice=True) == {"a": 2}


def test_mappings_are_merged_and_lists_replaced():
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert merged(base, {"a": {"y": [3]}, "c": 2}) == {"a": {"x": 1, "y": [3]}, "b": 1, "c": 2}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 1}


def test_a_scenario_extends_a_shipped_one_by_name(written):
    path = written("extends: trail_hard\nwind: {mean_mps: 2.0}\ntrail: {length_m: 30.0}\n")
    scenario = load_scenario(str(path))
    assert (scenario.trail.difficulty, scenario.trail.length_m) == (5.0, 30.0)
    assert scenario.wind.mean_mps == 2.0


def test_a_scenario_extends_a_file_next_to_it(written):
    written("extends: trail\ntrail: {length_m: 20.0}\n", "base/short.yaml")
    path = written("extends: ../base/short.yaml\nfog: {extinction_per_m: 0.1}\n", "mine/a.yaml")
    scenario = load_scenario(str(path))
    assert (scenario.trail.length_m, scenario.fog.extinction_per_m) == (20.0, 0.1)


def test_a_campaign_extends_another(written):
    path = written("extends: trail\nname: mine\nentries:\n  - {name: calm, seeds: '1:3'}\n")
    campaign = load_campaign(path)
    assert (campaign.name, [entry.name for entry in campaign.entries]) == ("mine", ["calm"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: a.yaml", r"the files extend each other: .*a\.yaml -> .*a\.yaml$"),
        ("extends: b.yaml", r"extend each other: .*a\.yaml -> .*b\.yaml -> .*a\.yaml$"),
        ("extends: none.yaml", r"a\.yaml: extends: .*none\.yaml does not exist$"),
        ("extends: moon", r"extends: unknown name 'moon'; did you mean|there are: hike"),
        (
            "extends: [trail]",
            r"expected a name of scenarios or a path to a \.yaml, got \['trail'\]",
        ),
    ],
)
def test_what_cannot_be_extended_is_refused(written, text, message):
    written("extends: a.yaml", "b.yaml")
    path = written(text, "a.yaml")
    with pytest.raises(ConfigError, match=message) as caught:
        load_scenario(str(path))
    assert "\n" not in str(caught.value)


def test_names_are_looked_up_in_the_folder_of_the_kind(written, tmp_path):
    written("a: 1\nb: {c: 2}", "kinds/base.yaml")
    path = written("extends: base\nb: {d: 3}")
    assert load_extended(path, tmp_path / "kinds") == {"a": 1, "b": {"c": 2, "d": 3}}
