"""A scenario: everything that makes a flight, except its seed and its pilot."""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from liquid_control.config.loading import Settings, apply_overrides, load_yaml, validate
from liquid_control.config.locations import project_file
from liquid_control.config.scenario.body import FaultSettings, ImuSettings, RangeSettings
from liquid_control.config.scenario.camera import CameraSettings, DeltaSettings
from liquid_control.config.scenario.place import (
    COUNTS,
    LADDER,
    ForestSettings,
    TerrainSettings,
    TrailSettings,
    at_difficulty,
)
from liquid_control.config.scenario.task import (
    HikeSettings,
    TargetSettings,
    TaskKind,
    TaskSettings,
)
from liquid_control.config.scenario.weather import (
    FogSettings,
    LightSettings,
    RainSettings,
    SnowSettings,
    WindSettings,
)
from liquid_control.errors import ConfigError

LONGEST_RANGE_M = 30.0
"""Farthest start from a target that is drawn."""


class Backend(str, Enum):
    """Whose rigid-body dynamics."""

    PYBULLET = "pybullet"
    GYM_PYBULLET_DRONES = "gym_pybullet_drones"


class WorldSettings(Settings):
    """What simulates."""

    backend: Backend = Field(
        Backend.PYBULLET,
        description="pybullet, or gym_pybullet_drones for that package's CtrlAviary (cf2x only)",
    )


class Scenario(Settings):
    """Everything that makes a flight, except its seed and its pilot."""

    vehicle: str = Field("outdoor", description="a file of config/vehicles, without .yaml")
    speed_mps: float | None = Field(
        None,
        gt=0.0,
        le=15.0,
        description="cruise speed of the expert, m/s; by trail.difficulty if null, 2 up to 1",
    )
    altitude_m: float = Field(1.5, ge=0.5, le=10.0, description="height above ground to fly at, m")
    time_limit_s: float | None = Field(
        None,
        gt=0.0,
        description="the flight ends then, s; by length and speed if null",
    )
    world: WorldSettings = WorldSettings()
    task: TaskSettings = TaskSettings()
    target: TargetSettings = TargetSettings()
    hike: HikeSettings = HikeSettings()
    trail: TrailSettings = TrailSettings()
    forest: ForestSettings = ForestSettings()
    terrain: TerrainSettings = TerrainSettings()
    wind: WindSettings = WindSettings()
    light: LightSettings = LightSettings()
    fog: FogSettings = FogSettings()
    rain: RainSettings = RainSettings()
    snow: SnowSettings = SnowSettings()
    camera: CameraSettings = CameraSettings()
    delta: DeltaSettings = DeltaSettings()
    imu: ImuSettings = ImuSettings()
    range: RangeSettings = RangeSettings()
    faults: FaultSettings = FaultSettings()

    @model_validator(mode="after")
    def _gust_needs_mean(self) -> "Scenario":
        if 0.0 < self.wind.gust_mps < self.wind.mean_mps:
            raise ValueError(
                f"wind.gust_mps must be 0 or at least wind.mean_mps ({self.wind.mean_mps:g})"
            )
        return self

    @model_validator(mode="after")
    def _backend_knows_vehicle(self) -> "Scenario":
        backend = self.world.backend
        if backend is Backend.GYM_PYBULLET_DRONES and self.vehicle != "cf2x":
            raise ValueError(f"world.backend {backend.value} flies cf2x, got {self.vehicle!r}")
        return self

    @property
    def cruise_mps(self) -> float:
        """Cruise speed, m/s: as given, or by difficulty."""
        return self.speed_mps or at_difficulty("speed_mps", self.trail.difficulty)

    @property
    def course_m(self) -> float:
        """Length of what is to be flown, m; for a target the longest that may be drawn."""
        if self.task.kind is TaskKind.TRAIL:
            return self.trail.length_m
        reach = self.target.range_m or LONGEST_RANGE_M
        return reach if self.task.kind is TaskKind.TARGET else self._hike_m

    @property
    def _hike_m(self) -> float:
        return 1.5 * self.hike.leg_m * self.hike.targets

    @property
    def flight_limit_s(self) -> float:
        """When the flight times out, s: twice the time at cruise, 10 s, and 10 s for each stop."""
        stops = {TaskKind.TRAIL: 0, TaskKind.TARGET: 1, TaskKind.HIKE: self.hike.targets}
        usual = 2.0 * self.course_m / self.cruise_mps + 10.0 + 10.0 * stops[self.task.kind]
        return self.time_limit_s or usual

    def graded(self) -> "Scenario":
        """Return a copy whose null keys of speed, trail, forest and terrain are filled in.

        Lengths and slopes come from `ladder.LADDER`; numbers of forks, trees and branches grow
        with the trail's length. Off the trail nothing stands in the way and the ground is flat.
        """
        on_trail = self.task.kind is TaskKind.TRAIL
        hardness = self.trail.difficulty if on_trail else 0.0
        sections = {"trail": self.trail, "forest": self.forest, "terrain": self.terrain}
        filled: dict[str, Settings] = {}
        for name, section in sections.items():
            updates: dict[str, float | int] = {}
            for key in LADDER.keys() & type(section).model_fields.keys():
                if getattr(section, key) is None:
                    value = at_difficulty(key, hardness)
                    updates[key] = _count(value, self.trail.length_m) if key in COUNTS else value
            filled[name] = section.model_copy(update=updates)
        return self.model_copy(update={"speed_mps": self.cruise_mps, **filled})


def _count(per_60_m: float, length_m: float) -> int:
    return round(per_60_m * length_m / 60.0)


def scenario_names() -> list[str]:
    """Return the names of the scenarios that come with the package."""
    return sorted(path.stem for path in project_file("config/scenarios").glob("*.yaml"))


def load_scenario(name: str, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """Load a scenario by name or by path, with dotted keys replaced.

    Raises:
        ConfigError: there is no such scenario, or a key or value does not fit.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if name not in scenario_names():
            known = ", ".join(scenario_names())
            raise ConfigError(
                f"unknown scenario {name!r}; there are: {known}, or give a path to a .yaml"
            )
        path = project_file("config/scenarios") / f"{name}.yaml"
    content = apply_overrides(load_yaml(path), overrides or {})
    return validate(Scenario, content, str(path) if not overrides else f"{path} with --set")
