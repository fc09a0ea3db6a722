"""The rules of every task: touch nothing, keep between ground and canopy, mind the clock."""

import math
from dataclasses import dataclass
from typing import Protocol

from liquid_control.interfaces import Ground, PlaceObstacles
from liquid_control.types import HOVER, NANOSECONDS, Command, Floats, VehicleState


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """Where a flight stands after a control tick.

    Attributes:
        progress_m: arc length of the course's point nearest to the vehicle.
        cross_track_m: signed distance from the course, left positive.
        clearance_m: distance from the vehicle's hull to what is nearest; infinite without any.
        held_since_ns: since when nothing but hover is in force; None while commands come.
        reason: None in flight, else how it ended, as in `FlightResult.reason`.
        reached: how many targets have been arrived at.
        there_since_ns: since when the vehicle is where it has to stay to have arrived; None
            elsewhere.
    """

    progress_m: float = 0.0
    cross_track_m: float = 0.0
    clearance_m: float = math.inf
    held_since_ns: int | None = None
    reason: str | None = None
    reached: int = 0
    there_since_ns: int | None = None


class Task(Protocol):
    """What a flight is for."""

    @property
    def length_m(self) -> float:
        """Length of the course; progress that counts as all of it."""
        ...

    def judge(
        self, before: TaskStatus, stamp_ns: int, state: VehicleState, command: Command
    ) -> TaskStatus:
        """Return the standing at an instant, `command` being what was in force until then."""
        ...


LOWEST_M = 0.3
HIGHEST_M = 5.0
"""Altitudes above ground between which flights have to stay."""
HOLD_LIMIT_S = 3.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What ends a flight whatever it is for.

    Attributes:
        obstacles: what can be hit.
        ground: what altitude is counted from.
        vehicle_radius_m: radius of the vehicle's hull.
        time_limit_s: after this the flight has timed out.
    """

    obstacles: PlaceObstacles
    ground: Ground
    vehicle_radius_m: float
    time_limit_s: float

    def clearance(self, position: Floats) -> float:
        """Return the distance from the hull to what is nearest, m; infinite without any."""
        x, y, z = (float(value) for value in position)
        return self.obstacles.clearance(x, y, z) - self.vehicle_radius_m

    def ending(
        self,
        now: TaskStatus,
        stamp_ns: int,
        position: Floats,
        outside: str | None,
        completed: bool,
    ) -> str | None:
        """Return why the flight ends now, the worst first, or None.

        Args:
            now: the standing, its reason not yet known.
            stamp_ns: simulated time.
            position: float64 [3], m, map.
            outside: the reason if the vehicle is too far from its course.
            completed: whether the task is done.
        """
        x, y, z = (float(value) for value in position)
        altitude = z - self.ground.height_at(x, y)
        held_ns = 0 if now.held_since_ns is None else stamp_ns - now.held_since_ns
        endings = (
            (now.clearance_m <= 0.0, "collision"),
            (not LOWEST_M <= altitude <= HIGHEST_M, "altitude"),
            (outside is not None, outside),
            (completed, "completed"),
            (held_ns > HOLD_LIMIT_S * NANOSECONDS, "guard_stop"),
            (stamp_ns > self.time_limit_s * NANOSECONDS, "timeout"),
        )
        return next((reason for happened, reason in endings if happened), None)


def held_since(before: TaskStatus, stamp_ns: int, command: Command) -> int | None:
    """Return since when nothing but hover is in force."""
    if command != HOVER:
        return None
    return stamp_ns if before.held_since_ns is None else before.held_since_ns
