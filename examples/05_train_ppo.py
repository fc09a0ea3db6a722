"""Train PPO of Stable-Baselines3 to fly to a target 6 m away, and compare success rates.

    python examples/05_train_ppo.py [steps]

Requires the extras [sim,gym] and stable-baselines3. It prints the success rate over seeds that are
not used in training, before and after. 60,000 steps, the default, took four minutes on one core
and led from 0 to 14 of 20 flights. The figure differs between machines, like the arithmetic of
PPO.
"""

import sys
from typing import Any

import gymnasium
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

import liquid_control_sim.environments  # noqa: F401  (registers the environments)
from liquid_control.command.motors import Motor, MotorScaling

TEST_SEEDS = range(10_000, 10_020)
SETTINGS = {
    "target.range_m": 6.0,
    "target.stop_m": 2.0,
    "target.centred_deg": 20.0,
    "target.distractors": 0,
    "forest.trees": 10,
    "camera.width": 64,
    "camera.height": 36,
    "camera.rate_hz": 10.0,
    "time_limit_s": 15.0,
}
GENTLE = MotorScaling(
    forward=Motor(offset=0.5, scale=1.0),
    left=Motor(scale=0.5),
    up=Motor(scale=0.4),
    yaw_rate=Motor(scale=1.0),
)
"""A zero action flies forward slowly; an action of -1 stops."""


def make() -> gymnasium.Env[Any, Any]:
    """Create the environment of the short task."""
    return gymnasium.make("LiquidTarget-v0", settings=SETTINGS, motors=GENTLE)


def success_rate(model: PPO, seeds: range) -> float:
    """Return the success rate of the mean policy, with one flight per seed."""
    environment = make()
    successes = 0
    for seed in seeds:
        observation, info = environment.reset(seed=seed)
        ended = False
        while not ended:
            action, _ = model.predict(observation, deterministic=True)
            observation, _, terminated, truncated, info = environment.step(action)
            ended = terminated or truncated
        successes += info["success"]
    environment.close()
    return successes / len(seeds)


class ReportProgress(BaseCallback):
    """Shows completed steps and the mean return of recent episodes."""

    def __init__(self, progress: Progress, task: Any) -> None:
        super().__init__()
        self._progress, self._task = progress, task

    def _on_step(self) -> bool:
        recent = [episode["r"] for episode in self.model.ep_info_buffer or ()]
        text = f"return {sum(recent) / len(recent):.1f}" if recent else "return -"
        self._progress.update(self._task, completed=self.num_timesteps, description=text)
        return True


def untrained(rollout: int = 256) -> PPO:
    """Return an untrained policy with four training environments."""
    vector = DummyVecEnv([lambda: Monitor(make())] * 4)
    return PPO(
        "MultiInputPolicy",
        vector,
        n_steps=rollout,
        batch_size=rollout,
        n_epochs=5,
        learning_rate=5e-4,
        gamma=0.98,
        policy_kwargs={"log_std_init": -0.7},
        seed=0,
        device="cpu",
    )


def train(model: PPO, steps: int) -> None:
    """Train the policy for a number of steps, summed over all environments."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn()) as progress:
        model.learn(
            steps, callback=ReportProgress(progress, progress.add_task("return -", total=steps))
        )


def main(steps: int = 60_000, seeds: range = TEST_SEEDS) -> tuple[float, float]:
    """Train; return the success rates before and after."""
    model = untrained()
    before = success_rate(model, seeds)
    print(f"before: {before:.0%} of {len(seeds)} flights succeed", flush=True)
    train(model, steps)
    after = success_rate(model, seeds)
    print(f"after {steps} steps: {after:.0%} of {len(seeds)} flights succeed")
    return before, after


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
