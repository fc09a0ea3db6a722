"""Trail, forest and ground."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from pydantic import Field

from liquid_control.config.loading import Settings

HARDEST = 5.0

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
"""Quantity: difficulties, and the values there. Forks, trees and branches count for 60 m."""

COUNTS = frozenset({"forks", "inside", "branches"})
"""Quantities that are numbers of things."""


def at_difficulty(quantity: str, difficulty: float) -> float:
    """Return a quantity of `LADDER` at a difficulty, interpolated linearly."""
    return float(np.interp(difficulty, *LADDER[quantity]))


Season: TypeAlias = Literal["spring", "summer", "late summer", "autumn", "winter", "snow"]


class TrailSettings(Settings):
    """The winding trail through the forest; null keys follow `difficulty`."""

    length_m: float = Field(60.0, gt=5.0, le=1000.0, description="arc length to fly, m")
    difficulty: float = Field(
        0.3,
        ge=0.0,
        le=HARDEST,
        description="0 gentle to 5 hard: sets every key of trail, forest and terrain that is null",
    )
    lateral_limit_m: float = Field(
        2.5,
        gt=0.0,
        le=20.0,
        description="the flight has left the trail farther than this from its centre, m",
    )
    min_radius_m: float | None = Field(
        None, ge=1.5, le=100.0, description="radius of the sharpest bend, m"
    )
    half_width_m: float | None = Field(
        None, ge=0.2, le=5.0, description="mean half width of the painted trail, m"
    )
    contrast: float | None = Field(
        None, ge=0.0, le=1.0, description="share kept of the trail's difference from the floor"
    )
    forks: int | None = Field(
        None,
        ge=0,
        le=10,
        description="side trails that look the same; posts with a blaze mark the right branch",
    )


class ForestSettings(Settings):
    """The trees beside the trail, and in it."""

    trees: int = Field(120, ge=0, le=1000, description="number of trees beside the corridor")
    clear_m: float = Field(
        1.6, ge=0.5, le=10.0, description="none of them stands nearer to the trail's centre, m"
    )
    inside: int | None = Field(
        None, ge=0, le=100, description="trees that stand in the corridor; by difficulty if null"
    )
    branches: int | None = Field(
        None,
        ge=0,
        le=100,
        description="branches that reach into the corridor at flight height; by difficulty if "
        "null",
    )
    season: Season | None = Field(
        None,
        description="spring, summer, late summer, autumn, winter or snow; one of the first four "
        "is drawn if null",
    )


class TerrainSettings(Settings):
    """The ground."""

    slope_deg: float | None = Field(
        None, ge=0.0, le=25.0, description="steepest slope, degrees; by difficulty if null"
    )
