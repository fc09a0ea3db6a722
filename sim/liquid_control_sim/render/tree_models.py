"""Tree models: textures of bark and foliage, and meshes placed at each tree of a forest."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats, Pixels
from liquid_control_sim.place.forest import Forest
from liquid_control_sim.place.palette import Colour, Palette
from liquid_control_sim.place.trees import TreeKind
from liquid_control_sim.render.meshes import Mesh, icosahedron, merge, unit

SHADES = 4
TILE = 64
_GRAIN_SEED = 21

_BARKS: dict[TreeKind, Colour] = {
    TreeKind.CONIFER: (0.40, 0.28, 0.20),
    TreeKind.BROADLEAF: (0.37, 0.32, 0.26),
    TreeKind.BIRCH: (0.80, 0.78, 0.73),
    TreeKind.DEAD: (0.47, 0.44, 0.40),
}
_LEAVES: dict[TreeKind, tuple[Colour, Colour]] = {
    TreeKind.CONIFER: ((0.10, 0.25, 0.13), (0.17, 0.32, 0.14)),
    TreeKind.BROADLEAF: ((0.20, 0.36, 0.10), (0.36, 0.44, 0.12)),
    TreeKind.BIRCH: ((0.36, 0.47, 0.15), (0.50, 0.50, 0.17)),
}
"""Foliage: limits of the tint of each kind."""
_TURNED: dict[TreeKind, tuple[Colour, Colour]] = {
    TreeKind.BROADLEAF: ((0.42, 0.24, 0.08), (0.60, 0.40, 0.12)),
    TreeKind.BIRCH: ((0.56, 0.44, 0.12), (0.64, 0.54, 0.18)),
}
"""Foliage of deciduous kinds in autumn."""
_SNOW: Colour = (0.90, 0.92, 0.95)


def bark(kind: int, count: int) -> NDArray[np.int64]:
    """Return the texture index of a kind's bark in `paint_trees`, int64 [count]."""
    return np.full(count, kind, dtype=np.int64)


def foliage(kind: int, shade: Floats) -> NDArray[np.int64]:
    """Return the texture indices of a kind's foliage by shade [K], int64 [K]; bark if dead."""
    if kind == TreeKind.DEAD:
        return bark(kind, len(shade))
    column = np.minimum(shade * SHADES, SHADES - 1.0).astype(np.int64)
    return len(_BARKS) + SHADES * kind + column


def paint_trees(palette: Palette) -> list[Pixels]:
    """Paint the textures of bark and foliage of a season, uint8 [64, 64, 3] each, RGB."""
    rng = np.random.default_rng(_GRAIN_SEED)
    tiles = [
        _birch(bark, rng) if kind == TreeKind.BIRCH else _bark(bark, rng)
        for kind, bark in _BARKS.items()
    ]
    tiles = [tile * np.array(palette.bark) for tile in tiles]
    turned = _TURNED if palette.season == "autumn" else {}
    for dark, light in (_LEAVES | turned).values():
        for part in np.linspace(0.0, 1.0, SHADES):
            tint = (np.array(dark) * (1.0 - part) + np.array(light) * part) * np.array(
                palette.leaves
            )
            tile = _foliage(tint, rng)
            tiles.append(_snowed(tile) if palette.season == "snow" else tile)
    return [np.clip(tile * 255.0, 0.0, 255.0).astype(np.uint8) for tile in tiles]


def _height() -> Floats:
    """Return the height in the tile, 1 at the top to 0 at the bottom, float64 [TILE, 1, 1]."""
    return np.linspace(1.0, 0.0, TILE)[:, None, None]


def _bark(colour: Colour, rng: np.random.Generator) -> Floats:
    """Return bark with furrows along the trunk, dark at its base and under the crown."""
    furrows = 1.0 + 0.22 * rng.standard_normal((1, 16, 1)).repeat(TILE // 16, axis=1)
    blotches = rng.standard_normal((8, 8, 1)).repeat(TILE // 8, axis=0).repeat(TILE // 8, axis=1)
    height = _height()
    shade = 1.0 - 0.45 * height**2 - 0.25 * np.exp(-height / 0.05)
    tone = np.clip(furrows, 0.55, 1.4) * (1.0 + 0.08 * blotches) * shade
    return np.asarray(np.array(colour) * tone)


def _birch(colour: Colour, rng: np.random.Generator) -> Floats:
    """Return pale bark with dark dashes across the trunk."""
    tile = np.array(colour) * (1.0 - 0.35 * _height() ** 2) * np.ones((TILE, TILE, 1))
    for _ in range(26):
        row, column = rng.integers(0, TILE - 1), rng.integers(0, TILE - 12)
        tile[row : row + rng.integers(1, 3), column : column + rng.integers(5, 16)] *= 0.35
    return tile


def _foliage(colour: Floats, rng: np.random.Generator) -> Floats:
    """Return clumps of leaves, lighter towards the top."""
    clumps = rng.standard_normal((16, 16, 1)).repeat(TILE // 16, axis=0).repeat(TILE // 16, axis=1)
    leaf = rng.standard_normal((32, 32, 1)).repeat(TILE // 32, axis=0).repeat(TILE // 32, axis=1)
    tone = (0.62 + 0.5 * _height()) * (1.0 + 0.14 * clumps + 0.10 * leaf)
    return np.asarray(colour * np.clip(tone, 0.2, 1.6))


def _snowed(foliage: Floats) -> Floats:
    """Add snow to foliage, most of it to light areas, which face up."""
    grey = foliage.mean(axis=2, keepdims=True)
    fraction = 0.85 * np.clip((grey / grey.mean() - 0.75) / 0.5, 0.0, 1.0)
    return np.asarray(foliage + fraction * (np.array(_SNOW) - foliage))


_SIDES = 5
_TIERS = 3
_RUGGED_SEED = 22
_LIMBS = 9
_BARE_SEED = 23


def _ring(radius: float, z: float, turn: float = 0.0) -> Floats:
    """Return a closed ring [SIDES + 1, 3]; the seam is duplicated for the texture."""
    angle = turn + np.linspace(0.0, 2.0 * math.pi, _SIDES + 1)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full_like(angle, z)], 1)


def trunk(low: float, high: float) -> Mesh:
    """Return a tapered prism of height 1."""
    rings = np.concatenate([_ring(low, 0.0), _ring(high, 1.0)])
    around = np.linspace(0.0, 1.0, _SIDES + 1)
    uv = np.concatenate([np.stack([around, np.full_like(around, v)], 1) for v in (0.0, 1.0)])
    side = np.arange(_SIDES)
    upper = side + _SIDES + 1
    faces = np.concatenate(
        [np.stack([side, side + 1, upper + 1], 1), np.stack([side, upper + 1, upper], 1)]
    )
    # Both ends are open: the lower is on the ground, the upper above any camera.
    return replace(Mesh.plain(rings, unit(rings * (1.0, 1.0, 0.0)), uv, faces), closed=True)


def cones() -> Mesh:
    """Return tiers of cones with hollow undersides, narrower towards the top."""
    step = 1.0 / (_TIERS + 0.6)
    return merge(
        [_cone(1.0 - 0.27 * tier, tier * step, 1.6 * step, tier) for tier in range(_TIERS)]
    )


def _cone(radius: float, low: float, height: float, tier: int) -> Mesh:
    rim = _ring(radius, low, float(tier))[:-1]
    tips = np.array([[0.0, 0.0, low + height], [0.0, 0.0, low + 0.25 * height]])
    outward = unit(rim * (1.0, 1.0, 0.0) + (0.0, 0.0, 0.5 * radius))
    under = unit(rim * (0.3, 0.3, 0.0) - (0.0, 0.0, radius))
    side = np.arange(_SIDES)
    following = (side + 1) % _SIDES
    tip, offset = np.full(_SIDES, _SIDES), _SIDES + 1
    faces = [
        np.stack([side, following, tip], 1),
        np.stack([following + offset, side + offset, tip + offset], 1),
    ]
    around = side / _SIDES
    upper = np.stack([around, np.full(_SIDES, tier / _TIERS + 0.1)], 1)
    lower = np.stack([around, np.full(_SIDES, 0.1)], 1)
    cone = Mesh.plain(
        np.concatenate([rim, tips[:1], rim, tips[1:]]),
        np.concatenate([outward, [[0.0, 0.0, 1.0]], under, [[0.0, 0.0, -1.0]]]),
        np.concatenate([upper, [[0.5, (tier + 1.0) / _TIERS]], lower, [[0.5, 0.0]]]),
        np.concatenate(faces),
    )
    return replace(cone, closed=True)


def ball() -> Mesh:
    """Return an irregular ball of leaves of radius 1 and height 1 with its base at z = 0."""
    directions, faces = icosahedron()
    rugged = directions * np.random.default_rng(_RUGGED_SEED).uniform(0.8, 1.15, (12, 1))
    u = 0.5 + 0.45 * rugged[:, 0] + 0.2 * rugged[:, 1]
    uv = np.stack([u, 0.5 + 0.45 * rugged[:, 2]], axis=1)
    leaves = Mesh.plain(rugged * (1.0, 1.0, 0.5) + (0.0, 0.0, 0.5), directions, uv, faces)
    return replace(leaves, closed=True)


def branches() -> Mesh:
    """Return three bare stubs, each a three-sided pyramid."""
    stubs = []
    for number in range(3):
        angle = 2.4 * number
        out = np.array([math.cos(angle), math.sin(angle), 0.3])
        side = np.array([-math.sin(angle), math.cos(angle), 0.0])
        root = np.array([0.0, 0.0, 0.15 + 0.25 * number])
        corners = [root - 0.1 * side, root + 0.1 * side, root + np.array([0.0, 0.0, 0.05])]
        stubs.append(
            Mesh.plain(
                np.array([*corners, root + out * (1.5 - 0.3 * number)]),
                unit(np.array([-side, side, (0.0, 0.0, 1.0), out])),
                np.array([[0.2, 0.4], [0.6, 0.4], [0.4, 0.5], [0.4, 0.6]]),
                np.array([[0, 3, 2], [3, 1, 2], [0, 1, 3]]),
            )
        )
    return merge(stubs)


def bare() -> Mesh:
    """Return a crown without leaves: thin pyramids that rise from a tapering stem."""
    rng = np.random.default_rng(_BARE_SEED)
    limbs = [_limb(np.zeros(3), np.array([0.0, 0.0, 1.0]), 0.07)]
    for number in range(_LIMBS):
        angle = 2.4 * number + rng.uniform(-0.3, 0.3)
        root = np.array([0.0, 0.0, 0.65 * number / _LIMBS])
        reach, rise = rng.uniform(0.6, 1.0), rng.uniform(0.15, 0.4)
        tip = root + np.array([reach * math.cos(angle), reach * math.sin(angle), rise])
        limbs.append(_limb(root, tip, 0.05))
        fork = root + 0.5 * (tip - root)
        aside = np.array([-math.sin(angle), math.cos(angle), 0.25])
        limbs.append(_limb(fork, fork + rng.choice((-0.45, 0.45)) * aside * (1.0, 1.0, 0.4), 0.03))
    return merge(limbs)


def _limb(root: Floats, tip: Floats, thick: float) -> Mesh:
    """Return a three-sided pyramid from a root to a tip."""
    along = unit(tip - root)
    side = unit(np.cross(along, (0.31, 0.17, 0.93)))
    other = np.cross(along, side)
    angles = 2.0 * math.pi * np.arange(3) / 3.0
    around = np.outer(np.cos(angles), side) + np.outer(np.sin(angles), other)
    return Mesh.plain(
        np.concatenate([root + thick * around, tip[None]]),
        np.concatenate([around, along[None]]),
        np.array([[0.2, 0.3], [0.5, 0.3], [0.8, 0.3], [0.5, 0.8]]),
        np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3]]),
    )


BARE_SEASONS = ("winter", "snow")
"""Seasons in which broadleaf trees and birches have no leaves."""
_SLAB_M = 12.0
_ROOT_M = 0.3
"""Depth of trunks below sloping ground."""

_LIVE, _BALL, _BARE = trunk(1.12, 0.55), ball(), bare()
"""Tapered such that the trunk has its nominal radius at flight height, about 1.5 m."""
_TRUNKS: dict[int, Mesh] = {
    TreeKind.CONIFER: _LIVE,
    TreeKind.BROADLEAF: _LIVE,
    TreeKind.BIRCH: _LIVE,
    TreeKind.DEAD: trunk(1.25, 0.35),
}
_CROWNS: dict[int, Mesh] = {
    TreeKind.CONIFER: cones(),
    TreeKind.BROADLEAF: _BALL,
    TreeKind.BIRCH: _BALL,
    TreeKind.DEAD: branches(),
}


def tree_meshes(forest: Forest) -> tuple[list[Mesh], list[Mesh]]:
    """Return trunks and crowns, each by kind and in slabs across the course, which runs east."""
    trees = forest.trees
    slab = np.floor(forest.trunks[:, 0] / _SLAB_M).astype(int)
    order = np.argsort(slab, kind="stable")
    trunks: list[Mesh] = []
    crowns: list[Mesh] = []
    for kind in sorted(set(trees.kind.tolist())):
        chosen = order[trees.kind[order] == kind]
        ends = np.append(np.flatnonzero(np.diff(slab[chosen])) + 1, len(chosen))
        trunks += _cut(_trunks(forest, chosen, kind), ends.tolist())
        crowns += _cut(_crowns(forest, chosen, kind), ends.tolist())
    return trunks, crowns


def _cut(copies: Mesh, ends: list[int]) -> list[Mesh]:
    """Split a mesh of `ends[-1]` copies of a part after the copies numbered in `ends`."""
    points, faces = (len(part) // ends[-1] for part in (copies.vertices, copies.triangles))
    pieces = []
    for first, last in zip([0, *ends[:-1]], ends, strict=True):
        corners, sides = slice(first * points, last * points), slice(first * faces, last * faces)
        pieces.append(
            Mesh(
                copies.vertices[corners],
                copies.normals[corners],
                copies.uvs[corners],
                copies.triangles[sides] - first * points,
                copies.paint[sides],
                copies.closed,
            )
        )
    return pieces


def _trunks(forest: Forest, chosen: NDArray[np.int64], kind: int) -> Mesh:
    radius, trees = forest.trunks[chosen, 2], forest.trees
    base, height = trees.crown_base_m[chosen], trees.height_m[chosen]
    top = height if kind == TreeKind.DEAD else base + 0.4 * (height - base)
    foot = _foot(forest, chosen)
    if not forest.terrain.is_flat:
        top, foot = top + _ROOT_M, foot - (0.0, 0.0, _ROOT_M)
    size = np.stack([radius, radius, top], axis=1)
    return _stand(_TRUNKS[kind], size, trees.turn_rad[chosen], foot, bark(kind, len(chosen)))


def _crowns(forest: Forest, chosen: NDArray[np.int64], kind: int) -> Mesh:
    trees, sheds = forest.trees, _sheds(forest, kind)
    base, radius = trees.crown_base_m[chosen], trees.crown_radius_m[chosen]
    size = np.stack([radius, radius, trees.height_m[chosen] - base], axis=1)
    foot = _foot(forest, chosen)
    foot[:, 2] += base
    paint = bark(kind, len(chosen)) if sheds else foliage(kind, trees.shade[chosen])
    return _stand(_BARE if sheds else _CROWNS[kind], size, trees.turn_rad[chosen], foot, paint)


def _stand(
    part: Mesh, size: Floats, turn: Floats, place: Floats, paint: NDArray[np.int64]
) -> Mesh:
    """Return K copies of a part, scaled [K, 3], rotated [K], moved [K, 3], painted [K]."""
    count, points = len(size), len(part.vertices)
    c, s, zero, one = np.cos(turn), np.sin(turn), np.zeros(count), np.ones(count)
    rows = [np.stack(row, axis=1) for row in ((c, -s, zero), (s, c, zero), (zero, zero, one))]
    rotation = np.stack(rows, axis=1).transpose(0, 2, 1)
    vertices = (part.vertices * size[:, None]) @ rotation + place[:, None]
    normals = unit((part.normals / size[:, None]) @ rotation)
    first = points * np.arange(count)[:, None, None]
    return Mesh(
        vertices.reshape(-1, 3),
        normals.reshape(-1, 3),
        np.tile(np.clip(part.uvs, 0.0, 1.0), (count, 1)),
        (part.triangles + first).reshape(-1, 3),
        np.repeat(paint, len(part.triangles)),
        part.closed,
    )


def _foot(forest: Forest, chosen: NDArray[np.int64]) -> Floats:
    """Return the base points of the chosen trees on the ground, float64 [K, 3], m, map."""
    x, y, _ = forest.trunks[chosen].T
    return np.stack([x, y, forest.terrain.height(x, y)], axis=1)


def _sheds(forest: Forest, kind: int) -> bool:
    leafy = kind in (TreeKind.BROADLEAF, TreeKind.BIRCH)
    return leafy and forest.palette.season in BARE_SEASONS
