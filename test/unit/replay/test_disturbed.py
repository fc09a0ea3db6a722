"""Disturbed replay: comparison with the undisturbed commands, lost frames, and examples."""

import numpy as np
import pytest

from liquid_control.bags import FrameEvent
from liquid_control.command import MotorScaling
from liquid_control.config import DeltaSettings
from liquid_control.export import model_graphs
from liquid_control.liquid import auto_ncp, random_weights
from liquid_control.perception import deltas
from liquid_control.perception.cnn import PerceptionCNN
from liquid_control.policy import ModelSettings, Policy, load_model, save_model
from liquid_control.replay import FeatureExtractor, Player
from liquid_control.replay.disturbed import (
    DisturbedReplay,
    DisturbedResult,
    PublishedChange,
    Variant,
)
from liquid_control.seeding import stream
from liquid_control.types import ImuWindow, Observation

pytestmark = pytest.mark.unit

FRAME_NS = 50_000_000


def made_policy(folder, seed: int, motors: MotorScaling | None = None) -> Policy:
    motors = motors or MotorScaling()
    settings = ModelSettings(name="demo", core={"wiring": auto_ncp(34, 19, 4)}, motors=motors)
    weights = random_weights(settings.core.circuit, np.random.default_rng(seed))
    arrays = {**weights.arrays(), **PerceptionCNN(seed=seed).arrays()}
    save_model(folder, settings, arrays, model_graphs(settings, arrays), "# demo\n")
    return Policy(load_model(folder))


@pytest.fixture(scope="module")
def policy(tmp_path_factory) -> Policy:
    return made_policy(tmp_path_factory.mktemp("models") / "demo", 1)


def flight(frames=24, size=(54, 96)) -> list[FrameEvent]:
    """Return frames of a pattern that drifts, each with its own five IMU samples."""
    rows, columns = np.indices(size)
    recorded = []
    for index in range(frames):
        rng = np.random.default_rng([5, index])
        light = np.sin(0.2 * columns + 0.1 * index) * np.cos(0.3 * rows - 0.2 * index)
        image = (128 + 90 * light[..., None] * [1.0, 0.8, -0.6]).astype(np.uint8)
        imu = ImuWindow(
            index * FRAME_NS - 10_000_000 * np.arange(5, dtype=np.int64)[::-1],
            rng.normal(0, 0.3, (5, 3)),
            np.array([0, 0, 9.81]) + rng.normal(0, 1, (5, 3)),
        )
        recorded.append(FrameEvent(Observation(index * FRAME_NS, image, imu), index * FRAME_NS))
    return recorded


def noisy(sigma: float, seed: int = 0, severity: int = 1) -> Variant:
    change = DeltaSettings(noise=sigma)
    return Variant(
        "delta_noise", severity, {"delta.noise": sigma}, lambda view: PublishedChange(change, seed)
    )


def picked(name: str, choose) -> Variant:
    """Return a variant that delivers the frames whose number is chosen."""
    return Variant(name, 1, {}, lambda view: lambda image, _, i: image if choose(i) else None)


def run(policies, variants, events) -> DisturbedResult:
    replay = DisturbedReplay(
        {label: FeatureExtractor(policy) for label, policy in policies.items()}, variants
    )
    for event in events:
        replay.consume(event)
    return replay.result()


def commands(policy, change, events) -> np.ndarray:
    """Return what a player of its own answers, float64 [F, 4]."""
    player = Player(FeatureExtractor(policy, change))
    for event in events:
        player.consume(event)
    return player.replayed().track.policy.values


def test_commands_are_compared_with_the_undisturbed_ones_of_the_same_model(policy):
    events = flight()
    (row,) = run({"demo": policy}, [noisy(40.0, seed=3)], events).rows
    change = PublishedChange(DeltaSettings(noise=40.0), 3)
    moved = commands(policy, change, events) - commands(policy, None, events)
    assert row.frames == 24
    assert row.mae == pytest.approx(np.abs(moved).mean(axis=0), rel=1e-9)
    assert row.rmse == pytest.approx(np.sqrt((moved**2).mean(axis=0)), rel=1e-9)
    assert row.largest == pytest.approx(np.abs(moved).max(axis=0), rel=1e-9)
    fraction = row.rmse / [3.0, 3.0, 1.6, 3.0]
    assert row.movement == pytest.approx(np.sqrt((fraction**2).mean()), rel=1e-6)
    assert row.movement > 0.001


def test_without_a_change_nothing_moves(policy):
    still = Variant("none", 0, {}, lambda view: lambda image, stamp_ns, index: image)
    (row,) = run({"demo": policy}, [still], flight()).rows
    assert (row.movement, row.final_position_l1_m, row.lost) == (0.0, 0.0, 0)
    assert not row.largest.any()


def test_variants_and_models_do_not_disturb_one_another(policy, tmp_path):
    other = made_policy(tmp_path / "other", 2)
    variants = [noisy(15.0, severity=1), picked("every_other", lambda i: i % 2 == 0), noisy(60.0)]
    events = flight()
    together = run({"one": policy, "two": other}, variants, events).rows
    alone = [
        run({label: policy_}, [variant], events).rows[0]
        for label, policy_ in (("one", policy), ("two", other))
        for variant in variants
    ]
    assert [row.to_dict() for row in together] == [row.to_dict() for row in alone]
    assert together[0].to_dict() != together[3].to_dict() | {"model": "one"}


def test_a_lost_frame_leaves_the_command_in_force_and_its_imu_to_the_next(policy):
    events = flight()
    kept = picked("every_third", lambda i: i % 3 == 0)
    (row,) = run({"demo": policy}, [kept], events).rows
    assert (row.frames, row.lost) == (24, 16)
    thin = []
    for index in range(0, 24, 3):
        window = [event.observation.imu for event in events[max(index - 2, 0) : index + 1]]
        recorded = events[index].observation
        joined = Observation(recorded.stamp_ns, recorded.image, ImuWindow.joined(window))
        thin.append(FrameEvent(joined, recorded.stamp_ns))
    held = np.repeat(commands(policy, None, thin), 3, axis=0)
    moved = held - commands(policy, None, events)
    assert row.rmse == pytest.approx(np.sqrt((moved**2).mean(axis=0)), rel=1e-9)


def test_a_large_picture_is_changed_at_the_models_size(policy):
    large = flight(size=(270, 480))
    sizes = []

    def make(view):
        def change(image, stamp_ns, index):
            sizes.append((image.shape, view.width, view.height))
            return image

        return change

    run({"demo": policy}, [Variant("seen", 1, {}, make)], large[:3])
    assert sizes == [((54, 96, 3), 96, 54)] * 3


def test_frames_that_are_refused_undisturbed_are_skipped(policy):
    events = flight()
    small = Observation(5 * FRAME_NS, np.zeros((20, 20, 3), np.uint8), ImuWindow.empty())
    (row,) = run(
        {"demo": policy}, [noisy(30.0)], [*events[:5], FrameEvent(small, 0), *events[6:]]
    ).rows
    assert row.frames == 23


def test_a_pause_of_the_recording_is_not_integrated(policy):
    events = flight(6)
    late = [
        FrameEvent(
            Observation(e.observation.stamp_ns + 10**12, e.observation.image, e.observation.imu), 0
        )
        for e in flight(6)
    ]
    (row,) = run({"demo": policy}, [noisy(60.0)], [*events, *late]).rows
    assert 0.0 < row.final_position_l1_m < 12 * 0.05 * 3 * 3.0


def test_two_replays_are_equal(policy):
    variants, events = [noisy(30.0), noisy(60.0, severity=2)], flight(8)
    once, again = (run({"demo": policy}, variants, events) for _ in range(2))
    assert [row.to_dict() for row in once.rows] == [row.to_dict() for row in again.rows]
    (first,), (second,) = once.examples, again.examples
    assert first.stamp_ns == second.stamp_ns
    for severity, picture in first.pictures.items():
        assert np.array_equal(picture, second.pictures[severity])


def test_the_example_is_the_frame_that_moved_the_first_model_most(policy):
    variants, events = [noisy(30.0), noisy(60.0, severity=2)], flight()
    (example,) = run({"demo": policy}, variants, events).examples
    moved = np.zeros(24)
    for sigma in (30.0, 60.0):
        change = PublishedChange(DeltaSettings(noise=sigma), 0)
        by_axis = commands(policy, change, events) - commands(policy, None, events)
        moved = np.maximum(moved, np.sqrt(((by_axis / [3.0, 3.0, 1.6, 3.0]) ** 2).mean(axis=1)))
    index = int(moved.argmax())
    assert example.stamp_ns == index * FRAME_NS
    assert example.movement == pytest.approx(moved[index], rel=1e-6)
    assert list(example.pictures) == [0, 1, 2]
    image = events[index].observation.image
    assert np.array_equal(example.pictures[0], image)
    for severity, sigma in ((1, 30.0), (2, 60.0)):
        expected = deltas.noisy_pixels(image, sigma, stream(0, f"delta.noise.{index}"))
        assert np.array_equal(example.pictures[severity], expected)


def test_an_example_marks_a_lost_frame(policy):
    lost = picked("lost", lambda i: i == 0)
    (example,) = run({"demo": policy}, [lost], flight()).examples
    assert example.pictures[1] is None
    assert example.pictures[0] is not None


def test_movement_is_a_fraction_of_the_motors_range(policy, tmp_path):
    wide = MotorScaling.model_validate(
        {name: {"scale": 3.0} for name in ("forward", "left", "up", "yaw_rate")}
    )
    other = made_policy(tmp_path / "wide", 1, wide)
    one, two = run({"one": policy, "two": other}, [noisy(40.0)], flight()).rows
    assert two.rmse[0] == pytest.approx(2.0 * one.rmse[0], rel=1e-3)
    assert two.movement == pytest.approx(one.movement, rel=1e-3)


def test_a_row_is_plain_data(policy):
    (row,) = run({"demo": policy}, [noisy(40.0)], flight(4)).rows
    plain = row.to_dict()
    assert plain["strength"] == {"delta.noise": 40.0}
    assert list(plain["rmse"]) == ["forward", "left", "up", "yaw"]
    assert all(isinstance(value, float) for value in plain["max"].values())
