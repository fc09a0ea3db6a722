"""What a flight takes place in: the keys of `--set`, a section a file."""

from liquid_control.config.scenario.body import FaultSettings, ImuSettings, RangeSettings
from liquid_control.config.scenario.camera import CameraSettings, DeltaSettings
from liquid_control.config.scenario.place import ForestSettings, TerrainSettings, TrailSettings
from liquid_control.config.scenario.scenario import (
    Backend,
    Scenario,
    WorldSettings,
    load_scenario,
    scenario_names,
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

__all__ = [
    "Backend",
    "CameraSettings",
    "DeltaSettings",
    "FaultSettings",
    "FogSettings",
    "ForestSettings",
    "HikeSettings",
    "ImuSettings",
    "LightSettings",
    "RainSettings",
    "RangeSettings",
    "Scenario",
    "SnowSettings",
    "TargetSettings",
    "TaskKind",
    "TaskSettings",
    "TerrainSettings",
    "TrailSettings",
    "WindSettings",
    "WorldSettings",
    "load_scenario",
    "scenario_names",
]
