import pytest

from liquid_control.config import project_file
from liquid_control.errors import ConfigError
from liquid_control.evaluation import Entry, load_campaign, plan_flights

pytestmark = pytest.mark.unit

FIRST_UNSEEN_SEED = 10_000


def write(tmp_path, text):
    path = tmp_path / "campaign.yaml"
    path.write_text(text)
    return path


def test_every_shipped_campaign_loads_and_flies_unseen_seeds():
    paths = sorted(project_file("config/campaigns").glob("*.yaml"))
    assert {"first_flight.yaml", "trail.yaml"} <= {path.name for path in paths}
    for path in paths:
        jobs = plan_flights(load_campaign(path).entries, ["m"])
        assert min(job.seed for job in jobs) >= FIRST_UNSEEN_SEED


def test_the_trail_campaign_holds_the_flights_that_results_are_quoted_for():
    campaign = load_campaign(project_file("config/campaigns/trail.yaml"))
    jobs = plan_flights(campaign.entries, ["m"])
    count = {
        entry.name: sum(job.entry == entry.name for job in jobs) for entry in campaign.entries
    }
    assert list(count.values()) == [100, 100, 50, 50, 50, 50, 50, 50, 50]
    gusty = next(job for job in jobs if job.perturbation == "wind").scenario
    assert (gusty.wind.mean_mps, gusty.wind.gust_mps) == (4.0, 6.0)


def test_jobs_come_model_by_model_and_entry_by_entry():
    entries = [Entry(name="a", seeds="3,1"), Entry(name="b", seeds="5")]
    jobs = plan_flights(entries, ["m", "n"])
    assert [(job.model, job.entry, job.seed) for job in jobs] == [
        (model, *rest) for model in "mn" for rest in (("a", 3), ("a", 1), ("b", 5))
    ]


def test_overrides_win_over_the_entrys_own():
    entry = Entry(name="a", set={"wind.mean_mps": 3.0, "light.gain": 0.5}, seeds="1")
    (job,) = plan_flights([entry], ["m"], {"wind.mean_mps": 2.0})
    assert (job.scenario.wind.mean_mps, job.scenario.light.gain) == (2.0, 0.5)
    assert job.overrides == {"wind.mean_mps": 2.0, "light.gain": 0.5}


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
    ],
)
def test_bad_campaigns_are_named_in_one_line(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_campaign(write(tmp_path, text))
    assert "\n" not in str(caught.value)
