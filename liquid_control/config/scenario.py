"""Scenario: the complete settings of a flight apart from its seed and its pilot."""

from collections.abc import Mapping
from enum import Enum
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from liquid_control.config import sections
from liquid_control.config.loading import (
    Settings,
    apply_overrides,
    load_extended,
    project_file,
    validate,
)
from liquid_control.config.suggestions import suggestion
from liquid_control.errors import ConfigError

LONGEST_RANGE_M = 30.0
"""Largest distance from the target at which a random start is drawn, m."""


class Backend(str, Enum):
    """Implementations of the rigid-body dynamics."""

    PYBULLET = "pybullet"
    GYM_PYBULLET_DRONES = "gym_pybullet_drones"


class WorldSettings(Settings):
    """Simulation backend."""

    backend: Backend = Field(
        Backend.PYBULLET,
        description="pybullet, or gym_pybullet_drones: its CtrlAviary (cf2x only)",
    )


class NavigationSettings(Settings):
    """Magnetometer, barometer and GPS of an autopilot's firmware; our own cascade has none."""

    mag_noise_gauss: float = Field(
        0.002, ge=0.0, le=1.0, description="white noise of a magnetometer reading, gauss"
    )
    mag_bias_gauss: float = Field(
        0.01, ge=0.0, le=1.0, description="standard deviation of its turn-on bias, gauss"
    )
    baro_noise_m: float = Field(
        0.1, ge=0.0, le=10.0, description="white noise of a barometer reading, m"
    )
    baro_drift_m: float = Field(
        0.02, ge=0.0, le=5.0, description="random walk of its bias in one second, m"
    )
    gps_noise_m: float = Field(
        0.1,
        ge=0.0,
        le=20.0,
        description="white noise of a position, horizontal; vertical is 1.5 x",
    )
    gps_drift_m: float = Field(
        0.3,
        ge=0.0,
        le=20.0,
        description="standard deviation of its slow error (60 s), horizontal; vertical is 1.5 x",
    )
    gps_velocity_noise_mps: float = Field(
        0.05, ge=0.0, le=5.0, description="white noise of each component of the velocity, m/s"
    )


class Scenario(Settings):
    """Complete settings of a flight apart from its seed and its pilot."""

    vehicle: str = Field("outdoor", description="name of a file in config/vehicles, without .yaml")
    speed_mps: float | None = Field(
        None,
        gt=0.0,
        le=15.0,
        description="cruise speed of the expert, m/s; if null it follows trail.difficulty: 2 m/s "
        "up to difficulty 1",
    )
    altitude_m: float = Field(1.5, ge=0.5, le=10.0, description="flight height above ground, m")
    time_limit_s: float | None = Field(
        None,
        gt=0.0,
        description="time at which the flight ends, s; if null it follows length and speed",
    )
    world: WorldSettings = WorldSettings()
    task: sections.TaskSettings = sections.TaskSettings()
    target: sections.TargetSettings = sections.TargetSettings()
    hike: sections.HikeSettings = sections.HikeSettings()
    trail: sections.TrailSettings = sections.TrailSettings()
    forest: sections.ForestSettings = sections.ForestSettings()
    terrain: sections.TerrainSettings = sections.TerrainSettings()
    wind: sections.WindSettings = sections.WindSettings()
    light: sections.LightSettings = sections.LightSettings()
    fog: sections.FogSettings = sections.FogSettings()
    rain: sections.RainSettings = sections.RainSettings()
    snow: sections.SnowSettings = sections.SnowSettings()
    camera: sections.CameraSettings = sections.CameraSettings()
    delta: sections.DeltaSettings = sections.DeltaSettings()
    imu: sections.ImuSettings = sections.ImuSettings()
    range: sections.RangeSettings = sections.RangeSettings()
    navigation: NavigationSettings = NavigationSettings()
    faults: sections.FaultSettings = sections.FaultSettings()

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
        """Cruise speed, m/s: `speed_mps`, or the value at the difficulty if null."""
        return self.speed_mps or at_difficulty("speed_mps", self.trail.difficulty)

    @property
    def course_m(self) -> float:
        """Length of the course, m; for a target the largest distance that can be drawn."""
        if self.task.kind is sections.TaskKind.TRAIL:
            return self.trail.length_m
        reach = self.target.range_m or LONGEST_RANGE_M
        return reach if self.task.kind is sections.TaskKind.TARGET else self._hike_m

    @property
    def _hike_m(self) -> float:
        return 1.5 * self.hike.leg_m * self.hike.targets

    @property
    def flight_limit_s(self) -> float:
        """Time limit, s: by default twice the time at cruise, 10 s, and 10 s for each stop."""
        stops = {
            sections.TaskKind.TRAIL: 0,
            sections.TaskKind.TARGET: 1,
            sections.TaskKind.HIKE: self.hike.targets,
        }
        default_s = 2.0 * self.course_m / self.cruise_mps + 10.0 + 10.0 * stops[self.task.kind]
        return self.time_limit_s or default_s

    def graded(self) -> "Scenario":
        """Return a copy whose null keys of speed, trail, forest and terrain are filled in.

        Lengths and slopes are those of `LADDER`; the numbers of forks, trees and branches are
        proportional to the trail's length. For tasks without a trail the difficulty is 0: no
        obstacles in the corridor and flat ground.
        """
        on_trail = self.task.kind is sections.TaskKind.TRAIL
        difficulty = self.trail.difficulty if on_trail else 0.0
        graded = {"trail": self.trail, "forest": self.forest, "terrain": self.terrain}
        filled: dict[str, Settings] = {}
        for name, section in graded.items():
            updates: dict[str, float | int] = {}
            for key in LADDER.keys() & type(section).model_fields.keys():
                if getattr(section, key) is None:
                    value = at_difficulty(key, difficulty)
                    updates[key] = _count(value, self.trail.length_m) if key in COUNTS else value
            filled[name] = section.model_copy(update=updates)
        return self.model_copy(update={"speed_mps": self.cruise_mps, **filled})


def _count(per_60_m: float, length_m: float) -> int:
    return round(per_60_m * length_m / 60.0)


def scenario_names() -> list[str]:
    """Return the names of the package's scenarios, sorted."""
    return sorted(path.stem for path in project_file("config/scenarios").glob("*.yaml"))


def load_scenario(name: str, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """Load a scenario by name or by path, with what it extends, and dotted keys replaced.

    Raises:
        ConfigError: the scenario does not exist, or a key or value is invalid.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if not name:
            raise ConfigError("scenario: expected a name or the path of a .yaml, got ''")
        if name not in scenario_names():
            known = suggestion(name, scenario_names(), "`liquid-control worlds`")
            raise ConfigError(f"unknown scenario {name!r}; {known}; or give a path to a .yaml")
        path = project_file("config/scenarios") / f"{name}.yaml"
    content = load_extended(path, project_file("config/scenarios"))
    content = apply_overrides(content, overrides or {})
    return validate(Scenario, content, str(path) if not overrides else f"{path} with --set")


LADDER: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = MappingProxyType(
    {
        "min_radius_m": ((0.0, 0.3, 1.0, 5.0), (15.0, 9.0, 4.0, 2.0)),
        "half_width_m": ((0.0, 0.3, 1.0, 5.0), (0.95, 0.95, 0.81, 0.40)),
        "contrast": ((0.0, 0.3, 1.0, 5.0), (1.0, 0.92, 0.38, 0.24)),
        "forks": ((0.0, 2.0, 3.0, 5.0), (0.0, 0.0, 1.0, 2.0)),
        "inside": ((0.0, 1.0, 5.0), (0.0, 0.0, 8.0)),
        "branches": ((0.0, 1.0, 5.0), (0.0, 0.0, 8.0)),
        "slope_deg": ((0.0, 1.0, 5.0), (0.0, 0.0, 15.0)),
        "speed_mps": ((0.0, 1.0, 5.0), (2.0, 2.0, 4.0)),
    }
)
"""Difficulties and values of each quantity. Forks, trees and branches are numbers per 60 m.

Up to 1 the trail only bends, narrows and loses contrast. From 2 on there are obstacles in the
corridor, slopes and forks, and the expert flies faster. Values between two levels are
interpolated.
"""

COUNTS = frozenset({"forks", "inside", "branches"})
"""Quantities that are numbers of objects."""


def at_difficulty(quantity: str, difficulty: float) -> float:
    """Return a quantity of `LADDER` at a difficulty, interpolated linearly."""
    return float(np.interp(difficulty, *LADDER[quantity]))


def about(scenario_name: str) -> str:
    """Return the description of a scenario: the first sentence of its file's leading comment."""
    path = project_file("config/scenarios") / f"{scenario_name}.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = takewhile(lambda line: line.startswith("#"), lines)
    sentence, end, _ = " ".join(line.lstrip("# ") for line in comment).partition(". ")
    return sentence + end.rstrip()


def success_rule(scenario: Scenario) -> str:
    """Return a sentence that states when a flight of a scenario counts as completed."""
    limit = f"in {scenario.flight_limit_s:.0f} s"
    if scenario.task.kind is sections.TaskKind.TRAIL:
        trail = scenario.trail
        return (
            f"{trail.length_m:g} m along the trail {limit}, never {trail.lateral_limit_m:g} m off "
            "its centre, without contact"
        )
    target = scenario.target
    arrived = (
        f"stopped within {target.stop_m:g} m of it and {target.centred_deg:g} degrees of straight "
        f"ahead {limit}, without contact"
    )
    if scenario.task.kind is sections.TaskKind.TARGET:
        return f"the {target.colour} target found: {arrived}"
    return f"{scenario.hike.targets} {target.colour} targets in turn, at each {arrived}"
