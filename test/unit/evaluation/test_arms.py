"""Arms of a campaign: who flies what, and what is refused before the first flight."""

import json
import re
from functools import partial

import pytest
from toy_evaluation import ToyPilot, toy_fly

from liquid_control.config import project_file
from liquid_control.errors import ConfigError, ModelError
from liquid_control.evaluation import Arms, FlightLog, load_campaign
from liquid_control.evaluation.arms import (
    FIRST_TEST_SEED,
    PILOTS,
    TEST_SEED_END,
    HoverPilot,
    arm_pilots,
    command_line_arms,
)
from liquid_control.evaluation.runner import flight_order, fly_missing, measure_cost
from liquid_control.training.data_pilots import FINAL_SEEDS, TRAINING_SEEDS, VALIDATION_SEEDS
from liquid_control.types import HOVER

pytestmark = pytest.mark.unit

SHIPPED = str(project_file("models/trail_cfc19"))
TEXT = """
name: c
reference: cfc19
model: {model}
train: train {{name}} {{core}} {{size}} {{training_seed}}
arms:
  - {{name: hover}}
  - {{name: expert, entries: [a]}}
  - {{name: cfc19, core: cfc_wired, training_seeds: [1, 2]}}
entries:
  - {{name: a, seeds: '10000:10003'}}
ladders:
  - {{of: a, disturbances: [wind, fog], severities: [3]}}
"""


@pytest.fixture
def campaign(tmp_path):
    def load(model=SHIPPED, **replaced):
        text = TEXT.format(model=model)
        for old, new in replaced.items():
            pattern = rf"(?m)^{old}:[^\n]*(\n  [^\n]*)*"
            text = re.sub(pattern, f"{old}: {new}" if new else "", text)
        path = tmp_path / "campaign.yaml"
        path.write_text(text)
        return load_campaign(path)

    return load


def test_seeds_of_tests_and_of_training_are_apart():
    seeds = (TRAINING_SEEDS, VALIDATION_SEEDS, FINAL_SEEDS)
    assert FIRST_TEST_SEED < TEST_SEED_END <= min(seeds)
    for path in sorted(project_file("config/campaigns").glob("*.yaml")):
        campaign = load_campaign(path)
        if campaign.arms:
            arms = Arms(campaign, arm_pilots(campaign), {}, True)
            # Reported seeds; those from 20,000 on are for choosing.
            assert {job.seed for job in arms.flights()} <= set(range(10_000, 20_000))


def test_the_shipped_benchmark_flies_every_core_on_the_same_flights():
    campaign = load_campaign(project_file("config/campaigns/benchmark.yaml"))
    arms = Arms(campaign, arm_pilots(campaign), {}, True)
    flown = {}
    for job in arms.flights():
        flown.setdefault(job.model, []).append((job.entry, job.seed, job.overrides))
    assert len({json.dumps(flights) for flights in flown.values()}) == 1
    seeds = {arm.name: arm.training_seeds for arm in campaign.arms if arm.core}
    assert all(len(own) >= 2 for own in seeds.values())
    assert [seeds[name] for name in ("cfc19", "lstm", "gru", "mlp")] == [[1, 2, 3]] * 4
    from liquid_control.cores import CORES

    assert {arm.core for arm in campaign.arms if arm.core} <= CORES.keys()
    quick = load_campaign(project_file("config/campaigns/benchmark-quick.yaml"))
    assert 250 <= len(Arms(quick, arm_pilots(quick), {}, True).flights()) <= 300


def test_every_arm_flies_its_entries_with_equal_seeds_and_scenarios(campaign):
    arms = Arms.choose(campaign(), [], False)
    jobs = arms.flights()
    flown = {}
    for job in jobs:
        flown.setdefault(job.model, {})[job.entry, job.seed] = job.scenario
    assert list(flown) == ["hover", "expert", "cfc19-1", "cfc19-2"]
    assert {entry for entry, _ in flown["expert"]} == {"a"}
    assert flown["hover"] == flown["cfc19-1"] == flown["cfc19-2"]
    assert {seed for _, seed in flown["hover"]} == {10_000, 10_001, 10_002}
    assert sum(entry == "a" for entry, _ in flown["hover"]) == 3, "undisturbed flights fly once"
    assert arms.folders["cfc19-2"] == SHIPPED


def test_flights_advance_forest_by_forest_with_all_arms_side_by_side(campaign):
    jobs = Arms.choose(campaign(), [], False).flights()
    order = [jobs[index] for index in flight_order(jobs)]
    assert sorted(flight_order(jobs)) == list(range(len(jobs)))
    assert [job.seed for job in order] == sorted(job.seed for job in jobs)
    assert [(job.entry, job.model) for job in order[:5]] == [
        ("a", "hover"),
        ("a", "expert"),
        ("a", "cfc19-1"),
        ("a", "cfc19-2"),
        ("a, wind 3", "hover"),
    ]


def test_a_missing_model_names_its_training_or_is_skipped_and_stated(campaign):
    message = (
        r"arm 'cfc19-1': model folder none/cfc19-1 does not exist and 1 more; train it with: "
        r"train cfc19 cfc_wired small 1; or pass --skip-missing"
    )
    missing = campaign("none/{name}-{training_seed}")
    with pytest.raises(ModelError, match=message):
        Arms.choose(missing, [], False)
    alone = campaign("none/{name}-{training_seed}", arms="[{name: cfc19, training_seeds: [1, 2]}]")
    with pytest.raises(ModelError, match=r"cfc19-1 does not exist and 1 more"):
        Arms.choose(alone, [], True)
    arms = Arms.choose(missing, [], True)
    assert arms.missing == {"cfc19-1": "none/cfc19-1", "cfc19-2": "none/cfc19-2"}
    assert arms.folders == {"hover": "hover", "expert": "expert"}
    assert [arm["missing"] for arm in arms.config()["arms"]] == [[], [], ["cfc19-1"], ["cfc19-2"]]


def test_the_core_and_its_weights_are_recorded(campaign):
    arms = Arms.choose(campaign(), [], False).config()["arms"]
    assert [arm["parameters"] is None for arm in arms] == [True, True, False, False]
    assert arms[2]["core"] == "cfc_wired"
    assert 300 < arms[2]["parameters"] <= 2500


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (
            {"arms": "[{name: x, core: lstm}]", "reference": "x"},
            "arm 'x': expected a model with core lstm, got cfc_wired",
        ),
        ({"arms": "[{name: x}]", "reference": "", "model": ""}, "arm 'x': expected a model"),
        ({"arms": "[{name: hover}]"}, "reference: no arm 'cfc19'; there are: hover"),
        ({"arms": "[{name: x}, {name: x}]"}, "arms must have different names, 'x' comes twice"),
        (
            {"arms": "[{name: cfc19, entries: [b*]}]"},
            r"arm 'cfc19': no entry matches 'b\*'",
        ),
        (
            {"arms": "[{name: cfc19, model: {trial: x}}]"},
            "model: expected tasks or scenarios of trail, target, hike.* got 'trial'",
        ),
        (
            {"arms": "[{name: cfc19, model: {target: x}}]", "train": ""},
            "model folder x does not exist",
        ),
        ({"model": "'{nome}'"}, r"'\{nome\}': expected names in braces of name, core"),
        ({"entries": "[{name: a, seeds: '9999'}]", "train": ""}, "from 10000 to 99999999, got 99"),
        (
            {"entries": "[{name: a, seeds: '100000000'}]"},
            "expected seeds of tests, .* got 100000000; training uses those from 100000000",
        ),
        ({"entries": "[{name: b, seeds: '10000'}]"}, "'a, wind 3': of: no undisturbed entry 'a'"),
        (
            {"ladders": "[{of: a, disturbances: [wind], seeds: '10003'}]"},
            "'a, wind 1': expected seeds of 'a', 10000:10003, got 10003",
        ),
        (
            {"ladders": "[{of: a, disturbances: [fogg]}]"},
            "unknown disturbance 'fogg'; did you mean fog",
        ),
        (
            {"claims": "[{claim: c, entries: [z], at_least: 0.5}]"},
            "claim 'c': no entry matches 'z'",
        ),
        (
            {"claims": "[{claim: c, entries: [a], at_least: 0.5, relative: z}]"},
            "claim 'c': relative: ",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_before_the_first_flight(campaign, replaced, message):
    if "claims" in replaced:
        replaced["name"] = f"c\nclaims: {replaced.pop('claims')}"
    with pytest.raises((ConfigError, ModelError), match=message):
        Arms.choose(campaign(**replaced), [], False).flights()


def test_models_of_the_command_line_replace_the_campaigns(campaign):
    chosen = Arms.choose(campaign(), ["expert", SHIPPED], False)
    assert [arm.label for arm in chosen.pilots] == ["expert", "trail_cfc19"]
    assert not chosen.extendable
    with pytest.raises(ConfigError, match="'trail_cfc19' comes twice"):
        Arms.choose(campaign(), [SHIPPED, SHIPPED], False)
    plain = campaign(arms="", reference="")
    with pytest.raises(ConfigError, match="expected --model FOLDER"):
        Arms.choose(plain, [], False)


def test_a_model_for_each_task_is_one_arm(campaign):
    claims = load_campaign(project_file("config/campaigns/claims.yaml"))
    words = ["trail=runs/x", "occlusion=runs/y"]
    policy, expert = sorted(command_line_arms(words, claims), key=lambda arm: arm.label)
    assert (policy.label, expert.label) == ("cfc19", "expert")
    assert policy.folders == {
        "trail": "runs/x",
        "target": "models/target_cfc19",
        "occlusion": "runs/y",
        "rotation": "models/target_cfc19",
    }
    jobs = {job.entry: job for job in Arms(claims, [policy], {}, True).flights()}
    keys = {entry: jobs[entry].pilot_key for entry in ("trail 5", "occlusion", "target, 10 m")}
    assert keys == {
        "trail 5": "cfc19 (trail)",
        "occlusion": "cfc19 (occlusion)",
        "target, 10 m": "cfc19 (target)",
    }
    (alone,) = command_line_arms(["trail=runs/x"], campaign(arms="", reference=""))
    assert (alone.label, alone.folders) == ("policy", {"trail": "runs/x"})


def test_hover_does_nothing():
    pilot = HoverPilot()
    assert pilot.name in PILOTS
    assert pilot.command(None, None) == HOVER


# --- a campaign that grows with its models


def logged(path, arms, pilots):
    jobs = arms.flights()
    plan, marks = arms.plan(jobs, pilots)
    log = FlightLog.open(path, jobs, plan, config={}, command="x", resume=True, marks=marks)
    return jobs, log


def test_arms_whose_models_come_later_are_flown_later(campaign, tmp_path):
    path = tmp_path / "rows.jsonl"
    arms = Arms.choose(campaign("none/{training_seed}"), [], True)
    pilots = {key: partial(ToyPilot, key) for key in arms.folders}
    jobs, log = logged(path, arms, pilots)
    with log:
        rows = fly_missing(jobs, toy_fly, pilots, 1, log=log)
        assert {row.model for row in rows} == {"hover", "expert"}
        assert not log.complete
    pilots |= {key: partial(ToyPilot, key) for key in ("cfc19-1", "cfc19-2")}
    jobs, log = logged(path, arms, pilots)
    with log:
        assert len(log.rows) == len(rows)
        rows = fly_missing(jobs, toy_fly, pilots, 1, log=log)
        assert log.complete
    assert [(row.model, row.entry, row.seed) for row in rows] == [
        (job.model, job.entry, job.seed) for job in jobs
    ]
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    flown = sorted((row["model"], row["entry"], row["seed"]) for row in lines if "seed" in row)
    assert flown == sorted((job.model, job.entry, job.seed) for job in jobs)
    marked = [line["pilot"] for line in lines if "pilot" in line]
    assert marked == ["hover", "expert", "cfc19-1", "cfc19-2"]
    with pytest.raises(ConfigError, match="'cfc19-2': its model has changed since its flights"):
        logged(path, arms, pilots | {"cfc19-2": partial(ToyPilot, "another")})


def test_the_cost_is_that_of_flights_spread_over_the_campaign(campaign):
    jobs = Arms.choose(campaign(), [], False).flights()
    flown = []

    def record(scenario, seed, pilot, watch=None):
        flown.append((pilot.name, seed))
        return toy_fly(scenario, seed, pilot)

    names = ("hover", "expert", "cfc19-1", "cfc19-2")
    pilots = {name: partial(ToyPilot, name) for name in names}
    cost = measure_cost(jobs, record, pilots, 12)
    assert (cost.flights, cost.measured) == (len(jobs), 12)
    assert len(flown) == 13, "one before, which loads libraries"
    assert {name for name, _ in flown} == set(names)
    assert cost.core_hours == pytest.approx(len(jobs) * cost.mean_s / 3600)
    assert f"{len(jobs)} flights of " in str(cost)
    assert 0.0 <= cost.mean_s < 1.0
