"""A forest as data: way, trees, things and colours, drawn from a seed, independent of renderers.

Each part has its stream ("forest.trail", "forest.trees", "forest.colours", "forest.terrain",
"forest.forks", "forest.inside", "forest.things" ...), so that more trees do not bend the trail and
another trail does not repaint the leaves.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from liquid_control.config.scenario import Scenario, TaskKind
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.place.buildable import check_counts, check_trail
from liquid_control_sim.place.clearing import (
    draw_boards,
    draw_course,
    draw_distractors,
    draw_targets,
    plant_clearing,
)
from liquid_control_sim.place.corridor import Hindrances, draw_corridor, obstruct
from liquid_control_sim.place.forks import SideTrail, blaze_forks, draw_forks
from liquid_control_sim.place.objects import Board, ForestObject, Post
from liquid_control_sim.place.obstacles import Obstacles
from liquid_control_sim.place.palette import Palette, draw_palette
from liquid_control_sim.place.terrain import FLAT, Terrain, draw_terrain
from liquid_control_sim.place.trail import (
    HALF_WIDTH_STEP_M,
    LEAD_IN_M,
    RUN_OUT_M,
    TrailCurve,
    draw_half_widths,
    generate_trail,
    visible_course,
)
from liquid_control_sim.place.trees import BAND_M, TreeKind, Trees, grow, joined, plant_beside

__all__ = [
    "BAND_M",
    "HALF_WIDTH_STEP_M",
    "LEAD_IN_M",
    "RUN_OUT_M",
    "Forest",
    "TreeKind",
    "Trees",
    "generate_forest",
    "visible_course",
]

_POST_INSIDE_M = 0.2
"""Posts stand this much nearer to the trail than trees."""


@dataclass(frozen=True)
class Forest:
    """Everything that is seen and hit.

    Attributes:
        trail: the line to fly along: the trail, or the course through start and targets.
        trunks: float64 [N, 3], x, y and radius, m, map: upright, can be collided with. Those in
            the corridor and those that carry branches are among them.
        trees: how they look; their feet are on the terrain.
        half_width_m: float64 [K], of the trail, every `HALF_WIDTH_STEP_M` from -LEAD_IN_M on.
        palette: the colours.
        seed: what it was drawn from.
        painted: whether the trail can be seen; courses through targets cannot.
        terrain: the ground.
        side_trails: false branches, painted as the trail is.
        posts: what marks the right branch.
        branches: float64 [B, 7], capsules (two ends and a radius, m, map) that grow out of trunks.
        targets: what is to be found, in this order.
        distractors: things that are not.
        boards: what hides a target for a while; cannot be hit.
    """

    trail: TrailCurve
    trunks: Floats
    trees: Trees
    half_width_m: Floats
    palette: Palette
    seed: int
    painted: bool = True
    terrain: Terrain = FLAT
    side_trails: tuple[SideTrail, ...] = ()
    posts: tuple[Post, ...] = ()
    branches: Floats = field(default_factory=lambda: np.empty((0, 7)))
    targets: tuple[ForestObject, ...] = ()
    distractors: tuple[ForestObject, ...] = ()
    boards: tuple[Board, ...] = ()

    @property
    def objects(self) -> tuple[ForestObject, ...]:
        """All coloured objects."""
        return self.targets + self.distractors

    @cached_property
    def obstacles(self) -> Obstacles:
        """What can be hit."""
        posts = np.array([post.capsule for post in self.posts]).reshape(-1, 7)
        objects = [forest_object.capsules for forest_object in self.objects]
        return Obstacles(self.trunks, np.concatenate([self.branches, posts, *objects]))


def generate_forest(scenario: Scenario, seed: int) -> Forest:
    """Draw a forest; the same scenario and seed give the same forest.

    Raises:
        ConfigError: the scenario cannot be built; says what does not fit.
    """
    if scenario.task.kind is not TaskKind.TRAIL:
        return _clearing(scenario.graded(), seed)
    check_trail(scenario)
    plain = _trail_forest(scenario.graded(), seed)
    hindrances = _hindrances(plain, scenario.graded())
    check_counts(scenario, len(plain.side_trails), hindrances)
    return _obstructed(plain, hindrances)


def _trail_forest(graded: Scenario, seed: int) -> Forest:
    """Draw a winding trail between trees, its corridor free."""
    trail, forest = graded.trail, graded.forest
    curve = generate_trail(trail, seed)
    terrain = draw_terrain(graded.terrain.slope_deg or 0.0, visible_course(curve)[1], seed)
    forks = draw_forks(curve, trail.half_width_m or 0.0, trail.forks or 0, seed)
    rng = stream(seed, "forest.trees")
    trunks = plant_beside(curve, forks, forest, rng)
    trees = grow(trunks, rng)
    colours = stream(seed, "forest.colours")
    return Forest(
        trail=curve,
        trunks=trunks,
        trees=trees,
        half_width_m=draw_half_widths(trail, colours),
        palette=draw_palette(trail, forest.season, colours),
        seed=seed,
        terrain=terrain,
        side_trails=forks,
        posts=blaze_forks(curve, forks, forest.clear_m - _POST_INSIDE_M, terrain),
    )


def _hindrances(plain: Forest, graded: Scenario) -> Hindrances:
    """Draw what stands in the corridor of a forest."""
    if not graded.forest.inside and not graded.forest.branches:
        return Hindrances()
    corridor = draw_corridor(plain.trail, plain.side_trails, graded, plain.terrain, plain.seed)
    return obstruct(corridor, graded.forest, plain.obstacles, plain.seed)


def _obstructed(plain: Forest, hindrances: Hindrances) -> Forest:
    """Return a forest with more trees and branches; the same forest where there are none."""
    added = hindrances.trunks
    if not len(added):
        return plain
    looks = grow(added, stream(plain.seed, "forest.hindrances"))
    return replace(
        plain,
        trunks=np.concatenate([plain.trunks, added]),
        trees=joined((plain.trees, looks)),
        branches=hindrances.branches,
    )


def _clearing(graded: Scenario, seed: int) -> Forest:
    """Draw an open wood around a course from target to target."""
    course = draw_course(graded, seed)
    terrain = draw_terrain(graded.terrain.slope_deg or 0.0, course, seed)
    targets = draw_targets(course, graded, terrain, seed)
    distractors = draw_distractors(course, graded.target, terrain, seed)
    forest = graded.forest
    trunks = plant_clearing(course, targets + distractors, forest.trees, forest.clear_m, seed)
    colours = stream(seed, "forest.colours")
    return Forest(
        trail=TrailCurve.through(course),
        trunks=trunks,
        trees=grow(trunks, stream(seed, "forest.trees.looks")),
        half_width_m=draw_half_widths(graded.trail, colours),
        palette=draw_palette(graded.trail, forest.season, colours),
        seed=seed,
        painted=False,
        terrain=terrain,
        targets=targets,
        distractors=distractors,
        boards=draw_boards(course, targets[0], graded, seed),
    )
