"""Checks before the first flight: what cannot be flown is named, and nothing is flown."""

import pytest
from toy_evaluation import ToyPilot, toy_fly

from liquid_control.config import project_file
from liquid_control.errors import ConfigError, ModelError
from liquid_control.evaluation import (
    Campaign,
    CampaignEntry,
    check_pilots,
    check_scenes,
    evaluate,
    plan_flights,
)
from liquid_control.policy import Policy, PolicyPilot, load_model

pytestmark = pytest.mark.unit


def policy_pilot():
    return PolicyPilot(Policy(load_model(project_file("models/trail_cfc19"))))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"camera.width": 64, "camera.height": 64}, r"at least \d+x\d+ of that shape, .*64x64"),
        (
            {"camera.width": 48, "camera.height": 27},
            "got a smaller image, 48x27; add --set camera.width=128 --set camera.height=72",
        ),
        ({"camera.horizontal_fov_deg": 60.0}, "field of view of 70 to 110 .*, got 60"),
        ({"camera.pitch_down_deg": 0.0}, "pitched down by 5 to 30 .*, got 0"),
    ],
)
def test_an_entry_that_a_model_cannot_fly_is_named_before_the_first_flight(keys, message):
    entries = [CampaignEntry(name="calm", seeds="1"), CampaignEntry(name="x", set=keys, seeds="1")]
    flown = []

    def fly(*_):
        flown.append(1)

    campaign = Campaign(name="c", entries=entries)
    with pytest.raises(ModelError, match=f"^entry 'x': trail cannot fly it: .*{message}"):
        evaluate(fly, {"hover": ToyPilot, "trail": policy_pilot}, campaign)
    assert flown == []


def test_pilots_are_identified():
    jobs = plan_flights([CampaignEntry(name="calm", seeds="1")], ["hover", "trail"])
    marks = check_pilots(jobs, {"hover": ToyPilot, "trail": policy_pilot})
    assert marks["hover"] == {"pilot": "hover"}
    assert sorted(marks["trail"]) == [
        "name",
        "sha256 model.yaml",
        "sha256 perception.onnx",
        "sha256 weights.npz",
    ]


def test_what_a_simulator_refuses_is_named_with_its_seed_and_equal_places_are_checked_once():
    dark = CampaignEntry(name="dark", set={"light.gain": 0.1}, seeds="1:4")
    wide = CampaignEntry(name="wide", set={"trail.half_width_m": 2.0}, seeds="1:4")
    jobs = plan_flights([CampaignEntry(name="calm", seeds="1:4"), dark, wide], ["a", "b"])
    checked = []

    def check(scenario, seed):
        checked.append(seed)
        if scenario.trail.half_width_m == 2.0 and seed == 2:
            raise ConfigError("trail.half_width_m: expected less")

    with pytest.raises(ConfigError, match=r"^entry 'wide', seed 2: cannot be flown: trail"):
        check_scenes(jobs, check)
    assert checked == [1, 2, 3, 1, 2]


def test_flights_that_can_be_flown_pass():
    jobs = plan_flights([CampaignEntry(name="calm", seeds="1")], ["hover"])
    check_scenes(jobs, lambda *_: None)
    assert check_pilots(jobs, {"hover": ToyPilot}) == {"hover": {"pilot": "hover"}}
    assert toy_fly(jobs[0].scenario, 1, ToyPilot()).result.reason
