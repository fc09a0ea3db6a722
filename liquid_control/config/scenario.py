"""What a flight takes place in: trail, forest, wind, light, fog, sensors. The keys of `--set`."""

from collections.abc import Mapping
from math import radians, tan
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from liquid_control.config.loading import Settings, apply_overrides, load_yaml, validate
from liquid_control.config.locations import project_file
from liquid_control.errors import ConfigError


class TrailSettings(Settings):
    """The winding trail through the forest."""

    length_m: float = Field(60.0, gt=5.0, le=1000.0, description="arc length to fly, m")
    difficulty: float = Field(
        0.3,
        ge=0.0,
        le=1.0,
        description="curvature, narrowness and low contrast together, 0 gentle to 1 hard",
    )
    lateral_limit_m: float = Field(
        2.5,
        gt=0.0,
        le=20.0,
        description="the flight has left the trail farther than this from its centre, m",
    )


class ForestSettings(Settings):
    """The trees beside the trail."""

    trees: int = Field(120, ge=0, le=1000, description="number of trees")
    clear_m: float = Field(
        1.6, ge=0.5, le=10.0, description="no trunk stands nearer to the trail's centre, m"
    )


class WindSettings(Settings):
    """Air that moves: mean with height profile, Dryden turbulence, 1-cos gusts."""

    mean_mps: float = Field(
        0.0, ge=0.0, le=30.0, description="mean speed at reference_height_m, m/s"
    )
    gust_mps: float = Field(
        0.0,
        ge=0.0,
        le=40.0,
        description="peak speed of the discrete gusts, m/s; no gusts unless above mean_mps",
    )
    direction_deg: float | None = Field(
        None,
        ge=-360.0,
        le=360.0,
        description="where it blows to, degrees counter-clockwise from east; drawn if null",
    )
    turbulence: float = Field(
        1.0, ge=0.0, le=5.0, description="scale of the Dryden intensities, 0 for none"
    )
    reference_height_m: float = Field(
        2.0, gt=0.0, le=100.0, description="height at which mean_mps holds, m"
    )
    roughness_m: float = Field(
        0.1, gt=0.0, le=2.0, description="roughness length of the log profile, m"
    )


class LightSettings(Settings):
    """The sun and the exposure."""

    gain: float = Field(
        1.0, gt=0.0, le=5.0, description="brightness of the exposed picture, 1 as lit"
    )
    sun_elevation_deg: float = Field(
        50.0, ge=-5.0, le=90.0, description="sun above the horizon, degrees"
    )
    sun_azimuth_deg: float | None = Field(
        None,
        ge=-360.0,
        le=360.0,
        description="where the sun stands, degrees counter-clockwise from east; drawn if null",
    )
    sun_strength: float = Field(
        1.0, ge=0.0, le=3.0, description="direct light against the sky's, 0 overcast"
    )


class FogSettings(Settings):
    """Fog in the air between camera and scene."""

    extinction_per_m: float = Field(
        0.0, ge=0.0, le=2.0, description="extinction coefficient, 1/m; 0 for clear air"
    )


class CameraSettings(Settings):
    """The forward camera: intrinsics, pose and faults."""

    width: int = Field(96, ge=16, le=1920, description="pixels")
    height: int = Field(54, ge=16, le=1080, description="pixels")
    horizontal_fov_deg: float = Field(
        90.0, ge=20.0, le=140.0, description="horizontal field of view, degrees"
    )
    forward_m: float = Field(0.10, ge=-1.0, le=1.0, description="camera ahead of base_link, m")
    up_m: float = Field(0.02, ge=-1.0, le=1.0, description="camera above base_link, m")
    pitch_down_deg: float = Field(
        15.0, ge=-45.0, le=90.0, description="optical axis below the body's x axis, degrees"
    )
    rate_hz: float = Field(20.0, ge=2.0, le=120.0, description="frames a second")
    noise_sigma: float = Field(0.0, ge=0.0, le=0.5, description="read noise, of full scale")
    shot_noise: float = Field(
        0.01, ge=0.0, le=0.5, description="shot noise at full scale, of full scale"
    )
    drop_rate: float = Field(0.0, ge=0.0, lt=1.0, description="share of frames lost on their way")

    @property
    def focal_px(self) -> float:
        """Focal length in pixels, the same in x and y."""
        return 0.5 * self.width / tan(0.5 * radians(self.horizontal_fov_deg))


class ImuSettings(Settings):
    """The IMU, at the rate of the physics."""

    gyro_noise: float = Field(0.005, ge=0.0, le=1.0, description="white noise of a sample, rad/s")
    accel_noise: float = Field(0.05, ge=0.0, le=10.0, description="white noise of a sample, m/s^2")
    gyro_bias: float = Field(
        0.005, ge=0.0, le=1.0, description="standard deviation of the turn-on bias, rad/s"
    )
    accel_bias: float = Field(
        0.05, ge=0.0, le=10.0, description="standard deviation of the turn-on bias, m/s^2"
    )


class RangeSettings(Settings):
    """The range sensor that looks down."""

    enabled: bool = Field(False, description="whether there is one")
    noise_m: float = Field(0.02, ge=0.0, le=1.0, description="white noise of a reading, m")


class Scenario(Settings):
    """Everything that makes a flight, except its seed and its pilot."""

    vehicle: str = Field("outdoor", description="a file of config/vehicles, without .yaml")
    speed_mps: float = Field(2.0, gt=0.0, le=15.0, description="cruise speed of the expert, m/s")
    altitude_m: float = Field(1.5, ge=0.5, le=10.0, description="height above ground to fly at, m")
    time_limit_s: float | None = Field(
        None,
        gt=0.0,
        description="the flight ends then; twice length over speed, and 10 s, if null",
    )
    trail: TrailSettings = TrailSettings()
    forest: ForestSettings = ForestSettings()
    wind: WindSettings = WindSettings()
    light: LightSettings = LightSettings()
    fog: FogSettings = FogSettings()
    camera: CameraSettings = CameraSettings()
    imu: ImuSettings = ImuSettings()
    range: RangeSettings = RangeSettings()

    @model_validator(mode="after")
    def _gust_needs_mean(self) -> "Scenario":
        if 0.0 < self.wind.gust_mps < self.wind.mean_mps:
            raise ValueError(
                f"wind.gust_mps must be 0 or at least wind.mean_mps ({self.wind.mean_mps:g})"
            )
        return self

    @property
    def flight_limit_s(self) -> float:
        """When the flight times out, s."""
        return self.time_limit_s or 2.0 * self.trail.length_m / self.speed_mps + 10.0


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
