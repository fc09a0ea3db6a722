import numpy as np
import pytest
from toy_flight import ToyExpert, ToyWorld

from liquid_control.config import load_scenario
from liquid_control.interfaces import Demonstrator
from liquid_control.perception.imu_features import imu_features
from liquid_control.training.data_pilots import DataPilot, PushDisturbance, PushedPilot
from liquid_control.training.training_settings import DisturbanceSettings
from liquid_control.types import NANOSECONDS, Command, ImuWindow, Observation, VehicleState

pytestmark = pytest.mark.unit

PERIOD_NS = 50_000_000


class Still:
    """A learner that always answers the same."""

    name = "still"
    seen = 0

    def start(self, world):
        self.seen = 0

    def command(self, observation, truth):
        self.seen += 1
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


def data_pilot(learner=None, share=1.0, disturbance=None, seed=1):
    return DataPilot(ToyExpert(), learner, share, 1.5, disturbance, seed)


def test_undisturbed_expert_flies_what_it_labels():
    pilot = data_pilot()
    commands = flown(pilot, 20)
    assert [command.values for command in commands] == pilot.log.labels
    assert all(pilot.log.by_expert)
    assert pilot.log.labels[0] == pytest.approx((2.0, -0.6, 0.0, -0.16))


def test_every_frame_is_logged_as_the_policy_would_have_seen_it():
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


def test_learner_flies_its_share_by_segments():
    pilot = data_pilot(Still(), share=0.3)
    commands = flown(pilot, 12_000)
    by_expert = np.array(pilot.log.by_expert)
    # 400 segments of 0.3: beyond 4.5 standard deviations with probability 7e-6.
    assert abs(by_expert.mean() - 0.3) < 4.5 * np.sqrt(0.21 / 400)
    changes = np.flatnonzero(np.diff(by_expert)) + 1
    assert set(changes % 30) == {0}
    forward = np.array([command.forward_mps for command in commands])
    np.testing.assert_array_equal(forward, np.where(by_expert, 2.0, 0.25))


def test_learner_sees_every_frame_whoever_flies():
    learner = Still()
    flown(data_pilot(learner, share=1.0), 50)
    assert learner.seen == 50


def test_start_forgets_the_flight_before():
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
    # A push swells from nothing at the start of each segment of a second.
    np.testing.assert_allclose(pushes[::20], 0.0, atol=1e-12)


def test_pushes_are_a_function_of_the_flights_seed():
    np.testing.assert_array_equal(pushed_flight(3)[0], pushed_flight(3)[0])
    assert not np.array_equal(pushed_flight(3)[0], pushed_flight(4)[0])


def test_a_pushed_pilot_is_a_demonstrator_and_is_called_so():
    pilot = PushedPilot(ToyExpert(), DisturbanceSettings())
    assert isinstance(pilot, Demonstrator)
    assert not isinstance(ToyExpert(), Demonstrator)
    assert pilot.name == "expert:pushed"
