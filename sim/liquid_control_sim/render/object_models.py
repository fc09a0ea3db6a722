"""Models of branches, marked posts, coloured objects and boards."""

import numpy as np

from liquid_control.types import Floats, Pixels
from liquid_control_sim.place.objects import (
    COLOURS,
    POST_RADIUS_M,
    Board,
    ForestObject,
    Post,
    Shape,
)
from liquid_control_sim.place.palette import Colour
from liquid_control_sim.render.meshes import (
    Mesh,
    RenderModel,
    cuboid,
    merge,
    prism,
    sphere,
    upright_cone,
)
from liquid_control_sim.render.textures import Texture

_BRANCH: Colour = (0.36, 0.29, 0.22)
_WOOD: Colour = (0.58, 0.47, 0.34)
_PLANKS: Colour = (0.44, 0.38, 0.31)
_TAPER = 0.8
_BAND_OUTSIDE = 1.03
_BOARD_THICK_M = 0.04
_GRAIN_SEED = 24


def branch_model(branches: Floats) -> RenderModel:
    """Return branches, capsules [B >= 1, 7], as thin bars that taper from trunk to tip."""
    bars = [prism(row[:3], row[3:6], (row[6], _TAPER * row[6]), 5) for row in branches]
    return RenderModel(merge(bars), (_grained(_BRANCH),))


def post_model(post: Post) -> RenderModel:
    """Return a post with its painted bands."""
    foot = np.array(post.foot)
    parts, paints = [_upright(foot, 0.0, post.height_m, post.radius_m)], [_grained(_WOOD)]
    for band in post.bands:
        outside = _BAND_OUTSIDE * post.radius_m
        parts.append(_upright(foot, band.from_m, band.until_m, outside))
        paints.append(_plain(band.colour))
    return RenderModel(_painted(parts), tuple(paints))


def object_model(forest_object: ForestObject) -> RenderModel:
    """Return a coloured object, with its post if it has one."""
    centre, size = np.array(forest_object.centre), forest_object.size_m
    solid = {
        Shape.BALL: lambda: sphere(centre, 0.5 * size),
        Shape.BOX: lambda: cuboid(centre, (size, size, size), forest_object.turn_rad),
        Shape.CONE: lambda: upright_cone(centre, size, size),
    }[forest_object.shape]()
    parts, paints = [solid], [_plain(COLOURS[forest_object.colour])]
    if forest_object.post_m > 0.0:
        foot = centre - (0.0, 0.0, 0.5 * size + forest_object.post_m)
        parts.append(_upright(foot, 0.0, forest_object.post_m, POST_RADIUS_M))
        paints.append(_grained(_WOOD))
    return RenderModel(_painted(parts), tuple(paints))


def board_model(board: Board) -> RenderModel:
    """Return a board of planks."""
    size = (_BOARD_THICK_M, board.width_m, board.height_m)
    planks = cuboid(np.array(board.centre), size, board.facing_rad)
    return RenderModel(planks, (_grained(_PLANKS),))


def _upright(foot: Floats, low: float, high: float, radius: float) -> Mesh:
    up = np.array([0.0, 0.0, 1.0])
    return prism(foot + low * up, foot + high * up, (radius, radius), 8)


def _painted(parts: list[Mesh]) -> Mesh:
    """Merge parts into one mesh; part i has texture i."""
    coats = [
        Mesh(p.vertices, p.normals, p.uvs, p.triangles, np.full(len(p.triangles), number))
        for number, p in enumerate(parts)
    ]
    return merge(coats)


def _plain(colour: Colour) -> Texture:
    return Texture.of(_eight_bits(np.broadcast_to(colour, (2, 2, 3))))


def _grained(colour: Colour) -> Texture:
    """Return a wood texture with its grain along v."""
    rng = np.random.default_rng(_GRAIN_SEED)
    grain = 1.0 + 0.16 * rng.standard_normal((1, 32, 1)) + 0.05 * rng.standard_normal((64, 32, 1))
    return Texture.of(_eight_bits(np.array(colour) * np.clip(grain, 0.5, 1.4)))


def _eight_bits(colours: Floats) -> Pixels:
    return np.clip(np.round(255.0 * colours), 0.0, 255.0).astype(np.uint8)
