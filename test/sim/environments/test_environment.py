"""Gymnasium environments: interface, seeds, and equality with the flights of `fly`."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from liquid_control.command.motors import MotorScaling
from liquid_control.config import load_scenario
from liquid_control.errors import ConfigError
from liquid_control.types import ImuWindow, Observation
from liquid_control_sim import Expert, fly
from liquid_control_sim.environments import (
    SCENARIOS,
    ActionError,
    FlightEnvironment,
    RewardWeights,
)
from liquid_control_sim.environments.environment import action_in_space

pytestmark = pytest.mark.sim

SMALL = {
    "forest.trees": 10,
    "camera.width": 32,
    "camera.height": 18,
    "trail.length_m": 6.0,
}
AHEAD = np.array([0.2, 0.0, 0.0, 0.0], np.float32)


def small(**more):
    return FlightEnvironment("trail", SMALL, **more)


def actions(count, seed=1):
    return np.random.default_rng(seed).uniform(-0.4, 0.4, (count, 4)).astype(np.float32)


def episode(environment, seed, given_actions, **options):
    """Return the results of an episode: first observation, then steps."""
    steps = [environment.reset(seed=seed, options=options or None)]
    for action in given_actions:
        steps.append(environment.step(action))
        if steps[-1][2] or steps[-1][3]:
            break
    return steps


def same(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a[0]["image"], b[0]["image"])
        and np.array_equal(a[0]["imu"], b[0]["imu"])
        and a[1:] == b[1:]
        for a, b in zip(one, other, strict=True)
    )


class ActionPilot:
    """A pilot that returns the commands of given actions."""

    name = "replayed"

    def __init__(self, given_actions):
        self._answers, self._motors = iter(given_actions), MotorScaling()

    def start(self, world):
        pass

    def command(self, observation, truth):
        return self._motors.command(next(self._answers))


@pytest.mark.parametrize("name", SCENARIOS)
def test_environments_pass_the_gymnasium_checker(name):
    environment = gymnasium.make(name, settings=SMALL, render_mode="rgb_array")
    assert environment.spec.id == name
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(environment.unwrapped)
    environment.close()


def test_the_same_seed_repeats_an_episode_bit_for_bit():
    given_actions = actions(15)
    one, other = small(), small()
    first = episode(one, 5, given_actions)
    assert same(first, episode(one, 5, given_actions))
    assert same(first, episode(other, 5, given_actions))
    assert not same(first, episode(one, 6, given_actions))
    assert first[0][1]["seed"] == 5


def test_later_seeds_derive_from_the_first_and_exclude_campaign_seeds():
    environment, again = small(), small()
    seeds = [environment.reset(seed=s)[1]["seed"] for s in (3, None, None)]
    assert seeds == [again.reset(seed=s)[1]["seed"] for s in (3, None, None)]
    assert len(set(seeds)) == 3
    assert min(seeds[1:]) >= 100_000_000


def test_an_episode_equals_a_flight_of_fly():
    """Lost frames and guard ticks included, the status of the task agrees bit for bit."""
    keys = {**SMALL, "camera.drop_rate": 0.5}
    given_actions = actions(400)
    record = fly(load_scenario("trail", keys), 8, ActionPilot(given_actions))
    steps = episode(FlightEnvironment("trail", keys), 8, given_actions)
    last = steps[-1][-1]
    assert last["reason"] == record.result.reason
    assert last["stamp_ns"] == record.stamp_ns[-1]
    assert last["progress_m"] == record.progress_m[-1]
    assert last["cross_track_m"] == record.cross_track_m[-1]
    framed = record.stamp_ns[record.framed]
    assert [step[-1]["stamp_ns"] for step in steps[:-1]] == framed[: len(steps) - 1].tolist()
    assert max(step[-1]["dt_s"] for step in steps) > 0.09


def test_completion_terminates_and_rewards_progress():
    weights = RewardWeights(centring=0.0, smoothness=0.0)
    environment = FlightEnvironment("trail", {**SMALL, "trail.length_m": 5.5}, weights=weights)
    _, first = environment.reset(seed=2)
    total, info, ended = 0.0, first, (False, False)
    while not any(ended):
        bearing = -0.5 * info["cross_track_m"]
        action = np.array([0.2, np.clip(bearing, -1, 1), 0.0, 0.0], np.float32)
        _, reward, *ended, info = environment.step(action)
        total += reward
    assert (info["reason"], info["success"], ended) == ("completed", True, [True, False])
    gained = first["remaining_m"] - info["remaining_m"]
    assert gained == pytest.approx(info["progress_m"] - first["progress_m"])
    assert total == pytest.approx(gained + weights.completed)
    with pytest.raises(RuntimeError, match="after the episode's end"):
        environment.step(AHEAD)


def test_the_expert_has_a_higher_return_than_flying_past_the_target():
    """The commands of the expert complete the task with a higher return than flying past it."""
    keys = {**SMALL, "target.range_m": 6.0, "target.distractors": 0}
    environment = FlightEnvironment("target", keys)
    pilot = Expert()
    observation, info = environment.reset(seed=3)
    pilot.start(environment.world)
    totals, ended = {"expert": 0.0, "ahead": 0.0}, (False, False)
    terms = dict.fromkeys(info["terms"], 0.0)
    while not any(ended):
        frame = Observation(info["stamp_ns"], observation["image"], ImuWindow.empty())
        command = pilot.command(frame, environment.world.truth)
        action = MotorScaling().motors([command.values])[0]
        observation, reward, *ended, info = environment.step(action)
        totals["expert"] += reward
        terms = {name: terms.get(name, 0.0) + value for name, value in info["terms"].items()}
    assert (info["reason"], info["success"], info["reached"]) == ("completed", True, 1)
    assert terms["progress"] == pytest.approx(6.0, abs=2.5)
    assert terms["staying"] == pytest.approx(5.0, rel=0.2)
    assert (terms["arrived"], terms["ending"]) == (5.0, 10.0)
    environment.reset(seed=3)
    ended = (False, False)
    while not any(ended):
        _, reward, *ended, _ = environment.step(AHEAD)
        totals["ahead"] += reward
    assert totals["ahead"] < totals["expert"] - 15.0
    assert observation["image"].shape == (18, 32, 3)


def test_a_crash_terminates_with_a_penalty():
    environment = small()
    environment.reset(seed=2)
    down = np.array([-1.0, 0.0, -1.0, 0.0], np.float32)
    steps = [environment.step(down)]
    while not (steps[-1][2] or steps[-1][3]):
        steps.append(environment.step(down))
    _, reward, terminated, truncated, info = steps[-1]
    assert (info["reason"], info["success"]) == ("altitude", False)
    assert (terminated, truncated) == (True, False)
    assert info["terms"]["ending"] == -10.0
    assert reward == pytest.approx(sum(info["terms"].values()))


def test_the_time_limit_truncates():
    environment = FlightEnvironment("trail", {**SMALL, "time_limit_s": 0.5})
    environment.reset(seed=2)
    slow = np.array([-0.98, 0.0, 0.0, 0.0], np.float32)
    steps = [environment.step(slow)]
    while not (steps[-1][2] or steps[-1][3]):
        steps.append(environment.step(slow))
    _, _, terminated, truncated, info = steps[-1]
    assert (terminated, truncated, info["reason"]) == (False, True, "timeout")
    assert info["terms"]["ending"] == 0.0


@pytest.mark.parametrize("kind", [SyncVectorEnv, AsyncVectorEnv])
def test_vector_environments_equal_single_environments(kind):
    given_actions = actions(6)
    vector = kind([small, small])
    try:
        observation, _ = vector.reset(seed=[11, 12])
        images = [observation["image"].copy()]
        for action in given_actions:
            observation, *_ = vector.step(np.stack([action, action]))
            images.append(observation["image"].copy())
    finally:
        vector.close()
    for index, seed in enumerate((11, 12)):
        alone = episode(small(), seed, given_actions)
        for image, expected in zip(images, alone, strict=True):
            assert np.array_equal(image[index], expected[0]["image"])


def test_options_change_one_episode():
    environment, given_actions = small(), actions(8)
    calm = episode(environment, 4, given_actions)
    assert same(calm, episode(environment, 4, given_actions, disturb={"fog": 0}))
    foggy = episode(environment, 4, given_actions, disturb={"fog": 4})
    assert not np.array_equal(foggy[0][0]["image"], calm[0][0]["image"])
    assert foggy[-1][-1] == calm[-1][-1]
    windy = episode(environment, 4, given_actions, set={"wind.mean_mps": 6.0})
    assert windy[-1][-1]["cross_track_m"] != calm[-1][-1]["cross_track_m"]
    assert same(calm, episode(environment, 4, given_actions))
    made = FlightEnvironment("trail", SMALL, disturb={"fog": 4})
    assert same(foggy, episode(made, 4, given_actions))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"disturb": {"fogg": 1}}, "unknown disturbance 'fogg'; did you mean fog"),
        ({"disturb": {"fog": 9}}, "from 0 to 5, got 9"),
        ({"set": {"wind.mean": 1}}, "unknown key wind.mean; did you mean wind.mean_mps"),
        ({"sett": {}}, "unknown option 'sett'; accepted: set, disturb"),
        ({"disturb": "fog=3"}, "expected the option disturb to be a mapping, got 'fog=3'"),
        ({"set": {"camera.width": 64}}, "expected images of shape .18, 32, 3."),
    ],
)
def test_invalid_options_are_refused_in_one_line(options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        small().reset(seed=1, options=options)
    assert "\n" not in str(caught.value)


ACTION = r"expected an action of 4 numbers in \[-1, 1\]: forward, left, up, yaw_rate; got "


@pytest.mark.parametrize(
    ("action", "got"),
    [
        (np.full(4, np.nan, np.float32), r"\[nan, nan, nan, nan\]"),
        (np.array([0.0, np.inf, 0.0, 0.0]), r"\[0.0, inf, 0.0, 0.0\]"),
        (np.array([0.0, 0.0, -np.inf, 0.0], np.float16), r"\[0.0, 0.0, -inf, 0.0\]"),
        (np.array([0.0, 0.0, 0.0, 1.01]), r"\[0.0, 0.0, 0.0, 1.01\]"),
        (np.array([1e300, 0.0, 0.0, 0.0]), r"\[1e\+300, 0.0, 0.0, 0.0\]"),
        (np.full(4, -128, np.int8), r"\[-128.0, -128.0, -128.0, -128.0\]"),
        (np.zeros(3, np.float32), r"float32 of shape \(3,\)"),
        (np.zeros((1, 4), np.float32), r"float32 of shape \(1, 4\)"),
        (0.5, r"float64 of shape \(\)"),
        (np.zeros(4, bool), r"bool of shape \(4,\)"),
        (np.zeros(4, complex), r"complex128 of shape \(4,\)"),
        (["a", "b", "c", "d"], r"<U1 of shape \(4,\)"),
        ([[0.0], [0.0, 0.0]], "a list"),
        (None, r"object of shape \(\)"),
    ],
)
def test_an_action_outside_its_space_is_refused_in_one_line(action, got):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ActionError, match=f"^{ACTION}{got}$") as caught:
            action_in_space(action)
    assert isinstance(caught.value, ValueError)


def test_a_refused_action_leaves_the_episode_unchanged():
    environment, given_actions = small(), actions(6)
    expected = episode(environment, 4, given_actions)
    got = [environment.reset(seed=4)]
    for action in given_actions:
        for bad in (np.full(4, np.nan, np.float32), np.full(4, 2.0), np.zeros(3)):
            with pytest.raises(ActionError):
                environment.step(bad)
        got.append(environment.step(action))
    assert same(expected, got)


def test_actions_of_other_number_types_are_converted():
    environment = small()
    expected = episode(environment, 4, [np.array([0.0, 1.0, 0.0, 0.0], np.float32)])
    for action in ([0, 1, 0, 0], np.array([0.0, 1.0 + 1e-9, 0.0, 0.0]), (0.0, 1, 0.0, 0.0)):
        assert same(expected, episode(environment, 4, [action]))


def test_rewards_are_finite_for_every_extreme_action():
    environment, corners = small(), np.random.default_rng(3).choice([-1.0, 1.0], (40, 4))
    rewards = [step[1] for step in episode(environment, 4, corners)[1:]]
    assert len(rewards) > 5
    assert np.isfinite(rewards).all()


def test_a_step_before_reset_is_refused():
    with pytest.raises(RuntimeError, match="before reset"):
        small().step(AHEAD)


def test_make_imports_the_package_by_its_name():
    environment = gymnasium.make(
        "liquid_control_sim.environments:LiquidTrail-v0", settings=SMALL, disable_env_checker=True
    )
    observation, _ = environment.reset(seed=1)
    assert observation["image"].shape == (18, 32, 3)
    environment.close()
