import pytest
from toy_run import toy_settings

from liquid_control.config import project_file
from liquid_control.evaluation import load_campaign, parse_seeds
from liquid_control.training.data_pilots import TRAINING_SEEDS, round_plans, validation_seed

pytestmark = pytest.mark.unit

MOST_FLIGHTS = 2000
"""The largest `flights.cloning` and `flights.dagger` that the settings take."""


def test_same_settings_plan_the_same_flights():
    settings = toy_settings()
    assert round_plans(settings, 1) == round_plans(settings, 1)
    assert len(round_plans(settings, 0)) == 4
    assert len(round_plans(settings, 1)) == 2


def test_no_two_flights_share_a_seed():
    settings = toy_settings(flights={"cloning": 20, "dagger": 20, "rounds": 2})
    seeds = [plan.seed for round_ in range(3) for plan in round_plans(settings, round_)]
    seeds += [validation_seed(settings, i, final) for i in range(5000) for final in (0, 1)]
    other = [plan.seed for plan in round_plans(toy_settings(seed=4), 0)]
    assert round_plans(settings, 1)[0].seed - round_plans(settings, 0)[0].seed == MOST_FLIGHTS
    assert len(set(seeds)) == len(seeds)
    assert not set(seeds) & set(other)
    assert min(seeds) >= TRAINING_SEEDS


def test_only_cloning_flights_are_disturbed_and_the_share_of_the_expert_falls():
    settings = toy_settings(flights={"rounds": 4, "expert_share": [0.5, 0.2], "dagger": 1})
    plans = [round_plans(settings, round_)[0] for round_ in range(5)]
    assert [plan.disturbed for plan in plans] == [True, False, False, False, False]
    assert [plan.beta for plan in plans] == [1.0, 0.5, 0.2, 0.2, 0.2]


def test_demonstrations_lie_outside_of_every_runs_seeds():
    path = project_file("config/campaigns/demonstrations.yaml")
    seeds = [seed for entry in load_campaign(path).entries for seed in parse_seeds(entry.seeds)]
    last_run = toy_settings(seed=999)
    assert len(seeds) == 30
    assert min(seeds) > validation_seed(last_run, 100_000, final=True)
