import pytest

from liquid_control.config import project_file
from liquid_control.config.disturbances import disturbance_names, disturbance_overrides
from liquid_control.errors import ConfigError
from liquid_control.evaluation import CampaignEntry, load_campaign, parse_seeds, plan_flights

pytestmark = pytest.mark.unit


FIRST_UNSEEN_SEED = 10_000
DELTAS = ("brightness", "contrast", "saturation", "noise")


def write(tmp_path, text):
    path = tmp_path / "campaign.yaml"
    path.write_text(text)
    return path


def test_every_shipped_campaign_loads_and_flies_unseen_seeds():
    paths = sorted(project_file("config/campaigns").glob("*.yaml"))
    shipped = {"first_flight.yaml", "trail.yaml", "published_deltas.yaml", "disturbances.yaml"}
    assert shipped <= {path.name for path in paths}
    for path in paths:
        jobs = plan_flights(load_campaign(path).entries, ["m"])
        assert min(job.seed for job in jobs) >= FIRST_UNSEEN_SEED


def test_the_trail_campaign_holds_the_flights_of_published_results():
    campaign = load_campaign(project_file("config/campaigns/trail.yaml"))
    jobs = plan_flights(campaign.entries, ["m"])
    count = {
        entry.name: sum(job.entry == entry.name for job in jobs) for entry in campaign.entries
    }
    assert list(count.values()) == [100, 100, 50, 50, 50, 50, 50, 50, 50]
    gusty = next(job for job in jobs if job.perturbation == "wind").scenario
    assert (gusty.wind.mean_mps, gusty.wind.gust_mps) == (4.0, 6.0)


def test_jobs_come_model_by_model_and_entry_by_entry():
    entries = [CampaignEntry(name="a", seeds="3,1"), CampaignEntry(name="b", seeds="5")]
    jobs = plan_flights(entries, ["m", "n"])
    assert [(job.model, job.entry, job.seed) for job in jobs] == [
        (model, *rest) for model in "mn" for rest in (("a", 3), ("a", 1), ("b", 5))
    ]


def test_overrides_win_over_the_entrys_own():
    entry = CampaignEntry(name="a", set={"wind.mean_mps": 3.0, "light.gain": 0.5}, seeds="1")
    (job,) = plan_flights([entry], ["m"], {"wind.mean_mps": 2.0})
    assert (job.scenario.wind.mean_mps, job.scenario.light.gain) == (2.0, 0.5)
    assert job.overrides == {"wind.mean_mps": 2.0, "light.gain": 0.5}


def test_an_entrys_keys_win_over_its_disturbances_and_the_callers_over_both():
    (fog,) = disturbance_overrides("fog", 3).values()
    (noise,) = disturbance_overrides("noise", 1).values()
    entry = CampaignEntry(name="a", disturb={"fog": 3, "noise": 1}, seeds="1")
    own = entry.model_copy(update={"set": {"fog.extinction_per_m": 0.4}})
    assert plan_flights([entry], ["m"])[0].scenario.fog.extinction_per_m == fog
    assert plan_flights([own], ["m"])[0].scenario.fog.extinction_per_m == 0.4
    (job,) = plan_flights([own], ["m"], disturb={"fog": 3})
    assert job.scenario.fog.extinction_per_m == fog
    (job,) = plan_flights([own], ["m"], {"fog.extinction_per_m": 0.01}, {"fog": 3})
    assert job.overrides == {"fog.extinction_per_m": 0.01, "camera.noise_sigma": noise}
    assert job.scenario.camera.noise_sigma == noise


@pytest.mark.parametrize(
    ("keys", "disturb", "expected"),
    [
        ({}, {}, ("none", 0.0)),
        ({"disturb": {"fog": 3}}, {}, ("fog", 3.0)),
        ({"disturb": {"fog": 0}}, {}, ("fog", 0.0)),
        ({"disturb": {"fog": 3}}, {"fog": 4}, ("fog", 4.0)),
        ({"disturb": {"fog": 3}}, {"wind": 1}, ("fog, wind", "3, 1")),
        ({"perturbation": "dusk_fog", "severity": 0.06}, {}, ("dusk_fog", 0.06)),
        ({"perturbation": "dusk", "disturb": {"sun_low": 3}}, {}, ("dusk", 0.0)),
        (
            {"perturbation": "brightness", "severity": 0.3},
            {"fog": 2},
            ("brightness, fog", "0.3, 2"),
        ),
    ],
)
def test_rows_name_perturbation_and_severity(keys, disturb, expected):
    (job,) = plan_flights([CampaignEntry(name="a", seeds="1", **keys)], ["m"], disturb=disturb)
    assert (job.perturbation, job.severity) == expected


def test_severity_zero_is_the_undisturbed_scenario():
    plain, zero = (
        plan_flights([CampaignEntry(name="a", seeds="1", disturb=disturb)], ["m"])[0]
        for disturb in ({}, dict.fromkeys(disturbance_names(), 0))
    )
    assert zero.scenario == plain.scenario
    assert zero.overrides == {}


def test_the_published_changes_are_a_campaign_of_exact_values():
    jobs = plan_flights(
        load_campaign(project_file("config/campaigns/published_deltas.yaml")).entries, ["m"]
    )
    flown = {}
    for job in jobs:
        flown.setdefault(job.perturbation, {})[job.severity] = job.scenario.delta
    values = {
        name: [getattr(by[float(s)], key) for s in (1, 2, 3, 4)]
        for name, key in (
            ("delta_brightness", "brightness"),
            ("delta_darkness", "brightness"),
            ("delta_contrast", "contrast"),
            ("delta_saturation", "saturation"),
            ("delta_noise", "noise"),
        )
        for by in (flown.pop(name),)
    }
    assert values == {
        "delta_brightness": [0.1, 0.2, 0.3, 0.4],
        "delta_darkness": [-0.1, -0.2, -0.3, -0.4],
        "delta_contrast": [0.75, 1.25, 1.75, 2.25],
        "delta_saturation": [0.5, 1.5, 2.5, 3.25],
        "delta_noise": [15.0, 30.0, 45.0, 60.0],
    }
    assert list(flown) == ["none"]
    assert all(set(job.overrides) <= {f"delta.{key}" for key in DELTAS} for job in jobs)


def test_the_survey_holds_every_disturbance_at_every_severity():
    campaign = load_campaign(project_file("config/campaigns/disturbances.yaml"))
    jobs = plan_flights(campaign.entries, ["m"])
    found = {(job.perturbation, job.severity) for job in jobs}
    assert found == {("none", 0.0)} | {
        (name, float(severity)) for name in disturbance_names() for severity in range(1, 6)
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x", "entries: field required"),
        ("name: x\nentries: []", "at least 1 item"),
        ("name: x\nentries: [{name: a, seeds: '1', speed: 3}]", "unknown key entries.0.speed"),
        ("name: x\nentries: [{name: a, seeds: '2:1'}]", "entry 'a': seeds: the range '2:1'"),
        (
            "name: x\nentries: [{name: a, seeds: '1', set: {wind.mean: 3}}]",
            "entry 'a': .*unknown key wind.mean; did you mean wind.mean_mps",
        ),
        (
            "name: x\nentries: [{name: a, seeds: '1'}, {name: a, seeds: '2'}]",
            "different names, 'a' comes twice",
        ),
        ("name: x\nentries: [{name: a, seeds: '1', scenario: moon}]", "unknown scenario 'moon'"),
        (
            "name: x\nentries: [{name: a, seeds: '1', disturb: {fogg: 1}}]",
            "entry 'a': unknown disturbance 'fogg'; did you mean fog",
        ),
        (
            "name: x\nentries: [{name: a, seeds: '1', disturb: {fog: 6}}]",
            "entry 'a': disturbance fog: expected a severity .* from 0 to 5, got 6",
        ),
        (
            "name: x\nentries: [{name: a, seeds: '1'}]\n"
            "ladders: [{disturbances: [fog], severities: [1, 9], seeds: '1'}]",
            "entry 'fog 9': disturbance fog: expected a severity .* got 9",
        ),
    ],
)
def test_bad_campaigns_are_named_in_one_line(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_campaign(write(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("7", (7,)), ("0:3", (0, 1, 2)), ("5, 1,8:10", (5, 1, 8, 9)), ("0", (0,))],
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "-1", "1.5", "1:2:3", "1,,2", ":5", "5:", "seven"])
def test_invalid_seeds_are_named(text):
    with pytest.raises(ConfigError, match="expected integers >= 0 such as 7, 0:100"):
        parse_seeds(text)


def test_an_empty_range_is_refused():
    with pytest.raises(ConfigError, match="'9:3' is empty"):
        parse_seeds("9:3")


def test_a_seed_twice_is_refused():
    with pytest.raises(ConfigError, match="names a seed twice"):
        parse_seeds("1:4,2")
