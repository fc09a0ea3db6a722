"""Draw the start of a flight: near the start of its course, with a random offset and turn."""

import math

import numpy as np

from liquid_control.config import Scenario, TaskKind
from liquid_control.errors import ConfigError
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.place.forest import Forest

LATERAL_M = 0.3
ALTITUDE_M = 0.2
HEADING_RAD = 0.15
SEARCH_HEADING_RAD = 0.4
"""Half ranges of the uniform start offsets; the last one applies to tasks with targets."""


def draw_start(
    forest: Forest, scenario: Scenario, vehicle_radius_m: float, seed: int
) -> tuple[Floats, float]:
    """Draw the start pose.

    Args:
        forest: forest to start in.
        scenario: altitude, task and turn.
        vehicle_radius_m: radius of the hull, which must be free of obstacles.
        seed: seed of the flight; the streams are "start" and, for the side of the turn,
            "start.turn".

    Returns:
        Position, float64 [3], m, map; heading, rad, counter-clockwise from east.

    Raises:
        ConfigError: an obstacle is in the way.
    """
    draw = stream(seed, "start").uniform(-1.0, 1.0, 3)
    x, y = forest.trail.point(0.0)
    heading = forest.trail.heading(0.0)
    aside = LATERAL_M * draw[0]
    x, y = x - aside * np.sin(heading), y + aside * np.cos(heading)
    altitude = scenario.altitude_m + ALTITUDE_M * draw[1]
    position = np.array([x, y, altitude + forest.terrain.height_at(float(x), float(y))])
    gap = forest.obstacles.clearance(*position.tolist()) - vehicle_radius_m
    if gap <= 0.0:
        raise ConfigError(
            f"no free start: expected {vehicle_radius_m:g} m around it, got "
            f"{gap + vehicle_radius_m:.2f} m; give a larger forest.clear_m or fewer trees"
        )
    spread = HEADING_RAD if scenario.task.kind is TaskKind.TRAIL else SEARCH_HEADING_RAD
    side = float(stream(seed, "start.turn").choice((-1.0, 1.0)))
    turn = side * math.radians(scenario.task.start_turn_deg)
    return position, heading + spread * float(draw[2]) + turn
