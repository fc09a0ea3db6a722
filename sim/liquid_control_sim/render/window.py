"""Forest in PyBullet's window: plain shapes for watching a flight.

The camera does not use these shapes; its pictures come from the rasteriser.
"""

from itertools import pairwise

import numpy as np

from liquid_control.types import Floats
from liquid_control_sim.place.forest import Forest
from liquid_control_sim.place.objects import COLOURS
from liquid_control_sim.place.palette import Colour
from liquid_control_sim.place.trail import visible_course
from liquid_control_sim.place.trees import TreeKind
from liquid_control_sim.quiet_bullet import pybullet
from liquid_control_sim.render.meshes import grid

_TRUNK: Colour = (0.40, 0.31, 0.23)
_CROWNS: dict[int, Colour] = {
    TreeKind.CONIFER: (0.13, 0.28, 0.13),
    TreeKind.BROADLEAF: (0.28, 0.40, 0.11),
    TreeKind.BIRCH: (0.43, 0.48, 0.16),
    TreeKind.DEAD: _TRUNK,
}
_GROUND_CELLS = 64
_TRAIL_ABOVE_M = 0.03


def show_forest(client: int, forest: Forest) -> int:
    """Add the ground, trail, trees and objects of a forest to a PyBullet client.

    Returns:
        The number of bodies added.
    """
    before: int = pybullet.getNumBodies(physicsClientId=client)
    _show_ground(client, forest)
    for index in range(len(forest.trunks)):
        _show_tree(client, forest, index)
    for capsule in forest.branches:
        _show_ball(client, capsule[3:6], 0.1, _TRUNK)
    for post in forest.posts:
        foot, height = np.array(post.foot), post.height_m
        _show_cylinder(client, foot, height, post.radius_m, post.bands[0].colour)
    for forest_object in forest.objects:
        _show_ball(
            client,
            np.array(forest_object.centre),
            forest_object.radius_m,
            COLOURS[forest_object.colour],
        )
    after: int = pybullet.getNumBodies(physicsClientId=client)
    return after - before


def _show_tree(client: int, forest: Forest, index: int) -> None:
    x, y, radius = forest.trunks[index].tolist()
    trees, foot = forest.trees, np.array([x, y, forest.terrain.height_at(x, y)])
    base, height = float(trees.crown_base_m[index]), float(trees.height_m[index])
    _show_cylinder(client, foot, base + 0.3 * (height - base), radius, _TRUNK)
    crown = foot + np.array([0.0, 0.0, 0.5 * (base + height)])
    colour = _CROWNS[int(trees.kind[index])]
    _show_ball(client, crown, float(trees.crown_radius_m[index]), colour)


def _show_cylinder(
    client: int, foot: Floats, height: float, radius: float, colour: Colour
) -> None:
    shape = pybullet.createVisualShape(
        pybullet.GEOM_CYLINDER,
        radius=radius,
        length=height,
        rgbaColor=(*colour, 1.0),
        physicsClientId=client,
    )
    _put(client, shape, foot + np.array([0.0, 0.0, 0.5 * height]))


def _show_ball(client: int, centre: Floats, radius: float, colour: Colour) -> None:
    shape = pybullet.createVisualShape(
        pybullet.GEOM_SPHERE, radius=radius, rgbaColor=(*colour, 1.0), physicsClientId=client
    )
    _put(client, shape, centre)


def _show_ground(client: int, forest: Forest) -> None:
    """Show the ground as a grid with the terrain's heights, and the trail as a line on it."""
    _, course, _ = visible_course(forest.trail)
    low, high = course.min(axis=0) - 20.0, course.max(axis=0) + 20.0
    x, y = (
        part.ravel()
        for part in np.meshgrid(
            *(np.linspace(*ends, _GROUND_CELLS) for ends in zip(low, high, strict=True))
        )
    )
    z = forest.terrain.height(x, y)
    flat = np.linspace(0.0, 1.0, _GROUND_CELLS)
    faces = grid(flat, flat, flat, flat).triangles
    shape = pybullet.createVisualShape(
        pybullet.GEOM_MESH,
        vertices=np.stack([x, y, z], axis=1).tolist(),
        indices=faces.ravel().tolist(),
        rgbaColor=(*forest.palette.floor, 1.0),
        physicsClientId=client,
    )
    _put(client, shape, np.zeros(3))
    if forest.painted:
        _show_trail(client, forest, course)


def _show_trail(client: int, forest: Forest, course: Floats) -> None:
    heights = forest.terrain.height(course[:, 0], course[:, 1]) + _TRAIL_ABOVE_M
    points = np.column_stack([course, heights])
    for start, end in pairwise(points):
        pybullet.addUserDebugLine(
            start.tolist(), end.tolist(), forest.palette.trail, 4.0, physicsClientId=client
        )


def _put(client: int, shape: int, place: Floats) -> None:
    pybullet.createMultiBody(0.0, -1, shape, place.tolist(), physicsClientId=client)
