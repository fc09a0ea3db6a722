"""Assembles a forest for the rasteriser: models, light and shadows, as functions of time.

Trees stand in slabs across the way, trunks and crowns apart: the rasteriser passes over a slab
that is out of the picture, and crowns throw shadows that sway while trunks do not.
What is built here is for the eye only; collisions are judged from `Forest.obstacles`.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liquid_control.config.scenario import LightSettings
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.picture.sunlight import Sun, make_sun
from liquid_control_sim.place.extent import Extent, ground_extent
from liquid_control_sim.place.forest import Forest
from liquid_control_sim.render.ground_paint import paint_ground
from liquid_control_sim.render.kernels.kernel_types import Light, Shadow, Stage
from liquid_control_sim.render.meshes import ground_meshes
from liquid_control_sim.render.object_models import (
    board_model,
    branch_model,
    object_model,
    post_model,
)
from liquid_control_sim.render.shadow_map import NO_SHADOW, cast_shadows
from liquid_control_sim.render.stage import RenderModel, make_stage
from liquid_control_sim.render.textures import Texture, cached, texture_key
from liquid_control_sim.render.tree_meshes import tree_meshes
from liquid_control_sim.render.tree_paint import paint_trees

_WAVES_HZ = (0.23, 0.37, 0.81)
_SHARES = (0.45, 0.35, 0.20)


class Sway:
    """A displacement that wanders within a circle; at rest where its radius is 0.

    Args:
        reach_m: farthest displacement.
        seed: the flight's; drawn from the stream "light.sway".
    """

    def __init__(self, reach_m: float, seed: int) -> None:
        rng = stream(seed, "light.sway")
        self._reach_m = reach_m
        self._phases = rng.uniform(0.0, 2.0 * math.pi, (2, 3))
        self._rates = 2.0 * math.pi * np.array(_WAVES_HZ) * rng.uniform(0.9, 1.1, (2, 3))

    def at(self, time_s: float) -> Floats:
        """Return float64 [2], m, map."""
        waves = np.sin(self._rates * time_s + self._phases)
        return np.asarray(self._reach_m * math.sqrt(0.5) * waves @ np.array(_SHARES))


class Scene:
    """A forest and its light.

    Args:
        forest: what stands there.
        light: sun, exposure and shadows.
        seed: the flight's; draws the sun's azimuth where it is not given, and how shadows sway.

    Attributes:
        forest: as given.
        sun: the light, with its exposure.
        light: the light, as the rasteriser takes it.
        extent: the part of the ground that is painted.
        stage: everything that can be drawn.
    """

    def __init__(self, forest: Forest, light: LightSettings, seed: int) -> None:
        self.forest = forest
        self.sun: Sun = make_sun(light, seed)
        self.light = Light(self.sun.direction, self.sun.direct, self.sun.sky)
        self.extent: Extent = ground_extent(forest)
        hard = light.shadow_hardness > 0.0
        ground = _ground(forest, self.sun, self.extent, baked=not hard)
        trunks, crowns = _trees(forest)
        still = [*trunks, *_objects(forest)]
        boards = [board_model(board) for board in forest.boards]
        self.stage: Stage = make_stage([*ground, *still, *crowns, *boards])
        parts = np.repeat(np.arange(4), [len(ground), len(still), len(crowns), len(boards)])
        self._not_boards = parts < 3
        self._sway = Sway(light.shadow_sway_m, seed)
        self._shadow = NO_SHADOW
        if hard:
            self._shadow = cast_shadows(
                self.stage,
                (parts == 1, parts == 2),
                self.sun.direction,
                _corners(ground, self.extent),
                light.shadow_hardness,
            )

    def shown(self, time_s: float) -> NDArray[np.bool_]:
        """Return bool [M], which models of the stage are there at a time of the flight."""
        shown = self._not_boards.copy()
        shown[~shown] = [board.is_up(time_s) for board in self.forest.boards]
        return shown

    def shadow(self, time_s: float) -> Shadow:
        """Return what hides the sun at a time of the flight."""
        return self._shadow._replace(sway_m=self._sway.at(time_s))


def _ground(forest: Forest, sun: Sun, extent: Extent, baked: bool) -> list[RenderModel]:
    key = texture_key(
        extent,
        forest.trail.samples,
        forest.trail.headings,
        forest.painted,
        [vars(side) for side in forest.side_trails],
        forest.half_width_m,
        forest.trunks,
        *vars(forest.trees).values(),
        forest.palette,
        sun.direction,
        sun.ground_share,
        baked,
        forest.seed,
    )
    picture = cached(key, lambda: paint_ground(forest, sun, extent, baked))
    paint = (Texture.of(picture),)
    return [RenderModel(mesh, paint) for mesh in ground_meshes(extent, forest.terrain)]


def _corners(ground: Sequence[RenderModel], extent: Extent) -> NDArray[np.float64]:
    """Return the vertices [K, 3] of the painted ground."""
    points = np.concatenate([model.mesh.vertices for model in ground])
    low, high = (extent.west_m, extent.south_m), (extent.east_m, extent.north_m)
    inside = ((points[:, :2] >= low) & (points[:, :2] <= high)).all(axis=1)
    return np.asarray(points[inside])


def _trees(forest: Forest) -> tuple[list[RenderModel], list[RenderModel]]:
    """Return trunks and crowns."""
    wear = tuple(Texture.of(picture) for picture in paint_trees(forest.palette))
    trunks, crowns = tree_meshes(forest)
    return [RenderModel(mesh, wear) for mesh in trunks], [
        RenderModel(mesh, wear) for mesh in crowns
    ]


def _objects(forest: Forest) -> list[RenderModel]:
    """Return what stands still besides trunks."""
    branches = [branch_model(forest.branches)] if len(forest.branches) else []
    posts = [post_model(post) for post in forest.posts]
    return [*branches, *posts, *(object_model(forest_object) for forest_object in forest.objects)]
