"""Actions of the guard's rules: equal in a flight in process, in its bag, and in its replay."""

from pathlib import Path

import pytest

from liquid_control.bags import Losses, load_rules, open_bag, read_bag, read_flight, resolve
from liquid_control.command import Envelope, Guard, GuardAction, GuardEvent, GuardRules
from liquid_control.evaluation import CampaignEntry, plan_flights
from liquid_control.evaluation.bag_recorder import fly_and_record
from liquid_control.evaluation.flight_data import fly_and_capture
from liquid_control.evaluation.flight_views import flight_markers
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.replay import BACKENDS, FeatureExtractor, Player, replay
from liquid_control.replay.replay_evaluation import recorded_guard
from liquid_control_sim.flight import fly

pytestmark = pytest.mark.sim

MODEL = Path("models/trail_cfc19")
RULES = GuardRules(
    fence_corners=[-4.0, -30.0, 3.0, -30.0, 3.0, 30.0, -4.0, 30.0],
    fence_margin_m=0.5,
    camera_max_age_s=0.1,
    picture_max_repeats=50,
)
SETTINGS = {
    "time_limit_s": 4.0,
    "trail.length_m": 60.0,
    "forest.trees": 0,
    "camera.drop_rate": 0.5,
}


def guarded(scenario, seed, pilot, watch=None):
    """Fly with the rules."""
    guard = Guard(Envelope.for_camera(scenario.camera.rate_hz), RULES)
    return fly(scenario, seed, pilot, watch, guard)


def test_flight_bag_and_replay_have_the_same_actions_and_the_page_names_them(tmp_path):
    entry = CampaignEntry(name="fenced", scenario="trail", seeds="3", set=SETTINGS)
    (job,) = plan_flights([entry], ["trail_cfc19"])
    policy, path = Policy(load_model(MODEL)), tmp_path / "a.mcap"
    fly_and_record(guarded, job, PolicyPilot(policy), path, "png", RULES)
    flight = fly_and_capture(guarded, job.scenario, job.seed, PolicyPilot(policy), "fenced")
    bag, losses = open_bag(path), Losses()
    guard = recorded_guard(bag.metadata)
    player = Player(FeatureExtractor(policy), BACKENDS["flight"](policy.model), guard)
    replay(read_flight(bag, resolve(bag, load_rules()), losses), [player])

    assert guard.rules == RULES
    assert flight.guard == read_bag(path).guard == player.replayed().guard
    acted = {(one.event, one.action) for _, acting in flight.guard for one in acting}
    assert {
        (GuardEvent.FENCE_NEAR, GuardAction.SLOW),
        (GuardEvent.CAMERA_STALE, GuardAction.HOVER),
    } <= acted
    texts = [one.text for one in flight_markers(flight) if one.kind == "guard"]
    assert any(text.startswith("guard fence_near: slow, forward +") for text in texts)
    assert "guard camera_stale: hover" in texts
