"""Scene of a forest for the rasteriser: models, light and shadows, as functions of time.

Trees are grouped in slabs across the course, with separate trunks and crowns: the rasteriser skips
slabs outside the picture, and the shadows of crowns sway while those of trunks do not. The scene
is for rendering only; collisions are computed from `Forest.obstacles`.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import LightSettings
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.place.forest import Extent, Forest, ground_extent
from liquid_control_sim.render import object_models
from liquid_control_sim.render.ground_paint import paint_ground
from liquid_control_sim.render.kernels.kernel_types import Light, Shadow, Stage
from liquid_control_sim.render.meshes import RenderModel, ground_meshes, make_stage
from liquid_control_sim.render.shadow_map import NO_SHADOW, cast_shadows
from liquid_control_sim.render.sunlight import Sun, make_sun
from liquid_control_sim.render.textures import Texture, cached, texture_key
from liquid_control_sim.render.tree_models import paint_trees, tree_meshes

_WAVES_HZ = (0.23, 0.37, 0.81)
_WEIGHTS = (0.45, 0.35, 0.20)


class Sway:
    """Displacement that varies with time within a circle; zero if the radius is 0.

    Conifers sway at a few tenths of a hertz (Moore and Maguire 2004, doi
    10.1007/s00468-003-0295-6), their branches faster. All trees of a forest sway together here.

    Args:
        reach_m: largest displacement, m.
        seed: seed of the flight; the motion is drawn from the stream "light.sway".
    """

    def __init__(self, reach_m: float, seed: int) -> None:
        rng = stream(seed, "light.sway")
        self._reach_m = reach_m
        self._phases = rng.uniform(0.0, 2.0 * math.pi, (2, 3))
        self._rates = 2.0 * math.pi * np.array(_WAVES_HZ) * rng.uniform(0.9, 1.1, (2, 3))

    def at(self, time_s: float) -> Floats:
        """Return the displacement at a time, float64 [2], m, map."""
        waves = np.sin(self._rates * time_s + self._phases)
        return np.asarray(self._reach_m * math.sqrt(0.5) * waves @ np.array(_WEIGHTS))


class Scene:
    """Models and light of a forest.

    Args:
        forest: trees, trail and objects.
        light: sun, exposure and shadows.
        seed: seed of the flight; it draws a null azimuth of the sun, and the sway of shadows.

    Attributes:
        forest: the forest.
        sun: light of the flight, with its exposure.
        light: light in the format of the rasteriser.
        extent: painted area of the ground.
        stage: packed models.
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
        boards = [object_models.board_model(board) for board in forest.boards]
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

    def visible_models(self, time_s: float) -> NDArray[np.bool_]:
        """Return the models of the stage that exist at a time of the flight, bool [M]."""
        if not self.forest.boards:
            return self._not_boards
        shown = self._not_boards.copy()
        shown[~shown] = [board.is_up(time_s) for board in self.forest.boards]
        return shown

    def shadow(self, time_s: float) -> Shadow:
        """Return the shadow maps at a time of the flight."""
        if self._shadow is NO_SHADOW:
            return self._shadow
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
        sun.direct_fraction,
        baked,
        forest.seed,
    )
    picture = cached(key, lambda: paint_ground(forest, sun, extent, baked))
    paint = (Texture.of(picture),)
    return [RenderModel(mesh, paint) for mesh in ground_meshes(extent, forest.terrain)]


def _corners(ground: Sequence[RenderModel], extent: Extent) -> NDArray[np.float64]:
    """Return the vertices [K, 3] of the ground within the painted area."""
    points = np.concatenate([model.mesh.vertices for model in ground])
    low, high = (extent.west_m, extent.south_m), (extent.east_m, extent.north_m)
    inside = ((points[:, :2] >= low) & (points[:, :2] <= high)).all(axis=1)
    return np.asarray(points[inside])


def _trees(forest: Forest) -> tuple[list[RenderModel], list[RenderModel]]:
    """Return trunks and crowns."""
    textures = tuple(Texture.of(picture) for picture in paint_trees(forest.palette))
    trunks, crowns = tree_meshes(forest)
    return [RenderModel(mesh, textures) for mesh in trunks], [
        RenderModel(mesh, textures) for mesh in crowns
    ]


def _objects(forest: Forest) -> list[RenderModel]:
    """Return branches, posts and objects."""
    branches = [object_models.branch_model(forest.branches)] if len(forest.branches) else []
    posts = [object_models.post_model(post) for post in forest.posts]
    return [*branches, *posts, *map(object_models.object_model, forest.objects)]
