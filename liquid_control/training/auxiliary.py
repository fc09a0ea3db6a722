"""Auxiliary targets: true quantities that a picture shows, for training the encoder.

They are measured at the vehicle's true state, in the heading frame: `base_link` without roll and
pitch. A quantity that a world does not have, such as a target on a trail, is NaN and does not
count in the loss. The heads that predict them are dropped when the encoder is exported.
"""

import math

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import TaskKind
from liquid_control.frames import heading_of, wrap_angle
from liquid_control.interfaces import PlaceTarget, World
from liquid_control.types import Floats, VehicleState

LOOKAHEADS_M = (2.0, 5.0, 10.0)
ROUTE_DISTANCES_M = (1.5, 3.0, 6.0)
"""Distances along the expert's route, which leads around the obstacles in the corridor."""
DEPTH_SHAPE = (9, 16)
"""Rows and columns of the coarse depth map."""
VIEW_RAD = math.radians(60.0)
"""Obstacles up to this bearing count as ahead."""
OBSTACLE_UNIT_M = 4.0
TARGET_UNIT_M = 8.0
RANGE_TOLERANCE_M = 0.3

TRAIL = [f"trail_{what}_{m:g}m" for m in LOOKAHEADS_M for what in ("lateral", "heading")]
ROUTE = [f"route_lateral_{m:g}m" for m in ROUTE_DISTANCES_M]
SCALARS = (
    *TRAIL,
    *ROUTE,
    "altitude",
    "obstacle_bearing",
    "obstacle_nearness",
    "target_sine",
    "target_cosine",
    "target_nearness",
    "target_visible",
)
"""Names of the targets before the depth map, which follows row by row."""
AUXILIARY_SIZE = len(SCALARS) + DEPTH_SHAPE[0] * DEPTH_SHAPE[1]


_DEPTH_ORDER = (
    len(SCALARS) + np.arange(DEPTH_SHAPE[0] * DEPTH_SHAPE[1]).reshape(DEPTH_SHAPE)[:, ::-1].ravel()
)
MIRRORED_ORDER = np.concatenate([np.arange(len(SCALARS)), _DEPTH_ORDER])
"""Column of the value that each column has in a mirrored picture."""
_SIDEWAYS = (*TRAIL, *ROUTE, "obstacle_bearing", "target_sine")
MIRRORED_SIGNS = np.array(
    [-1.0 if name in _SIDEWAYS else 1.0 for name in SCALARS] + [1.0] * _DEPTH_ORDER.size,
    np.float32,
)
"""Signs of all targets in a mirrored picture."""


class AuxiliaryMeter:
    """Measures the auxiliary targets of one flight, frame by frame."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._progress_m = 0.0

    def measure(
        self, truth: VehicleState, route_m: tuple[float, ...] | None = None
    ) -> NDArray[np.float32]:
        """Return the targets at a state, float32 [A]: `SCALARS`, then the depth map.

        Depths are 1 / (1 + r) with r the smallest range in a cell in m, so that a branch of one
        pixel counts; 0 is the sky.

        Args:
            truth: true state.
            route_m: how far left of the vehicle the expert's route passes at `ROUTE_DISTANCES_M`;
                None in tasks without a route.
        """
        values = [
            *self._trail(truth),
            *(route_m or [math.nan] * len(ROUTE)),
            self._altitude(truth),
            *self._obstacle(truth),
            *self._target(truth),
        ]
        return np.concatenate([values, self._depth().ravel()]).astype(np.float32)

    def _trail(self, truth: VehicleState) -> list[float]:
        world = self._world
        if world.scenario.task.kind is not TaskKind.TRAIL:
            return [math.nan] * len(TRAIL)
        x, y = float(truth.position[0]), float(truth.position[1])
        heading = heading_of(truth.quaternion)
        self._progress_m, _ = world.trail.project(x, y, self._progress_m)
        values = []
        for ahead_m in LOOKAHEADS_M:
            there = self._progress_m + ahead_m
            dx, dy = (a - b for a, b in zip(world.trail.point(there), (x, y), strict=True))
            left = dy * math.cos(heading) - dx * math.sin(heading)
            values += [left / 2.0, wrap_angle(world.trail.heading(there) - heading)]
        return values

    def _altitude(self, truth: VehicleState) -> float:
        x, y, z = (float(value) for value in truth.position)
        return z - self._world.ground.height_at(x, y) - 1.5

    def _obstacle(self, truth: VehicleState) -> tuple[float, float]:
        """Return bearing and nearness of the nearest obstacle ahead; (0, 0) without one."""
        obstacles, (x, y, z) = self._world.obstacles, truth.position
        capsules = obstacles.capsules
        offsets = [obstacles.trunks[:, :2] - (x, y)]
        radii = [obstacles.trunks[:, 2]]
        if len(capsules):
            ends = capsules[:, :3], capsules[:, 3:6]
            axis = ends[1] - ends[0]
            along = ((truth.position - ends[0]) * axis).sum(1) / np.maximum((axis**2).sum(1), 1e-9)
            nearest = ends[0] + np.clip(along, 0.0, 1.0)[:, None] * axis
            level = np.abs(nearest[:, 2] - z) < 1.0
            offsets.append((nearest[:, :2] - (x, y))[level])
            radii.append(capsules[level, 6])
        away = np.concatenate(offsets)
        bearings = np.arctan2(away[:, 1], away[:, 0]) - heading_of(truth.quaternion)
        bearings = (bearings + math.pi) % (2.0 * math.pi) - math.pi
        gaps = np.hypot(away[:, 0], away[:, 1]) - np.concatenate(radii)
        gaps = np.where(np.abs(bearings) < VIEW_RAD, np.maximum(gaps, 0.0), np.inf)
        if not len(gaps) or not np.isfinite(gaps.min()):
            return 0.0, 0.0
        index = int(gaps.argmin())
        return float(bearings[index]), math.exp(-float(gaps[index]) / OBSTACLE_UNIT_M)

    def _target(self, truth: VehicleState) -> list[float]:
        """Return sine and cosine of the bearing, nearness and visibility of one target.

        Of several targets it is the nearest visible one, or the nearest if none is visible.
        """
        targets = self._world.targets
        if not targets:
            return [math.nan] * 4
        places = [(not self._visible(t, truth), self._distance(t, truth), t) for t in targets]
        hidden, distance_m, target = min(places, key=lambda place: place[:2])
        dx = target.centre[0] - float(truth.position[0])
        dy = target.centre[1] - float(truth.position[1])
        bearing = math.atan2(dy, dx) - heading_of(truth.quaternion)
        nearness = math.exp(-distance_m / TARGET_UNIT_M)
        return [math.sin(bearing), math.cos(bearing), nearness, float(not hidden)]

    @staticmethod
    def _distance(target: PlaceTarget, truth: VehicleState) -> float:
        centre = np.array(target.centre)
        radius_m = float(target.radius_m)
        return max(0.0, float(np.linalg.norm(centre - truth.position)) - radius_m)

    def _visible(self, target: PlaceTarget, truth: VehicleState) -> bool:
        pixel = self._world.project(target.centre, truth)
        ranges = self._world.picture_range_m
        if pixel is None or ranges is None:
            return False
        centre = np.array(target.centre)
        away_m = float(np.linalg.norm(centre - truth.position))
        nearest_m = away_m - float(target.radius_m) - RANGE_TOLERANCE_M
        return bool(ranges[pixel] >= nearest_m)

    def _depth(self) -> Floats:
        ranges = self._world.picture_range_m
        if ranges is None:
            return np.full(DEPTH_SHAPE, np.nan)
        near = 1.0 / (1.0 + np.asarray(ranges, np.float64))
        for axis, cells in enumerate(DEPTH_SHAPE):
            starts = np.arange(cells) * near.shape[axis] // cells
            near = np.maximum.reduceat(near, starts, axis=axis)
        return near
