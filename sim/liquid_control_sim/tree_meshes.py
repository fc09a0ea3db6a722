"""Trees of 20 to 40 triangles: a tapered trunk, and on it cones, blobs or bare branches."""

import math

import numpy as np

from liquid_control.types import Floats
from liquid_control_sim.atlas import bark_tile, leaf_tile, uv_in_tile
from liquid_control_sim.forest import Forest, TreeKind
from liquid_control_sim.meshes import Mesh, Triangles, merge

_SIDES = 5
_TIERS = 3
_GOLDEN = 0.5 * (1.0 + math.sqrt(5.0))


def _icosahedron() -> tuple[Floats, Triangles]:
    """Return its 12 unit vertices and 20 faces, counter-clockwise from outside."""
    a, b = 1.0, _GOLDEN
    points = [(-a, b, 0), (a, b, 0), (-a, -b, 0), (a, -b, 0)]
    points += [(0, -a, b), (0, a, b), (0, -a, -b), (0, a, -b)]
    points += [(b, 0, -a), (b, 0, a), (-b, 0, -a), (-b, 0, a)]
    vertices = np.array(points, dtype=np.float64)
    faces = [
        (i, j, k)
        for i in range(12)
        for j in range(i + 1, 12)
        for k in range(j + 1, 12)
        if max(math.dist(vertices[p], vertices[q]) for p, q in ((i, j), (j, k), (i, k))) < 2.1
    ]
    outward = [f if np.linalg.det(vertices[list(f)]) > 0.0 else (f[0], f[2], f[1]) for f in faces]
    return vertices / math.hypot(a, b), np.array(outward, dtype=np.int64)


_ICO_VERTICES, _ICO_FACES = _icosahedron()


def tree_mesh(forest: Forest, index: int) -> Mesh:
    """Return one tree, standing where it stands in the forest."""
    x, y, radius = forest.trunks[index]
    trees = forest.trees
    kind = int(trees.kind[index])
    base, height = float(trees.crown_base_m[index]), float(trees.height_m[index])
    crown, turn = float(trees.crown_radius_m[index]), float(trees.turn_rad[index])
    shade = float(trees.shade[index])
    top = height if kind == TreeKind.DEAD else base + 0.4 * (height - base)
    taper = 0.25 if kind == TreeKind.DEAD else 0.55
    parts = [_trunk(float(radius), top, taper, turn, kind)]
    if kind == TreeKind.CONIFER:
        parts += _cones(base, height, crown, turn, leaf_tile(kind, shade))
    elif kind == TreeKind.DEAD:
        parts += _branches(float(radius), base, height, turn)
    else:
        parts += _blobs(base, height, crown, turn, leaf_tile(kind, shade))
    mesh = merge(parts)
    return Mesh(mesh.vertices + (x, y, 0.0), mesh.normals, mesh.uvs, mesh.triangles)


def _ring(radius: float, z: float, turn: float) -> Floats:
    """Return [SIDES + 1, 3], a closed ring; the seam is there twice, for the texture."""
    angle = turn + np.linspace(0.0, 2.0 * math.pi, _SIDES + 1)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), np.full_like(angle, z)], 1)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _trunk(radius: float, top: float, taper: float, turn: float, kind: int) -> Mesh:
    """A tapered prism of the trunk's radius at 1.5 m."""
    slope = (1.0 - taper) / top
    low, high = 1.0 + 1.5 * slope, taper
    rings = np.concatenate([_ring(radius * low, 0.0, turn), _ring(radius * high, top, turn)])
    around = np.linspace(0.0, 1.0, _SIDES + 1)
    uv = np.concatenate([np.stack([around, np.full_like(around, v)], 1) for v in (0.0, 1.0)])
    side = np.arange(_SIDES)
    upper = side + _SIDES + 1
    faces = np.concatenate(
        [np.stack([side, side + 1, upper + 1], 1), np.stack([side, upper + 1, upper], 1)]
    )
    normals = _unit(rings * (1.0, 1.0, 0.0))
    return Mesh(rings, normals, uv_in_tile(bark_tile(kind), uv), faces)


def _cones(
    base: float, height: float, crown: float, turn: float, tile: tuple[int, int]
) -> list[Mesh]:
    """Tiers of cones with hollow undersides, narrower toward the top."""
    step = (height - base) / (_TIERS + 0.6)
    tiers = []
    for tier in range(_TIERS):
        low = base + tier * step
        width = crown * (1.0 - 0.27 * tier)
        share = (tier / _TIERS, (tier + 1.0) / _TIERS)
        tiers.append(_cone(width, low, low + 1.6 * step, turn + tier, tile, share))
    return tiers


def _cone(
    radius: float,
    low: float,
    top: float,
    turn: float,
    tile: tuple[int, int],
    share: tuple[float, float],
) -> Mesh:
    rim = _ring(radius, low, turn)[:-1]
    tips = np.array([[0.0, 0.0, top], [0.0, 0.0, low + 0.25 * (top - low)]])
    vertices = np.concatenate([rim, tips[:1], rim, tips[1:]])
    outward = _unit(rim * (1.0, 1.0, 0.0) + (0.0, 0.0, 0.5 * radius))
    under = _unit(rim * (0.3, 0.3, 0.0) - (0.0, 0.0, radius))
    normals = np.concatenate([outward, [[0.0, 0.0, 1.0]], under, [[0.0, 0.0, -1.0]]])
    side = np.arange(_SIDES)
    following = (side + 1) % _SIDES
    tip, offset = np.full(_SIDES, _SIDES), _SIDES + 1
    faces = np.concatenate(
        [
            np.stack([side, following, tip], 1),
            np.stack([following + offset, side + offset, tip + offset], 1),
        ]
    )
    around = side / _SIDES
    upper = np.stack([around, np.full(_SIDES, share[0] + 0.1)], 1)
    lower = np.stack([around, np.full(_SIDES, 0.1)], 1)
    uv = np.concatenate([upper, [[0.5, share[1]]], lower, [[0.5, 0.0]]])
    return Mesh(vertices, normals, uv_in_tile(tile, uv), faces)


def _blobs(
    base: float, height: float, crown: float, turn: float, tile: tuple[int, int]
) -> list[Mesh]:
    """A rugged ball of leaves, wider below its middle."""
    rng = np.random.default_rng(int(turn * 1e6))
    rugged = _ICO_VERTICES * rng.uniform(0.8, 1.15, (12, 1))
    c, s = math.cos(turn), math.sin(turn)
    turned = rugged @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    half = 0.5 * (height - base)
    vertices = turned * (crown, crown, half) + (0.0, 0.0, base + half)
    uv = np.stack([0.5 + 0.45 * turned[:, 0] + 0.2 * turned[:, 1], 0.5 + 0.45 * turned[:, 2]], 1)
    return [Mesh(vertices, _unit(turned), uv_in_tile(tile, uv), _ICO_FACES)]


def _branches(radius: float, base: float, height: float, turn: float) -> list[Mesh]:
    """Three bare stubs, each a pyramid on three sides."""
    stubs = []
    for number in range(3):
        low = base + (0.15 + 0.25 * number) * (height - base)
        angle = turn + 2.4 * number
        out = np.array([math.cos(angle), math.sin(angle), 0.5])
        side = np.array([-math.sin(angle), math.cos(angle), 0.0])
        thick = 0.45 * radius
        root = np.array([0.0, 0.0, low])
        tip = root + out * (1.3 - 0.25 * number)
        lift = np.array([0.0, 0.0, 1.6 * thick])
        vertices = np.array([root - side * thick, root + side * thick, root + lift, tip])
        normals = _unit(np.array([-side, side, (0.0, 0.0, 1.0), out]))
        faces = np.array([[0, 3, 2], [3, 1, 2], [0, 1, 3]])
        uv = np.array([[0.2, 0.4], [0.6, 0.4], [0.4, 0.5], [0.4, 0.6]])
        stubs.append(Mesh(vertices, normals, uv_in_tile(bark_tile(TreeKind.DEAD), uv), faces))
    return stubs
