"""Generate a forest from a scenario and a seed: trail, trees, objects and colours, as data.

Each part has its own random stream ("forest.trail", "forest.trees", "forest.colours",
"forest.terrain", "forest.forks", "forest.inside" ...). A change of one part, such as the number of
trees, leaves the others unchanged.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from liquid_control.config import Scenario, TaskKind
from liquid_control.errors import ConfigError
from liquid_control.seeding import stream
from liquid_control.types import Floats
from liquid_control_sim.place.clearing import (
    draw_boards,
    draw_course,
    draw_distractors,
    draw_targets,
    plant_clearing,
)
from liquid_control_sim.place.corridor import CorridorObstacles, draw_corridor, draw_obstacles
from liquid_control_sim.place.forks import SideTrail, blaze_forks, draw_forks
from liquid_control_sim.place.objects import Board, ForestObject, Obstacles, Post
from liquid_control_sim.place.palette import Palette, draw_palette, spread_colours
from liquid_control_sim.place.terrain import FLAT, Terrain, draw_terrain
from liquid_control_sim.place.trail import (
    TrailCurve,
    draw_half_widths,
    generate_trail,
    visible_course,
)
from liquid_control_sim.place.trees import Trees, draw_trees, joined, plant_beside


def check_trail(scenario: Scenario) -> None:
    """Check that the trail is not wider than the space it runs through.

    Raises:
        ConfigError: the trail is too wide; the message gives the limits.
    """
    trail, clear_m = scenario.trail, scenario.forest.clear_m
    half = trail.half_width_m
    if half is not None and half > min(clear_m, trail.lateral_limit_m):
        raise ConfigError(
            f"trail.half_width_m: expected at most forest.clear_m ({clear_m:g}) and "
            f"trail.lateral_limit_m ({trail.lateral_limit_m:g}), between which the trail runs, "
            f"got {half:g}"
        )


def check_counts(scenario: Scenario, forks: int, corridor_obstacles: CorridorObstacles) -> None:
    """Check that every explicitly requested count was reached.

    Counts that follow from the difficulty may be reduced to what fits; counts that the scenario
    gives may not.

    Args:
        scenario: before grading, so that keys without an explicit value are None.
        forks: number of side trails that were drawn.
        corridor_obstacles: trees and branches that were placed in the corridor.

    Raises:
        ConfigError: fewer fit than requested; the message gives both numbers.
    """
    length, forest = scenario.trail.length_m, scenario.forest
    found = (
        ("trail.forks", scenario.trail.forks, forks),
        ("forest.inside", forest.inside, len(corridor_obstacles.inside)),
        ("forest.branches", forest.branches, len(corridor_obstacles.branches)),
    )
    for key, requested, built in found:
        if requested is not None and built < requested:
            raise ConfigError(
                f"{key}: {requested} do not fit along a trail of {length:g} m with forest.clear_m "
                f"{forest.clear_m:g}, {built} do; expected fewer or a longer trail"
            )


_POST_INSIDE_M = 0.2
"""Posts stand this much closer to the trail than trees."""


@dataclass(frozen=True)
class Forest:
    """A forest: everything that is rendered and everything that can be collided with.

    Attributes:
        trail: line to fly along: the trail, or the course from the start through the targets.
        trunks: float64 [N, 3], x, y and radius, m, map: upright obstacles. They include the trees
            in the corridor and the trees that carry branches.
        trees: shape and appearance of the trees, one row a trunk; they stand on the terrain.
        half_width_m: float64 [K], of the trail, every `HALF_WIDTH_STEP_M` from -LEAD_IN_M on.
        palette: colours.
        seed: seed of all random streams.
        painted: whether the trail is visible; courses through targets are not.
        terrain: height of the ground.
        side_trails: trails that branch off, painted like the trail.
        posts: posts that mark the correct branch at each fork.
        branches: float64 [B, 7], capsules (two ends and a radius, m, map) attached to trunks.
        targets: objects to find, in this order.
        distractors: other objects.
        boards: panels that hide a target for a limited time; they are not obstacles.
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
        """All obstacles."""
        posts = np.array([post.capsule for post in self.posts]).reshape(-1, 7)
        objects = [forest_object.capsules for forest_object in self.objects]
        return Obstacles(self.trunks, np.concatenate([self.branches, posts, *objects]))


def generate_forest(scenario: Scenario, seed: int) -> Forest:
    """Draw a forest. The same scenario and seed give the same forest.

    Raises:
        ConfigError: the scenario cannot be built; the message names the key that does not fit.
    """
    if scenario.task.kind is not TaskKind.TRAIL:
        return _clearing(scenario.graded(), seed)
    check_trail(scenario)
    plain = _trail_forest(scenario.graded(), seed)
    corridor_obstacles = _corridor_obstacles(plain, scenario.graded())
    check_counts(scenario, len(plain.side_trails), corridor_obstacles)
    return _with_corridor_obstacles(plain, corridor_obstacles)


def _trail_forest(graded: Scenario, seed: int) -> Forest:
    """Draw a winding trail between trees, without obstacles in its corridor."""
    trail, forest = graded.trail, graded.forest
    curve = generate_trail(trail, seed)
    terrain = draw_terrain(graded.terrain.slope_deg or 0.0, visible_course(curve)[1], seed)
    forks = draw_forks(curve, trail.half_width_m or 0.0, trail.forks or 0, seed)
    rng = stream(seed, "forest.trees")
    trunks = plant_beside(curve, forks, forest, rng)
    trees = draw_trees(trunks, rng)
    colours = stream(seed, "forest.colours")
    return Forest(
        trail=curve,
        trunks=trunks,
        trees=trees,
        half_width_m=draw_half_widths(trail, colours),
        palette=_palette(graded, colours, seed),
        seed=seed,
        terrain=terrain,
        side_trails=forks,
        posts=blaze_forks(curve, forks, forest.clear_m - _POST_INSIDE_M, terrain),
    )


def _palette(graded: Scenario, rng: np.random.Generator, seed: int) -> Palette:
    """Draw the colours of a forest, with their random part if the scenario asks for one."""
    plain = draw_palette(graded.trail, graded.forest.season, rng)
    return spread_colours(plain, graded.forest.colour_spread, stream(seed, "forest.colour_spread"))


def _corridor_obstacles(plain: Forest, graded: Scenario) -> CorridorObstacles:
    """Draw the obstacles in the corridor of a forest."""
    if not graded.forest.inside and not graded.forest.branches:
        return CorridorObstacles()
    corridor = draw_corridor(plain.trail, plain.side_trails, graded, plain.terrain, plain.seed)
    return draw_obstacles(corridor, graded.forest, plain.obstacles, plain.seed)


def _with_corridor_obstacles(plain: Forest, corridor_obstacles: CorridorObstacles) -> Forest:
    """Add trees and branches to a forest; return the forest itself if there are none."""
    added = corridor_obstacles.trunks
    if not len(added):
        return plain
    appearance = draw_trees(added, stream(plain.seed, "forest.hindrances"))
    return replace(
        plain,
        trunks=np.concatenate([plain.trunks, added]),
        trees=joined((plain.trees, appearance)),
        branches=corridor_obstacles.branches,
    )


def _clearing(graded: Scenario, seed: int) -> Forest:
    """Draw an open forest around a course from target to target."""
    course = draw_course(graded, seed)
    terrain = draw_terrain(graded.terrain.slope_deg or 0.0, course, seed)
    targets = draw_targets(course, graded, terrain, seed)
    distractors = draw_distractors(course, graded.target, terrain, seed)
    forest = graded.forest
    trunks = plant_clearing(course, targets + distractors, forest.trees, forest.clear_m, seed)
    colours = stream(seed, "forest.colours")
    return Forest(
        trail=TrailCurve.from_points(course),
        trunks=trunks,
        trees=draw_trees(trunks, stream(seed, "forest.trees.looks")),
        half_width_m=draw_half_widths(graded.trail, colours),
        palette=_palette(graded, colours, seed),
        seed=seed,
        painted=False,
        terrain=terrain,
        targets=targets,
        distractors=distractors,
        boards=draw_boards(course, targets[0], graded, seed),
    )


_MARGIN_M = 14.0


MOST_PIXELS = 2048
_FINEST_M = 0.05


@dataclass(frozen=True)
class Extent:
    """Rectangle of the map that is painted, and its resolution.

    Attributes:
        west_m, south_m: lower left corner, m, map.
        pixel_m: edge of a pixel.
        columns, rows: size in pixels.
    """

    west_m: float
    south_m: float
    pixel_m: float
    columns: int
    rows: int

    @property
    def east_m(self) -> float:
        """Right edge, m, map."""
        return self.west_m + self.columns * self.pixel_m

    @property
    def north_m(self) -> float:
        """Upper edge, m, map."""
        return self.south_m + self.rows * self.pixel_m

    def pixels(self, points: Floats, scale: float = 1.0) -> Floats:
        """Return (column, row) of points [..., 2], at `scale` times the resolution."""
        column = (points[..., 0] - self.west_m) / self.pixel_m
        row = (self.north_m - points[..., 1]) / self.pixel_m
        return np.stack([column, row], axis=-1) * scale


def ground_extent(forest: Forest) -> Extent:
    """Return the painted rectangle of a forest: its course and a margin of 14 m.

    The course is the trail with lead-in, run-out and side trails, or the line between targets. The
    resolution is 5 cm, or coarser where the longer side would exceed 2048 pixels.
    """
    course = visible_course(forest.trail)[1] if forest.painted else forest.trail.samples
    points = np.concatenate([course, *(side.points for side in forest.side_trails)])
    low, high = points.min(axis=0) - _MARGIN_M, points.max(axis=0) + _MARGIN_M
    size = high - low
    pixel = max(_FINEST_M, float(size.max()) / MOST_PIXELS)
    columns, rows = (int(v) for v in np.floor(size / pixel))
    return Extent(float(low[0]), float(low[1]), pixel, columns, rows)
