import numpy as np
import pytest
from toy_flight import ToyExpert, ToyWorld
from toy_run import toy_settings

from liquid_control.config import load_scenario, project_file
from liquid_control.evaluation import load_campaign, parse_seeds
from liquid_control.interfaces import Demonstrator
from liquid_control.perception import imu_features
from liquid_control.training.data_pilots import (
    TRAINING_SEEDS,
    DataPilot,
    PushDisturbance,
    PushedPilot,
    round_plans,
    validation_seed,
)
from liquid_control.training.training_settings import DisturbanceSettings
from liquid_control.types import NANOSECONDS, Command, ImuWindow, Observation, VehicleState

pytestmark = pytest.mark.unit


PERIOD_NS = 50_000_000


class Still:
    """A learner with a constant command."""

    name = "still"
    frames = 0

    def start(self, world):
        self.frames = 0

    def command(self, observation, truth):
        self.frames += 1
        return Command(0.25, 0.0, 0.0, 0.0)


def frame(index):
    imu = ImuWindow(np.array([index]), np.full((1, 3), 0.1), np.array([[0.0, 0.0, 9.81]]))
    return Observation(1_000 + index * PERIOD_NS, np.full((4, 4, 3), index % 250, np.uint8), imu)


def truth(y):
    return VehicleState(
        np.array([0.0, y, 1.5]), np.array([0, 0, 0, 1.0]), np.zeros(3), np.zeros(3)
    )


def flown(pilot, frames=400):
    pilot.start(ToyWorld(load_scenario("trail")))
    return [pilot.command(frame(i), truth(0.4)) for i in range(frames)]


def data_pilot(learner=None, beta=1.0, disturbance=None, seed=1):
    return DataPilot(ToyExpert(), learner, beta, 1.5, disturbance, seed)


def test_undisturbed_expert_flies_what_it_labels():
    pilot = data_pilot()
    commands = flown(pilot, 20)
    assert [command.values for command in commands] == pilot.log.labels
    assert all(pilot.log.by_expert)
    assert pilot.log.labels[0] == pytest.approx((2.0, -0.6, 0.0, -0.16))


def test_every_frame_is_logged_as_the_policy_receives_it():
    pilot = data_pilot()
    flown(pilot, 3)
    assert pilot.log.stamps_ns == [1_000, 1_000 + PERIOD_NS, 1_000 + 2 * PERIOD_NS]
    assert pilot.log.images[2][0, 0, 0] == 2
    np.testing.assert_array_equal(pilot.log.imu[1], imu_features(frame(1).imu))


def test_disturbance_moves_the_command_and_leaves_the_label():
    pilot = data_pilot(disturbance=PushDisturbance(DisturbanceSettings(share=1.0), 7))
    commands = flown(pilot)
    pushes = np.array([c.values for c in commands]) - np.array(pilot.log.labels)
    assert np.array(pilot.log.labels).std(axis=0).max() < 1e-12
    assert 0.3 < pushes[:, 1].std() / 0.8 < 1.0
    # Half a sine a second, 20 frames: no step is larger than a sixth of the largest push.
    assert np.abs(np.diff(pushes, axis=0)).max() < np.abs(pushes).max() / 6.0


def test_disturbance_is_a_function_of_time_not_of_frame_rate():
    push = PushDisturbance(DisturbanceSettings(), 7)
    again = PushDisturbance(DisturbanceSettings(), 7)
    for tenth in range(0, 300, 7):
        elapsed_ns = tenth * NANOSECONDS // 10
        assert push.apply(Command(), elapsed_ns) == again.apply(Command(), elapsed_ns)
    other = PushDisturbance(DisturbanceSettings(share=1.0), 8)
    assert push.apply(Command(), 4_500_000_000) != other.apply(Command(), 4_500_000_000)


def test_learner_flies_a_fraction_of_segments():
    pilot = data_pilot(Still(), beta=0.3)
    commands = flown(pilot, 12_000)
    by_expert = np.array(pilot.log.by_expert)
    # 400 segments of 0.3: beyond 4.5 standard deviations with probability 7e-6.
    assert abs(by_expert.mean() - 0.3) < 4.5 * np.sqrt(0.21 / 400)
    changes = np.flatnonzero(np.diff(by_expert)) + 1
    assert set(changes % 30) == {0}
    forward = np.array([command.forward_mps for command in commands])
    np.testing.assert_array_equal(forward, np.where(by_expert, 2.0, 0.25))


def test_learner_receives_every_frame():
    learner = Still()
    flown(data_pilot(learner, beta=1.0), 50)
    assert learner.frames == 50


def test_start_discards_the_flight_before():
    pilot = data_pilot()
    flown(pilot, 5)
    flown(pilot, 2)
    assert len(pilot.log.images) == 2


def pushed_flight(seed, count=200):
    """Return rows of (shown, flown) commands, float64 [T, 2, 4], and the expert's own."""
    world = ToyWorld(load_scenario("trail"))
    world.seed = seed
    pilot, alone = PushedPilot(ToyExpert(), DisturbanceSettings(share=1.0)), ToyExpert()
    for one in (pilot, alone):
        one.start(world)
    rows, clean = [], []
    for index in range(count):
        flown = pilot.command(frame(index), truth(0.2)).values
        rows.append((pilot.shown.values, flown))
        clean.append(alone.command(frame(index), truth(0.2)).values)
    return np.array(rows), np.array(clean)


def test_a_pushed_pilot_shows_the_clean_command_and_flies_another():
    rows, clean = pushed_flight(seed=3)
    np.testing.assert_array_equal(rows[:, 0], clean)
    pushes = rows[:, 1] - clean
    assert np.all(np.abs(pushes).max(axis=0) > 0.1)
    # A push is zero at the start of each segment of a second.
    np.testing.assert_allclose(pushes[::20], 0.0, atol=1e-12)


def test_pushes_are_a_function_of_the_flights_seed():
    np.testing.assert_array_equal(pushed_flight(3)[0], pushed_flight(3)[0])
    assert not np.array_equal(pushed_flight(3)[0], pushed_flight(4)[0])


def test_a_pushed_pilot_is_a_demonstrator_and_has_its_name():
    pilot = PushedPilot(ToyExpert(), DisturbanceSettings())
    assert isinstance(pilot, Demonstrator)
    assert not isinstance(ToyExpert(), Demonstrator)
    assert pilot.name == "expert:pushed"


MOST_FLIGHTS = 2000
"""Largest valid `flights.cloning` and `flights.dagger`."""


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


def test_only_cloning_flights_are_disturbed_and_beta_falls():
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
