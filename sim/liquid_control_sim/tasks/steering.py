"""Steering laws that the experts share: gains, repulsion from obstacles, altitude hold."""

import math

import numpy as np
from pydantic import Field

from liquid_control.config import Settings
from liquid_control.interfaces import PlaceObstacles, World
from liquid_control.types import Floats
from liquid_control_sim.place.objects import capsule_offsets


class ExpertGains(Settings):
    """Gains and limits of the experts."""

    lookahead_m: float = Field(3.0, gt=0.0, description="lookahead distance along the trail, m")
    lateral_per_s: float = Field(0.8, gt=0.0, description="gain of the cross-track error, 1/s")
    max_lateral_mps: float = Field(1.0, gt=0.0, description="limit of the lateral velocity, m/s")
    yaw_per_s: float = Field(2.0, gt=0.0, description="gain of the heading error, 1/s")
    max_yaw_rate_radps: float = Field(1.4, gt=0.0, description="limit of the yaw rate, rad/s")
    climb_per_s: float = Field(1.0, gt=0.0, description="gain of the altitude error, 1/s")
    max_climb_mps: float = Field(0.7, gt=0.0, description="limit of the climb rate, m/s")
    slow_per_rad: float = Field(0.8, ge=0.0, description="speed fraction lost per radian")
    min_speed_fraction: float = Field(0.4, gt=0.0, le=1.0, description="minimum speed fraction")
    repulsion_range_m: float = Field(0.9, ge=0.0, description="range of the repulsion, m")
    repulsion_per_s: float = Field(1.5, ge=0.0, description="strength of the repulsion, 1/s")
    bend_mps2: float = Field(1.8, gt=0.0, description="lateral acceleration in bends, m/s^2")
    brake_mps2: float = Field(1.5, gt=0.0, description="longitudinal acceleration, m/s^2")
    narrow_m: float = Field(1.3, gt=0.0, description="gap that allows full speed, m")
    narrow_mps: float = Field(0.7, gt=0.0, description="speed in a gap of zero width, m/s")
    approach_per_s: float = Field(0.7, gt=0.0, description="speed per distance to a stop, 1/s")
    creep_mps: float = Field(
        0.2, gt=0.0, description="largest speed at a target, m/s; tasks require 0.3 m/s"
    )
    creep_m: float = Field(
        0.6, gt=0.0, description="distance from stop_m on after which to leave a target, m"
    )
    search_radps: float = Field(1.0, gt=0.0, description="left turn rate in search, rad/s")


def clip(value: float, limit: float) -> float:
    """Clip a value to [-limit, limit]."""
    return max(-limit, min(limit, value))


Repulsion = tuple[float, float]
_BESIDE = 0.3
"""Share of the repulsion that an obstacle beside the vehicle has where only those ahead count."""


def repulsion_from_trunks(
    trunks: Floats,
    x: float,
    y: float,
    hull_m: float,
    gains: ExpertGains,
    ahead_rad: float | None = None,
) -> Repulsion:
    """Return the velocity away from trunks alone, m/s, map; see `repulsion_from`."""
    if not len(trunks):
        return 0.0, 0.0
    away_x, away_y = x - trunks[:, 0], y - trunks[:, 1]
    distance = np.hypot(away_x, away_y)
    return _sum_repulsion(
        away_x, away_y, distance, distance - trunks[:, 2] - hull_m, gains, ahead_rad
    )


def repulsion_from(
    obstacles: PlaceObstacles,
    position: Floats,
    hull_m: float,
    gains: ExpertGains,
    ahead_rad: float | None = None,
) -> Repulsion:
    """Return the horizontal velocity away from obstacles near the hull, m/s, map.

    Args:
        obstacles: those within `repulsion_range_m` of the hull count.
        position: of the vehicle, float64 [3], m, map.
        hull_m: radius of the hull.
        gains: of the expert.
        ahead_rad: heading of a camera; obstacles behind it do not count, since no picture shows a
            pupil why to give way to them. None if all count.
    """
    x, y = float(position[0]), float(position[1])
    push_x, push_y = repulsion_from_trunks(obstacles.trunks, x, y, hull_m, gains, ahead_rad)
    if not len(obstacles.capsules):
        return push_x, push_y
    away = capsule_offsets(obstacles.capsules, position)
    gap = np.linalg.norm(away, axis=1) - obstacles.capsules[:, 6] - hull_m
    level = np.hypot(away[:, 0], away[:, 1])
    more_x, more_y = _sum_repulsion(away[:, 0], away[:, 1], level, gap, gains, ahead_rad)
    return push_x + more_x, push_y + more_y


def _sum_repulsion(
    away_x: Floats,
    away_y: Floats,
    distance: Floats,
    gap: Floats,
    gains: ExpertGains,
    ahead_rad: float | None,
) -> Repulsion:
    strength = gains.repulsion_per_s * np.maximum(0.0, gains.repulsion_range_m - gap)
    strength = strength / np.maximum(distance, 1e-6)
    if ahead_rad is not None:
        ahead = -(away_x * math.cos(ahead_rad) + away_y * math.sin(ahead_rad))
        strength *= np.clip(ahead / np.maximum(distance, 1e-6) + _BESIDE, 0.0, 1.0)
    return float((strength * away_x).sum()), float((strength * away_y).sum())


_AHEAD_S = 0.4


def climb(
    world: World, position: Floats, velocity: tuple[float, float], gains: ExpertGains
) -> float:
    """Return the climb rate that holds the altitude: proportional control plus the terrain slope.

    Args:
        world: ground and altitude.
        position: float64 [3], m, map.
        velocity: commanded velocity, east and north, m/s.
        gains: gain and limit of the climb rate.
    """
    x, y, z = (float(value) for value in position)
    here = world.ground.height_at(x, y)
    there = world.ground.height_at(x + _AHEAD_S * velocity[0], y + _AHEAD_S * velocity[1])
    altitude = z - here
    pull = clip(gains.climb_per_s * (world.scenario.altitude_m - altitude), gains.max_climb_mps)
    return pull + (there - here) / _AHEAD_S
