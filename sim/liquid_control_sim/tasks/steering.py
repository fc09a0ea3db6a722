"""How the experts steer."""

import numpy as np
from pydantic import Field

from liquid_control.config.loading import Settings
from liquid_control.interfaces import PlaceObstacles, World
from liquid_control.types import Floats
from liquid_control_sim.place.obstacles import capsule_offsets


class ExpertGains(Settings):
    """How the expert steers."""

    lookahead_m: float = Field(3.0, gt=0.0, description="how far ahead on the trail it looks, m")
    lateral_per_s: float = Field(0.8, gt=0.0, description="pull towards the trail's centre, 1/s")
    max_lateral_mps: float = Field(1.0, gt=0.0, description="limit of that pull, m/s")
    yaw_per_s: float = Field(2.0, gt=0.0, description="turn towards the point ahead, 1/s")
    max_yaw_rate_radps: float = Field(1.4, gt=0.0, description="its limit, rad/s")
    climb_per_s: float = Field(1.0, gt=0.0, description="pull to the altitude to fly, 1/s")
    max_climb_mps: float = Field(0.7, gt=0.0, description="limit of that pull, m/s")
    slow_per_rad: float = Field(0.8, ge=0.0, description="share of speed lost a radian off course")
    min_speed_share: float = Field(0.4, gt=0.0, le=1.0, description="share always kept")
    keep_off_m: float = Field(0.9, ge=0.0, description="trunks nearer to the hull push, m")
    keep_off_per_s: float = Field(1.5, ge=0.0, description="strength of that push, 1/s")
    bend_mps2: float = Field(1.8, gt=0.0, description="sideways acceleration in bends, m/s^2")
    brake_mps2: float = Field(1.5, gt=0.0, description="braking and speeding up, m/s^2")
    narrow_m: float = Field(1.0, gt=0.0, description="gaps wider than this are flown at full, m")
    narrow_mps: float = Field(1.0, gt=0.0, description="speed where the hull just fits, m/s")
    approach_per_s: float = Field(0.7, gt=0.0, description="speed a metre before a stop, 1/s")
    stop_share: float = Field(0.8, gt=0.0, le=1.0, description="share of target.stop_m to stop at")
    search_radps: float = Field(1.0, gt=0.0, description="turn to the left in search, rad/s")
    stay_s: float = Field(1.3, ge=1.0, description="stay at a target before the next one, s")


def clip(value: float, limit: float) -> float:
    """Return the value held to a magnitude."""
    return max(-limit, min(limit, value))


Push = tuple[float, float]


def repulsion_from_trunks(
    trunks: Floats, x: float, y: float, hull_m: float, gains: ExpertGains
) -> Push:
    """Return the velocity away from trunks nearer than `keep_off_m` to the hull, m/s, map."""
    if not len(trunks):
        return 0.0, 0.0
    away_x, away_y = x - trunks[:, 0], y - trunks[:, 1]
    distance = np.hypot(away_x, away_y)
    return _sum(away_x, away_y, distance, distance - trunks[:, 2] - hull_m, gains)


def repulsion_from(
    obstacles: PlaceObstacles, position: Floats, hull_m: float, gains: ExpertGains
) -> Push:
    """Return the horizontal velocity away from all that is near, m/s, map."""
    x, y = float(position[0]), float(position[1])
    push_x, push_y = repulsion_from_trunks(obstacles.trunks, x, y, hull_m, gains)
    if not len(obstacles.capsules):
        return push_x, push_y
    away = capsule_offsets(obstacles.capsules, position)
    gap = np.linalg.norm(away, axis=1) - obstacles.capsules[:, 6] - hull_m
    level = np.hypot(away[:, 0], away[:, 1])
    more_x, more_y = _sum(away[:, 0], away[:, 1], level, gap, gains)
    return push_x + more_x, push_y + more_y


def _sum(
    away_x: Floats, away_y: Floats, distance: Floats, gap: Floats, gains: ExpertGains
) -> Push:
    strength = gains.keep_off_per_s * np.maximum(0.0, gains.keep_off_m - gap)
    strength = strength / np.maximum(distance, 1e-6)
    return float((strength * away_x).sum()), float((strength * away_y).sum())


_AHEAD_S = 0.4


def climb(
    world: World, position: Floats, velocity: tuple[float, float], gains: ExpertGains
) -> float:
    """Return the climb that keeps the altitude to fly: a pull to it, and the ground's own climb.

    Args:
        world: ground and altitude.
        position: float64 [3], m, map.
        velocity: that is commanded, east and north, m/s.
        gains: of the pull.
    """
    x, y, z = (float(value) for value in position)
    here = world.ground.height_at(x, y)
    there = world.ground.height_at(x + _AHEAD_S * velocity[0], y + _AHEAD_S * velocity[1])
    altitude = z - here
    pull = clip(gains.climb_per_s * (world.scenario.altitude_m - altitude), gains.max_climb_mps)
    return pull + (there - here) / _AHEAD_S
