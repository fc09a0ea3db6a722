"""Gymnasium environment of a flight: the loop of `fly` with the agent as its pilot.

A step lasts from one delivered frame to the next, guard ticks and lost frames included. An agent
therefore flies exactly the flight that `liquid-control evaluate` runs with the same seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from liquid_control.command.guard import Guard, GuardState
from liquid_control.command.motors import MOTORS, MotorScaling
from liquid_control.config import Scenario, load_scenario
from liquid_control.config.disturbances import joined_overrides
from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.perception import IMU_FEATURES, IMU_LIMIT, imu_features
from liquid_control.types import NANOSECONDS, Observation, Pixels
from liquid_control_sim.environments.reward import (
    COMPLETED,
    Instant,
    RewardWeights,
    Step,
    make_course,
    reward_terms,
)
from liquid_control_sim.flight import Flight, Tick
from liquid_control_sim.world import SimulatedWorld

OPTIONS = ("set", "disturb")


@dataclass(frozen=True)
class ScenarioRequest:
    """Name of a scenario, dotted keys that replace its values, and disturbances by severity."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    disturb: Mapping[str, int] = field(default_factory=dict)

    def scenario(self, options: Mapping[str, Any]) -> Scenario:
        """Return the scenario of an episode, with `set` and `disturb` of its options applied.

        Keys take precedence over disturbances, and the options of the episode over those of the
        environment.

        Raises:
            ConfigError: an option, key, value, disturbance or severity is invalid.
        """
        for name, given in options.items():
            if name not in OPTIONS:
                raise ConfigError(
                    f"reset: unknown option {name!r}; accepted: {', '.join(OPTIONS)}"
                )
            if not isinstance(given, Mapping):
                raise ConfigError(
                    f"reset: expected the option {name} to be a mapping, got {given!r}"
                )
        own, more = joined_overrides(self.disturb), joined_overrides(options.get("disturb", {}))
        return load_scenario(self.name, {**own, **self.settings, **more, **options.get("set", {})})


Action: TypeAlias = NDArray[np.float32]
ObservationDict: TypeAlias = dict[str, NDArray[Any]]

FIRST_TRAINING_SEED = 100_000_000
LAST_TRAINING_SEED = 2**31 - 1
"""Seeds of episodes without a given seed; campaigns use other seeds."""

TIMEOUT = "timeout"

ROUNDING = 1e-6
"""Distance beyond [-1, 1] at which an action is still in its space, for rounding of floats."""


class ActionError(LiquidControlError, ValueError):
    """An action is outside the action space: its shape, its type or a value does not fit."""


def action_in_space(action: object) -> Action:
    """Return an action as float32 [4].

    Raises:
        ActionError: it does not have four numbers, or one is NaN, infinite or outside [-1, 1].
    """
    expected = f"expected an action of {len(MOTORS)} numbers in [-1, 1]: {', '.join(MOTORS)}"
    try:
        given = np.asarray(action)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ActionError(f"{expected}; got a {type(action).__name__}") from error
    if given.shape != (len(MOTORS),) or given.dtype.kind not in "iuf":
        raise ActionError(f"{expected}; got {given.dtype} of shape {given.shape}")
    limit = 1.0 + ROUNDING
    if not ((given >= -limit) & (given <= limit)).all():
        raise ActionError(f"{expected}; got {[float(f'{value:.6g}') for value in given]}")
    values: Action = np.clip(given, -1.0, 1.0).astype(np.float32)
    return values


class FlightEnvironment(gymnasium.Env[ObservationDict, Action]):
    """A scenario that is flown by velocity commands at the camera rate.

    Observation: `image`, uint8 [H, W, 3] RGB, and `imu`, float32 [6], the features of the samples
    since the frame before (`liquid_control.perception.imu_features`): mean angular rate in units
    of 2 rad/s and mean specific force in g without gravity, within +-3.

    Action: float32 [4] in [-1, 1]: forward, left, up velocity and yaw rate in the heading frame,
    scaled to the ranges of `motors`. It passes the guard before the autopilot. An action outside
    this space is refused and leaves the episode unchanged; clip actions before, where needed.

    Reward: `environments.reward.reward_terms`. An episode is truncated at the time limit of the
    scenario; every other end, completion included, terminates it.

    Args:
        scenario: name or path of a scenario.
        settings: dotted keys that replace its values, as in `--set`.
        disturb: disturbances and severities, as in `--disturb`; `settings` take precedence.
        motors: ranges of the action.
        weights: weights of the reward terms.
        render_mode: `rgb_array` if `render` shall return the last frame.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(
        self,
        scenario: str = "trail",
        settings: Mapping[str, Any] | None = None,
        disturb: Mapping[str, int] | None = None,
        motors: MotorScaling | None = None,
        weights: RewardWeights | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = render_mode
        self._request = ScenarioRequest(scenario, dict(settings or {}), dict(disturb or {}))
        self._motors, self._weights = motors or MotorScaling(), weights or RewardWeights()
        self._guard = Guard()
        self._shape = _shape_of(self._request.scenario({}))
        self.observation_space: spaces.Space[Any] = spaces.Dict(
            {
                "image": spaces.Box(0, 255, self._shape, np.uint8),
                "imu": spaces.Box(-IMU_LIMIT, IMU_LIMIT, (IMU_FEATURES,), np.float32),
            }
        )
        self.action_space = spaces.Box(-1.0, 1.0, (len(MOTORS),), np.float32)
        self._flight: Flight | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObservationDict, dict[str, Any]]:
        """Start a flight.

        Args:
            seed: seed of the flight and of the seeds drawn for later resets. The same seed
                repeats the flight bit for bit. If None, a training seed is drawn.
            options: `set` and `disturb` of this flight, which take precedence over those of the
                constructor.

        Raises:
            ConfigError: an option, key, disturbance or seed is invalid.
        """
        super().reset(seed=seed)
        scenario = self._request.scenario(options or {})
        if _shape_of(scenario) != self._shape:
            raise ConfigError(
                f"reset: expected images of shape {self._shape}, as in the constructor, "
                f"got {_shape_of(scenario)}; set camera.width and camera.height there"
            )
        drawn = int(self.np_random.integers(FIRST_TRAINING_SEED, LAST_TRAINING_SEED))
        self._seed = drawn if seed is None else seed
        self.close()
        self._flight = Flight(scenario, self._seed, self._guard.envelope.period_s)
        self._course = make_course(self._flight.world)
        self._state, self._action = GuardState(), np.zeros(len(MOTORS), np.float32)
        self._tick, observation = self._until_frame(self._flight)
        self._instant = self._instant_of(self._tick)
        self._observation = self._observation_dict(observation)
        return self._observation, self._info(0.0, {})

    def step(self, action: Action) -> tuple[ObservationDict, float, bool, bool, dict[str, Any]]:
        """Apply an action and fly to the next delivered frame or the end of the flight.

        Raises:
            ActionError: the action is not in `action_space`.
            RuntimeError: there is no episode in progress.
        """
        if self._flight is None:
            raise RuntimeError("FlightEnvironment.step was called before reset")
        if self._tick.status.reason is not None:
            raise RuntimeError("FlightEnvironment.step was called after the episode's end")
        action = action_in_space(action)
        before = self._tick
        command = self._motors.command(action)
        self._state = self._guard.admit(command, before.stamp_ns, self._state)
        self._flight.apply_command(self._state.output)
        self._tick, observation = self._until_frame(self._flight)
        if observation is not None:
            self._observation = self._observation_dict(observation)
        reason = self._tick.status.reason
        truncated = reason == TIMEOUT
        terminated = reason is not None and not truncated
        dt_s = (self._tick.stamp_ns - before.stamp_ns) / NANOSECONDS
        after = self._instant_of(self._tick)
        step = Step(self._instant, after, dt_s, self._action, action, terminated)
        terms = reward_terms(step, self._weights)
        self._instant, self._action = after, action
        reward, info = sum(terms.values()), self._info(dt_s, terms)
        return self._observation, reward, terminated, truncated, info

    def render(self) -> Pixels | None:
        """Return the last delivered frame, uint8 [H, W, 3] RGB, in mode `rgb_array`."""
        return self._observation["image"].copy() if self.render_mode == "rgb_array" else None

    @property
    def world(self) -> SimulatedWorld:
        """World of the flight in progress, for experts that give demonstrations."""
        if self._flight is None:
            raise RuntimeError("FlightEnvironment.world was read before reset")
        return self._flight.world

    def close(self) -> None:
        """Release the physics client of the flight."""
        if self._flight is not None:
            self._flight.close()
            self._flight = None

    def _until_frame(self, flight: Flight) -> tuple[Tick, Observation | None]:
        """Return the next tick with a frame, or the last of the flight, and its observation."""
        while (tick := flight.advance()) is not None:
            if tick.observation is not None or tick.status.reason is not None:
                return tick, tick.observation
            self._state = self._guard.poll(tick.stamp_ns, self._state)
            flight.apply_command(self._state.output)
        raise RuntimeError("a flight ended without a reason")

    def _instant_of(self, tick: Tick) -> Instant:
        remaining_m = self._course.remaining_m(tick.status, tick.truth)
        return Instant(
            tick.status, remaining_m, self._course.misalignment(tick.status, tick.truth)
        )

    def _observation_dict(self, observation: Observation | None) -> ObservationDict:
        if observation is None:
            return {
                "image": np.zeros(self._shape, np.uint8),
                "imu": np.zeros(IMU_FEATURES, np.float32),
            }
        return {"image": observation.image, "imu": imu_features(observation.imu)}

    def _info(self, dt_s: float, terms: dict[str, float]) -> dict[str, Any]:
        status = self._tick.status
        return {
            "seed": self._seed,
            "stamp_ns": self._tick.stamp_ns,
            "dt_s": dt_s,
            "progress_m": status.progress_m,
            "cross_track_m": status.cross_track_m,
            "clearance_m": status.clearance_m,
            "remaining_m": self._instant.remaining_m,
            "reached": status.reached,
            "reason": status.reason or "",
            "success": status.reason == COMPLETED,
            "terms": terms,
        }


def _shape_of(scenario: Scenario) -> tuple[int, int, int]:
    return scenario.camera.height, scenario.camera.width, 3
