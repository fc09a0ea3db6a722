"""Sections of a scenario: the keys of `--set`, with units, ranges, defaults and descriptions."""

from enum import Enum
from math import radians, tan
from typing import Literal, TypeAlias

from pydantic import Field

from liquid_control.config.loading import Settings


class CameraSettings(Settings):
    """Forward camera: intrinsics, mount, lens, sensor and transport."""

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
    drop_rate: float = Field(
        0.0, ge=0.0, lt=1.0, description="fraction of frames lost in transport"
    )
    defocus: float = Field(
        0.0, ge=0.0, le=0.1, description="diameter of the blur disc, fraction of the image width"
    )
    exposure_s: float = Field(
        0.0, ge=0.0, le=0.1, description="shutter time, s; 0 for no motion blur"
    )
    dirt: float = Field(0.0, ge=0.0, le=1.0, description="fraction of the lens covered by dirt")
    drops: int = Field(0, ge=0, le=200, description="number of water drops on the lens")
    vignetting: float = Field(
        0.0, ge=0.0, le=1.0, description="fraction of light lost in the corners"
    )
    jpeg_quality: int | None = Field(
        None, ge=1, le=100, description="JPEG quality in transport; uncompressed if null"
    )
    freeze_rate: float = Field(
        0.0, ge=0.0, lt=1.0, description="fraction of frames that repeat the previous one"
    )
    latency_s: float = Field(
        0.0,
        ge=0.0,
        le=0.5,
        description="time from exposure to arrival and stamp, s",
    )
    blackout_s: float = Field(
        0.0, ge=0.0, le=10.0, description="length of a single period of black frames, s"
    )
    blackout_from_s: float | None = Field(
        None, ge=0.0, le=600.0, description="its start, s; drawn from the first 20 s if null"
    )

    @property
    def focal_px(self) -> float:
        """Focal length in pixels, the same in x and y."""
        return 0.5 * self.width / tan(0.5 * radians(self.horizontal_fov_deg))


class DeltaSettings(Settings):
    """Published image-space changes, applied to the finished picture (Chahine et al. 2023)."""

    brightness: float = Field(
        0.0, ge=-1.0, le=1.0, description="offset of every channel, of full scale"
    )
    contrast: float = Field(
        1.0, ge=0.0, le=10.0, description="factor on the difference from the channel's mean"
    )
    saturation: float = Field(1.0, ge=0.0, le=10.0, description="factor on HSV saturation")
    noise: float = Field(
        0.0, ge=0.0, le=255.0, description="standard deviation of Gaussian noise, of 255"
    )


class ImuSettings(Settings):
    """IMU, sampled at the physics rate."""

    gyro_noise: float = Field(0.005, ge=0.0, le=1.0, description="white noise of a sample, rad/s")
    accel_noise: float = Field(0.05, ge=0.0, le=10.0, description="white noise of a sample, m/s^2")
    gyro_bias: float = Field(
        0.005, ge=0.0, le=1.0, description="standard deviation of the turn-on bias, rad/s"
    )
    accel_bias: float = Field(
        0.05, ge=0.0, le=10.0, description="standard deviation of the turn-on bias, m/s^2"
    )
    tilt_noise_deg: float = Field(
        0.5, ge=0.0, le=20.0, description="white noise of the estimated roll and pitch, degrees"
    )
    dropout_rate: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="fraction of samples lost, in bursts; the last reading is repeated",
    )


class RangeSettings(Settings):
    """Downward range sensor."""

    enabled: bool = Field(False, description="whether the vehicle has the sensor")
    noise_m: float = Field(0.02, ge=0.0, le=1.0, description="white noise of a reading, m")


class FaultSettings(Settings):
    """Vehicle faults; the defaults describe a vehicle without faults."""

    rotor_efficiency: float = Field(
        1.0, ge=0.5, le=1.0, description="thrust and torque of one rotor, of their nominal values"
    )
    rotor: int | None = Field(
        None,
        ge=1,
        le=4,
        description="that rotor: 1 front right, 2 rear left, 3 front left, 4 rear right; drawn if "
        "null",
    )
    rotor_period_s: float = Field(
        0.0, ge=0.0, le=600.0, description="it is weak in each second half of this, s; 0: always"
    )
    battery_sag: float = Field(
        0.0, ge=0.0, le=0.4, description="fraction of full thrust lost as the battery discharges"
    )
    mass_scale: float = Field(1.0, ge=0.7, le=1.5, description="factor on mass and inertia")
    velocity_bias_mps: float = Field(
        0.0,
        ge=0.0,
        le=2.0,
        description="error of the autopilot's velocity estimate, m/s, in a random horizontal "
        "direction",
    )


class FogSettings(Settings):
    """Fog after Koschmieder's law."""

    extinction_per_m: float = Field(
        0.0, ge=0.0, le=2.0, description="extinction coefficient, 1/m; 0 for clear air"
    )


class RainSettings(Settings):
    """Rain: streaks and haze."""

    rate_mmph: float = Field(0.0, ge=0.0, le=150.0, description="rainfall, mm/h")


class SnowSettings(Settings):
    """Falling snow; `forest.season: snow` covers the ground."""

    rate_mmph: float = Field(
        0.0, ge=0.0, le=20.0, description="snowfall as water equivalent, mm/h"
    )


class WindSettings(Settings):
    """Mean wind with height profile, Dryden turbulence, 1-cos gusts, lee of trees, rotor wash."""

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
        description="direction of flow, degrees counter-clockwise from east; drawn if null",
    )
    turbulence: float = Field(
        1.0, ge=0.0, le=5.0, description="factor on the Dryden intensities, 0 for none"
    )
    reference_height_m: float = Field(
        2.0, gt=0.0, le=100.0, description="height at which mean_mps holds, m"
    )
    roughness_m: float = Field(
        0.1, gt=0.0, le=2.0, description="roughness length of the log profile, m"
    )
    lee: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="strength of wakes behind trees and jets between them, 0 for an open field",
    )
    rotor_wash: float = Field(
        0.0,
        ge=0.0,
        le=5.0,
        description="factor on ground effect and recirculating wash near the ground, 0 for none",
    )
    end_s: float | None = Field(None, ge=0.0, description="end of the wind, s; never if null")


class LightSettings(Settings):
    """Illumination, and the exposure of the camera."""

    gain: float = Field(
        1.0, gt=0.0, le=5.0, description="factor on the exposure; 1 for the automatic one"
    )
    sun_elevation_deg: float = Field(
        50.0, ge=-5.0, le=90.0, description="elevation of the sun above the horizon, degrees"
    )
    sun_azimuth_deg: float | None = Field(
        None,
        ge=-360.0,
        le=360.0,
        description="azimuth of the sun, degrees counter-clockwise from east; drawn if null",
    )
    sun_strength: float = Field(
        1.0, ge=0.0, le=3.0, description="factor on the direct light, 0 for an overcast sky"
    )
    temperature_k: float = Field(
        6500.0,
        ge=2000.0,
        le=15000.0,
        description="colour temperature of all light, K; 6500 is neutral",
    )
    shadow_hardness: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="0 for soft shadows painted on the ground; otherwise contrast of cast shadows",
    )
    shadow_sway_m: float = Field(
        0.0, ge=0.0, le=3.0, description="amplitude of the sway of foliage shadows, m"
    )
    glare: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="light scattered in the lens with the sun in or near the picture",
    )
    flicker: float = Field(
        0.0, ge=0.0, le=1.0, description="depth of periodic brightness flicker, of full scale"
    )
    flicker_hz: float = Field(8.0, gt=0.0, le=200.0, description="flicker frequency, Hz")
    level: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="fraction of the nominal light; the camera's gain compensates for it and "
        "amplifies shot noise",
    )
    exposure_lag_s: float = Field(
        0.0,
        ge=0.0,
        le=10.0,
        description="time constant of automatic exposure, metered on the frames, s; 0 for one "
        "exposure throughout the flight",
    )


HARDEST = 5.0
"""Largest difficulty."""

Season: TypeAlias = Literal["spring", "summer", "late summer", "autumn", "winter", "snow"]


class TrailSettings(Settings):
    """Winding forest trail; null keys follow `difficulty`."""

    length_m: float = Field(60.0, gt=5.0, le=1000.0, description="arc length of the course, m")
    difficulty: float = Field(
        0.3,
        ge=0.0,
        le=HARDEST,
        description="0 easy to 5 hard: sets every null key of trail, forest and terrain",
    )
    lateral_limit_m: float = Field(
        2.5,
        gt=0.0,
        le=20.0,
        description="distance from the centre line at which the flight has left the trail, m",
    )
    min_radius_m: float | None = Field(
        None, ge=1.5, le=100.0, description="radius of the sharpest bend, m"
    )
    half_width_m: float | None = Field(
        None, ge=0.2, le=5.0, description="mean half width of the painted trail, m"
    )
    contrast: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="fraction kept of the colour difference from the floor",
    )
    forks: int | None = Field(
        None,
        ge=0,
        le=10,
        description="number of look-alike side trails; a post with a blaze marks the right branch",
    )


class ForestSettings(Settings):
    """Trees next to the trail and in its corridor."""

    trees: int = Field(120, ge=0, le=1000, description="number of trees outside the corridor")
    clear_m: float = Field(
        1.6, ge=0.5, le=10.0, description="their smallest distance from the trail's centre, m"
    )
    inside: int | None = Field(
        None, ge=0, le=100, description="number of trees in the corridor; by difficulty if null"
    )
    branches: int | None = Field(
        None,
        ge=0,
        le=100,
        description="number of branches across the corridor at flight height; by difficulty if "
        "null",
    )
    season: Season | None = Field(
        None,
        description="spring, summer, late summer, autumn, winter or snow; one of the first four "
        "is drawn if null",
    )
    colour_spread: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="share of random colour in ground, litter, bark and leaves, for training",
    )


class TerrainSettings(Settings):
    """Shape of the ground."""

    slope_deg: float | None = Field(
        None, ge=0.0, le=25.0, description="steepest slope, degrees; by difficulty if null"
    )


Colour: TypeAlias = Literal["red", "orange", "yellow", "blue", "violet", "white"]


class TaskKind(str, Enum):
    """Tasks; each has a completion rule and an expert."""

    TRAIL = "trail"
    TARGET = "target"
    HIKE = "hike"


class TaskSettings(Settings):
    """Task, and the start of the flight."""

    kind: TaskKind = Field(
        TaskKind.TRAIL,
        description="trail: follow it; target: find, approach, stop; hike: several targets",
    )
    start_turn_deg: float = Field(
        0.0,
        ge=0.0,
        le=180.0,
        description="rotation of the start away from the goal, degrees, to a random side",
    )


class TargetSettings(Settings):
    """Coloured object to find; used by the tasks target and hike."""

    range_m: float | None = Field(
        None, ge=3.0, le=60.0, description="distance of the start, m; drawn from 5 to 30 if null"
    )
    colour: Colour = Field("red", description="red, orange, yellow, blue, violet or white")
    distractors: int = Field(3, ge=0, le=20, description="number of objects of other colours")
    stop_m: float = Field(
        1.5, ge=0.5, le=5.0, description="largest distance to its surface on arrival, m"
    )
    centred_deg: float = Field(
        10.0, ge=1.0, le=45.0, description="largest bearing of the target on arrival, degrees"
    )
    hidden_s: float = Field(
        0.0, ge=0.0, le=10.0, description="time for which a board hides the target, s"
    )
    hidden_from_s: float | None = Field(
        None, ge=0.0, le=600.0, description="its start, s; drawn during the approach if null"
    )


class HikeSettings(Settings):
    """Targets in sequence; each next one is found by turning left."""

    targets: int = Field(3, ge=2, le=10, description="number of targets")
    leg_m: float = Field(9.0, ge=4.0, le=40.0, description="mean distance between targets, m")
    turn_deg: float = Field(
        70.0, ge=0.0, le=150.0, description="mean turn to the left from one leg to the next"
    )
