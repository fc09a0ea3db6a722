"""Settings of a training run: the keys of `config/train/*.yaml`.

A run depends on these settings and the code revision only.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from liquid_control.config import Scenario, Settings, load_scenario, validate
from liquid_control.config.loading import apply_overrides
from liquid_control.config.overrides import (
    DisturbanceDraw,
    Spread,
    check_keys,
    consistent_wind,
    draw_overrides,
)
from liquid_control.config.suggestions import suggestion
from liquid_control.config.yaml_files import load_extended
from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.perception import CONTRAST_FLOOR, CameraView
from liquid_control.seeding import MAX_SEED
from liquid_control.training.network_settings import (
    EncoderLearning,
    LearnerSettings,
    NetworkSettings,
)

GOLDEN_RATIO = 0.6180339887498949


class BagLabel(str, Enum):
    """Quantity of a bag that is the label."""

    POLICY_COMMAND = "policy_command"
    COMMAND = "command"
    ODOMETRY = "odometry"


class BagSettings(Settings):
    """Labels and frame filters of bags."""

    label: BagLabel = Field(
        BagLabel.POLICY_COMMAND,
        description="policy_command: the pilot's command; command: the command sent to guard or "
        "autopilot; odometry: the measured velocity and yaw rate",
    )
    lookahead_s: float = Field(
        0.0, ge=0.0, le=2.0, description="time from the frame to its label, s"
    )
    max_label_age_s: float = Field(
        0.1,
        ge=0.0,
        le=5.0,
        description="a label with the frame's stamp is used as it is; otherwise the labels before "
        "and after are interpolated, or the only one of them is used, up to this age, s",
    )
    rate_hz: float | None = Field(
        None,
        gt=0.0,
        le=200.0,
        description="empty: frames at their recorded, irregular times; otherwise the nearest "
        "frame of each period, with the label interpolated at the time of the period, Hz",
    )
    min_speed_mps: float = Field(
        0.2,
        ge=0.0,
        le=20.0,
        description="slower frames are hovering; 0 keeps all frames, m/s",
    )
    hover_s: float = Field(3.0, ge=0.0, le=600.0, description="longer hovering is left out, s")
    min_contrast: float = Field(
        CONTRAST_FLOOR,
        ge=0.0,
        le=255.0,
        description="pictures with a smaller standard deviation are left out, of 255",
    )
    keep_frozen: bool = Field(False, description="keep pictures that are equal to the one before")
    max_gap_s: float = Field(
        1.0, gt=0.0, le=60.0, description="a longer gap between frames begins another piece, s"
    )
    min_frames: int = Field(
        16, ge=1, le=100_000, description="pieces with fewer frames are left out"
    )


class DisturbanceSettings(Settings):
    """Pushes on the expert's commands, which lead to recoveries; labels are not changed."""

    share: float = Field(0.5, ge=0.0, le=1.0, description="fraction of the time with a push")
    segment_s: float = Field(1.0, gt=0.1, le=10.0, description="length of a push, s")
    forward_mps: float = Field(0.4, ge=0.0, le=3.0, description="standard deviation, m/s")
    left_mps: float = Field(0.8, ge=0.0, le=3.0, description="standard deviation, m/s")
    up_mps: float = Field(0.3, ge=0.0, le=3.0, description="standard deviation, m/s")
    yaw_rate_radps: float = Field(0.6, ge=0.0, le=3.0, description="standard deviation, rad/s")


class FlightSettings(Settings):
    """Data flights and their pilots."""

    cloning: int = Field(
        48,
        ge=0,
        le=2000,
        description="flights of the disturbed expert; with bags, in addition to them",
    )
    dagger: int = Field(32, ge=0, le=2000, description="flights of each DAgger round")
    rounds: int = Field(4, ge=0, le=50, description="DAgger rounds")
    expert_share: tuple[float, ...] = Field(
        (0.5, 0.25, 0.1, 0.0),
        description="fraction of the time that the expert flies (DAgger's beta), one per round; "
        "the last is used for further rounds",
    )
    segment_s: float = Field(
        1.5, gt=0.0, le=30.0, description="time between two draws of the pilot, s"
    )
    disturbance: DisturbanceSettings = DisturbanceSettings()
    data_runs: tuple[str, ...] = Field(
        (),
        description="folders of runs whose data flights are learned from too, such as that of the "
        "encoder; they are not flown again",
    )
    tasks: tuple[str, ...] = Field(
        (), description="names of `tasks` to fly and to learn from; empty for all"
    )

    @field_validator("expert_share")
    @classmethod
    def _check_betas(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not values or not all(0.0 <= value <= 1.0 for value in values):
            raise ValueError("must hold at least one value, each between 0 and 1")
        return values


class ValidationSettings(Settings):
    """Closed-loop flights that rank the checkpoints."""

    flights: int = Field(
        6,
        ge=0,
        le=1000,
        description="flights per condition after each round; 0 chooses the last round",
    )
    final_flights: int = Field(
        12,
        ge=0,
        le=1000,
        description="flights per condition of the chosen model, on further seeds; with 0 the "
        "model is published without flights",
    )
    conditions: dict[str, dict[str, Any]] = Field(
        {"calm": {}},
        min_length=1,
        description="names of conditions and the scenario keys that each sets; `scenario` names "
        "another scenario",
    )


class TaskFlights(Settings):
    """Data flights of one task, in addition to the keys of the run."""

    scenario: str = Field(description="scenario to fly, by name or path")
    share: float = Field(1.0, gt=0.0, description="weight of the task among all flights")
    overrides: dict[str, Any] = Field({}, description="scenario keys set in every flight")
    randomise: dict[str, Spread] = Field({}, description="scenario keys drawn for every flight")


class TrainingSettings(Settings):
    """One training run."""

    name: str = Field(
        min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_\-]+$", description="of the model"
    )
    description: str = Field("", description="one sentence for the model card")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="of all random numbers")
    scenario: str = Field("trail", description="scenario to fly, by name or path")
    overrides: dict[str, Any] = Field({}, description="scenario keys set in every flight")
    randomise: dict[str, Spread] = Field({}, description="scenario keys drawn for every flight")
    disturb: DisturbanceDraw = DisturbanceDraw()
    tasks: dict[str, TaskFlights] = Field(
        {}, description="tasks of the data flights by name; empty for the run's scenario alone"
    )
    encoder: EncoderLearning | None = Field(
        None, description="train an encoder alone, without a core; publishes an encoder folder"
    )
    flights: FlightSettings = FlightSettings()
    bags: BagSettings = BagSettings()
    network: NetworkSettings = NetworkSettings()
    learner: LearnerSettings = LearnerSettings()
    validation: ValidationSettings = ValidationSettings()
    jobs: int = Field(2, ge=1, le=64, description="flights at a time")
    restart_every: int = Field(
        25,
        ge=1,
        description="flights after which a worker process is replaced, for its memory",
    )
    time_budget_s: float = Field(
        3300.0,
        gt=0.0,
        description="a DAgger round that would end after this time does not begin, s",
    )

    @property
    def flies(self) -> bool:
        """Whether the run needs a simulator."""
        flights, validation = self.flights, self.validation
        flown = flights.cloning + flights.rounds * flights.dagger
        return flown + validation.flights + validation.final_flights > 0

    def check_data(self, bags: int) -> None:
        """Check that there is data to learn from.

        Args:
            bags: number of bags.

        Raises:
            ConfigError: there is neither a bag nor a flight of the expert.
        """
        if not bags and not self.flights.cloning and not self.flights.data_runs:
            raise ConfigError(
                f"{self.name}: flights.cloning is 0, so expected bags to learn from: pass "
                "--data flights/*.mcap, or name runs in flights.data_runs"
            )

    def check_tasks(self) -> None:
        """Check that the tasks to fly are tasks of the run.

        Raises:
            ConfigError: one is not.
        """
        for name in self.flights.tasks:
            if name not in self.tasks:
                raise ConfigError(
                    f"{self.name}: flights.tasks: unknown task {name!r}; "
                    f"{suggestion(name, self.tasks)}"
                )

    def check_penalty(self) -> None:
        """Check that a contraction penalty has a core that it is made for.

        Raises:
            ConfigError: the core is no wired CfC in mode `default`.
        """
        core = self.network.core
        mode = str(core.options.get("mode", "default"))
        if self.learner.contraction.weight and (core.kind, mode) != ("cfc_wired", "default"):
            raise ConfigError(
                f"{self.name}: learner.contraction.weight needs the core cfc_wired in mode "
                f"default, got {core.kind}{'' if mode == 'default' else f' in mode {mode}'}"
            )

    def check_cameras(self) -> None:
        """Check that every flight has the camera that the model is made for.

        Raises:
            ConfigError: a condition or a drawn key changes its shape or view, or is invalid.
        """
        camera = self.base_scenario().camera
        view = CameraView(
            camera.width,
            camera.height,
            camera.horizontal_fov_deg,
            camera.pitch_down_deg,
            *self.camera_ranges,
        )
        for name, scenario in self._variations():
            camera = scenario.camera
            size, fov_deg = (camera.width, camera.height), camera.horizontal_fov_deg
            with _naming(f"{name}: the model could not fly it"):
                view.check_camera(*size, fov_deg, pitch_down_deg=camera.pitch_down_deg)

    @property
    def camera_ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Smallest and largest field of view and pitch in the data flights, degrees."""
        camera = self.base_scenario().camera
        ranges = []
        for key in ("horizontal_fov_deg", "pitch_down_deg"):
            value, spread = getattr(camera, key), self.randomise.get(f"camera.{key}")
            drawn = (value,) if spread is None else (value, spread.low, spread.high)
            ranges.append((min(drawn), max(drawn)))
        return ranges[0], ranges[1]

    def _variations(self) -> Iterator[tuple[str, Scenario]]:
        """Yield name and scenario of each condition and of the ends of each drawn key."""
        for name in self.validation.conditions:
            yield f"validation.conditions.{name}", self.condition(name)
        for key, spread in self.randomise.items():
            for value in spread.ends:
                text = value if isinstance(value, str) else f"{value:g}"
                drawn = {**self.overrides, **_alone(key, value)}
                yield f"randomise.{key} = {text}", load_scenario(self.scenario, drawn)

    def check_flights(self, check: Callable[[Scenario, int], None]) -> None:
        """Check that a simulator can begin a flight of each scenario of the run.

        Args:
            check: raises a `LiquidControlError` where the flight of a seed cannot begin.

        Raises:
            ConfigError: a flight cannot begin; the message names its condition.
        """
        flown = {"the run's scenario": self.base_scenario()}
        for condition in self.validation.conditions:
            flown[f"validation.conditions.{condition}"] = self.condition(condition)
        for name, scenario in flown.items():
            with _naming(f"{self.name}: {name}: cannot be flown"):
                check(scenario, self.seed)

    def flight_scenario(self, index: int, seed: int) -> Scenario:
        """Return the scenario of a data flight: its task by index, its drawn keys by seed.

        Tasks follow a low-discrepancy sequence, so every part of the flights has their shares.
        """
        drawn = {**self.overrides, **draw_overrides(self.randomise, seed)}
        scenario = self.scenario
        name = self.task_of(index)
        if name is not None:
            task = self.tasks[name]
            scenario = task.scenario
            drawn |= {**task.overrides, **draw_overrides(task.randomise, seed)}
        return load_scenario(scenario, consistent_wind({**drawn, **self.disturb.draw(seed)}))

    def task_of(self, index: int) -> str | None:
        """Return the task of a data flight; None where the run has no tasks."""
        names = [name for name in self.tasks if name in (self.flights.tasks or self.tasks)]
        if not names:
            return None
        bounds = np.cumsum([self.tasks[name].share for name in names])
        place = (index + 0.5) * GOLDEN_RATIO % 1.0 * bounds[-1]
        return names[min(int(np.searchsorted(bounds, place, side="right")), len(names) - 1)]

    def base_scenario(self) -> Scenario:
        """Return the scenario that all flights start from."""
        return load_scenario(self.scenario, self.overrides)

    def condition(self, name: str) -> Scenario:
        """Return the scenario of one validation condition."""
        keys = dict(self.validation.conditions[name])
        scenario = str(keys.pop("scenario", self.scenario))
        return load_scenario(scenario, {**self.overrides, **keys})


def load_training(
    path: Path | str, overrides: Mapping[str, Any] | None = None
) -> TrainingSettings:
    """Read a training file with what it extends, and check it against its scenario.

    Args:
        path: YAML file; `extends` names another file next to it, or a path.
        overrides: dotted keys of the file and their values, such as {"network.core.kind": "gru"}.

    Raises:
        ConfigError: a key is unknown, or a value is of the wrong type or out of range.
    """
    content = apply_overrides(load_extended(Path(path), Path(path).parent), overrides or {})
    settings = validate(TrainingSettings, content, str(path))
    check_keys(settings.randomise, str(path))
    settings.check_tasks()
    settings.check_penalty()
    settings.check_cameras()
    return settings


@contextmanager
def _naming(what: str) -> Iterator[None]:
    """Put a text before the error of the block."""
    try:
        yield
    except LiquidControlError as error:
        raise ConfigError(f"{what}: {error}") from error


def _alone(key: str, value: float | str) -> dict[str, Any]:
    """Return overrides for one key; a gust or mean of wind needs the other at zero."""
    calm = {"wind.mean_mps": 0.0} if key == "wind.gust_mps" else {}
    still = {"wind.gust_mps": 0.0} if key == "wind.mean_mps" else {}
    return {**calm, **still, key: value}
