"""What is in the air between camera and scene."""

from pydantic import Field

from liquid_control.config.loading import Settings


class FogSettings(Settings):
    """Fog: Koschmieder's law."""

    extinction_per_m: float = Field(
        0.0, ge=0.0, le=2.0, description="extinction coefficient, 1/m; 0 for clear air"
    )


class RainSettings(Settings):
    """Rain: streaks that fall, and the haze they make."""

    rate_mmph: float = Field(0.0, ge=0.0, le=150.0, description="rainfall, mm/h")


class SnowSettings(Settings):
    """Snow in the air; `forest.season: snow` is what lies on the ground."""

    rate_mmph: float = Field(
        0.0, ge=0.0, le=20.0, description="snowfall as water equivalent, mm/h"
    )


class WindSettings(Settings):
    """Mean with height profile, Dryden turbulence, 1-cos gusts, lee of trees, rotor wash."""

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
    lee: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="strength of lees behind trees and jets between them, 0 for an open field",
    )
    rotor_wash: float = Field(
        0.0,
        ge=0.0,
        le=5.0,
        description="scale of ground effect and recirculating wash near the ground, 0 for none",
    )


class LightSettings(Settings):
    """What light falls, and how the camera exposes for it."""

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
    temperature_k: float = Field(
        6500.0,
        ge=2000.0,
        le=15000.0,
        description="colour temperature that tints everything, K; 6500 is neutral",
    )
    shadow_hardness: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="0 soft, baked shadows on the ground; above, cast ones with this contrast",
    )
    shadow_sway_m: float = Field(
        0.0, ge=0.0, le=3.0, description="how far cast shadows sway with the foliage, m"
    )
    glare: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="light scattered in the lens when the sun is in or near the picture",
    )
    flicker: float = Field(
        0.0, ge=0.0, le=1.0, description="depth of periodic brightness flicker, of full scale"
    )
    flicker_hz: float = Field(8.0, gt=0.0, le=200.0, description="its frequency, Hz")
    level: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="share of the light that arrives; the camera's gain makes it good and so "
        "amplifies shot noise",
    )
    exposure_lag_s: float = Field(
        0.0,
        ge=0.0,
        le=10.0,
        description="time constant of automatic exposure metered on the frames, s; 0 exposes "
        "once for the whole flight",
    )
