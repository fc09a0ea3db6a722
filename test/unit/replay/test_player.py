"""A player against the pilot that flies in process, and what it does with frames it cannot use."""

import numpy as np
import pytest

from liquid_control.bags.events import (
    CameraInfoEvent,
    ClockEvent,
    CommandEvent,
    CommandSource,
    FrameEvent,
)
from liquid_control.config import project_file
from liquid_control.errors import BagError
from liquid_control.perception.picture_statistics import PictureDistribution, picture_statistics
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.replay import BACKENDS, FeatureExtractor, Player, RecordingCollector, replay
from liquid_control.replay.distribution_shift import PictureStatisticsCollector, picture_shift
from liquid_control.types import HOVER, Command, ImuWindow, Observation, VehicleState

pytestmark = pytest.mark.unit

TRUTH = VehicleState(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3), np.zeros(3))
BAD = -1


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy(load_model(project_file("models/trail_cfc19")))


def frames(count=40, seed=0, size=(54, 96)) -> list[FrameEvent]:
    """Return smooth random pictures with irregular stamps and IMU windows of 0 to 19 samples."""
    rng = np.random.default_rng(seed)
    stamps = np.cumsum(rng.integers(20_000_000, 200_000_000, count))
    seen = []
    for stamp in stamps.tolist():
        coarse = rng.integers(0, 256, (6, 8, 3)).astype(np.float64)
        image = np.kron(coarse, np.ones((-(-size[0] // 6), -(-size[1] // 8), 1)))
        samples = int(rng.integers(0, 20))
        imu = ImuWindow(
            stamp - np.arange(samples, dtype=np.int64)[::-1] * 1_000_000,
            rng.normal(0, 0.3, (samples, 3)),
            np.array([0, 0, 9.81]) + rng.normal(0, 1, (samples, 3)),
        )
        picture = image[: size[0], : size[1]].astype(np.uint8)
        seen.append(FrameEvent(Observation(stamp, picture, imu), stamp))
    return seen


def altered(seen: FrameEvent, **changes) -> FrameEvent:
    now = seen.observation
    kept = {"stamp_ns": now.stamp_ns, "image": now.image, "imu": now.imu} | changes
    return FrameEvent(Observation(**kept), kept["stamp_ns"])


def play(policy, events, backend="flight", change=None):
    player = Player(FeatureExtractor(policy, change), BACKENDS[backend](policy))
    replay(events, [player])
    return player.replayed()


def fly(policy, events):
    pilot = PolicyPilot(policy)
    return np.array([pilot.command(seen.observation, TRUTH).values for seen in events])


def test_a_player_answers_as_the_pilot_that_flies_bit_for_bit(policy):
    events = frames()
    found = play(policy, events)
    np.testing.assert_array_equal(found.track.policy.values, fly(policy, events))
    np.testing.assert_array_equal(
        found.track.policy.stamp_ns, [s.observation.stamp_ns for s in events]
    )
    assert found.track.features.values.shape == (40, 34)
    assert found.track.states.values.shape == found.track.gates.values.shape == (40, 19)
    assert found.lockstep is True
    assert (found.frames, found.refused.total(), found.fresh, found.withheld) == (40, 0, 0, 0)
    assert np.ptp(found.track.policy.values, axis=0).min() > 0.01


@pytest.mark.parametrize("backend", ["reference", "onnx"])
def test_backends_agree(policy, backend):
    events = frames(200, seed=1)
    there = play(policy, events, backend).track
    here = play(policy, events).track
    np.testing.assert_allclose(there.policy.values, here.policy.values, atol=1e-5, rtol=0)
    np.testing.assert_allclose(there.states.values, here.states.values, atol=1e-5, rtol=0)
    np.testing.assert_allclose(there.gates.values, here.gates.values, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(there.features.values, here.features.values)


def test_a_frame_that_cannot_be_used_is_answered_with_hover_and_leaves_the_state(policy):
    events = frames()
    broken = list(events)
    nan = ImuWindow(np.zeros(1, np.int64), np.full((1, 3), np.nan), np.zeros((1, 3)))
    broken[10] = altered(events[10], imu=nan)
    broken[11] = altered(events[11], image=np.zeros((20, 20, 3), np.uint8))
    found = play(policy, broken)
    assert found.refused.total() == 2
    np.testing.assert_array_equal(found.track.policy.values[[10, 11]], np.zeros((2, 4)))
    whole = [*events[:10], *events[12:]]
    answered = np.delete(found.track.policy.values, [10, 11], axis=0)
    np.testing.assert_array_equal(answered, fly(policy, whole))
    assert len(found.track.states) == 38
    assert any("20x20" in reason for reason in found.refused)


def test_a_gap_or_a_jump_back_begins_from_a_fresh_state(policy):
    first, second = frames(40, seed=3), frames(12, seed=4)
    behind = play(policy, [*first, *second])
    assert behind.fresh == 1
    np.testing.assert_array_equal(behind.track.policy.values[40:], fly(policy, second))
    late_ns = first[-1].observation.stamp_ns + 2_000_000_000
    late = [altered(s, stamp_ns=s.observation.stamp_ns + late_ns) for s in second]
    ahead = play(policy, [*first, *late])
    assert ahead.fresh == 1
    np.testing.assert_array_equal(ahead.track.policy.values[40:], fly(policy, late))


def test_a_stamp_that_comes_twice_is_refused(policy):
    events = frames(5)
    found = play(policy, [*events, events[-1], altered(events[-1])])
    assert found.refused.total() == 2
    assert any("expected a frame stamped after" in reason for reason in found.refused)


def test_a_frame_that_is_not_delivered_leaves_its_imu_samples_to_the_next(policy):
    events = frames()
    found = play(policy, events, change=lambda image, stamp, index: None if index == 20 else image)
    joined = ImuWindow.joined([events[20].observation.imu, events[21].observation.imu])
    left = [*events[:20], altered(events[21], imu=joined), *events[22:]]
    np.testing.assert_array_equal(found.track.policy.values, fly(policy, left))
    assert found.withheld == 1


def test_changed_pictures_are_at_the_models_size(policy):
    shapes = set()

    def note(image, stamp_ns, index):
        shapes.add(image.shape)
        return image

    events = frames(3, size=(480, 640))
    found = play(policy, [CameraInfoEvent(640, 480, 90.0, np.empty(0)), *events], change=note)
    assert shapes == {(54, 96, 3)}
    assert found.refused.total() == 0


def test_a_larger_camera_is_cut_to_the_models_view(policy):
    seen = frames(6, seed=5, size=(480, 640))
    events = [CameraInfoEvent(640, 480, 90.0, np.empty(0)), *seen]
    cut = [altered(s, image=s.observation.image[60:420]) for s in seen]
    np.testing.assert_array_equal(
        play(policy, events).track.policy.values, play(policy, cut).track.policy.values
    )


def test_what_a_camera_of_another_shape_shows_is_not_guessed(policy):
    found = play(policy, frames(6, size=(480, 640)))
    (reason,) = found.refused
    assert "got 640x480" in reason
    assert "--topic camera=/name,DEGREES" in reason
    assert found.refused[reason] == 6


def test_a_camera_that_sees_less_is_refused_once_it_tells(policy):
    told = CameraInfoEvent(96, 54, 60.0, np.empty(0))
    found = play(policy, [told, *frames(4)])
    assert found.refused.total() == 4
    assert "field of view" in next(iter(found.refused))
    assert len(found.track.states) == 0


def test_players_of_one_model_look_at_a_frame_once(policy):
    looked = []
    extractor = FeatureExtractor(policy, lambda image, stamp, index: looked.append(index) or image)
    players = [Player(extractor, BACKENDS[name](policy)) for name in BACKENDS]
    replay(frames(7), players)
    assert looked == list(range(7))


def test_clocks_let_the_guard_hover(policy):
    (seen,) = frames(1)
    stamp = seen.observation.stamp_ns
    clocks = [ClockEvent(stamp + tick * 25_000_000) for tick in range(12)]
    found = play(policy, [seen, *clocks])
    assert len(found.track.guarded) == 12
    assert tuple(found.track.guarded.values[-1]) == HOVER.values
    assert tuple(found.track.guarded.values[0]) != HOVER.values


def test_the_tape_keeps_commands_by_speaker_and_refuses_two_networks():
    from liquid_control.bags.events import FeaturesEvent, NeuronsEvent

    tape = RecordingCollector()
    for speaker, value in ((CommandSource.POLICY, 1.0), (CommandSource.GUARD, 2.0)):
        tape.consume(CommandEvent(speaker, Command(value), 5, 7))
    tape.consume(NeuronsEvent(5, ("a", "b"), np.array([0.1, 0.2]), np.array([0.3, 0.4])))
    tape.consume(FeaturesEvent(5, np.ones(34, np.float32)))
    found = tape.recorded()
    assert found.track.policy.values[0, 0] == 1.0
    assert found.track.guarded.values[0, 0] == 2.0
    assert found.track.guarded.log_ns[0] == 7
    np.testing.assert_array_equal(found.track.gates.values, [[0.3, 0.4]])
    with pytest.raises(BagError, match="expected 2 neurons at each frame, got 3 at 6 ns"):
        tape.consume(NeuronsEvent(6, ("a", "b", "c"), np.zeros(3), np.zeros(3)))


def test_picture_shift_in_deviations_of_what_was_learned(policy):
    learned_from = [s.observation.image // 2 for s in frames(60, seed=6)]
    values = np.array([picture_statistics(image) for image in learned_from])
    learned = PictureDistribution.of(values, "a test")
    tape = PictureStatisticsCollector(FeatureExtractor(policy))
    replay([altered(s, image=s.observation.image // 2) for s in frames(60, seed=6)], [tape])
    same = {row.name: row for row in picture_shift(tape.series().values, learned)}
    assert same["brightness"].shift == pytest.approx(0.0, abs=1e-9)
    assert same["brightness"].outside <= 0.04
    brighter = PictureStatisticsCollector(FeatureExtractor(policy))
    replay(
        [altered(s, image=s.observation.image // 2 + 60) for s in frames(60, seed=6)], [brighter]
    )
    rows = {row.name: row for row in picture_shift(brighter.series().values, learned)}
    moved = 60.0 / values[:, 0].std()
    assert rows["brightness"].shift == pytest.approx(moved, rel=1e-6)
    assert rows["brightness"].outside == 1.0
    assert rows["sharpness"].shift == pytest.approx(0.0, abs=1e-6)
