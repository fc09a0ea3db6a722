"""Meshes of basic shapes and of the ground, and packing of models for the kernels."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats
from liquid_control_sim.place.forest import Extent
from liquid_control_sim.place.terrain import FLAT, Terrain
from liquid_control_sim.render.kernels.kernel_types import Stage
from liquid_control_sim.render.textures import Texture, pack

Triangles = NDArray[np.int64]


@dataclass(frozen=True)
class Mesh:
    """Triangles with normals and texture coordinates.

    Attributes:
        vertices: float64 [V, 3], m.
        normals: float64 [V, 3], unit vectors.
        uvs: float64 [V, 2], texture coordinates, v up.
        triangles: int64 [T, 3], indices of vertices, counter-clockwise from outside.
        paint: int64 [T], index of each triangle's texture in the model.
        closed: whether its triangles hide their backs from every camera outside of it.
    """

    vertices: Floats
    normals: Floats
    uvs: Floats
    triangles: Triangles
    paint: NDArray[np.int64]
    closed: bool = False

    @classmethod
    def plain(cls, vertices: Floats, normals: Floats, uvs: Floats, triangles: Triangles) -> "Mesh":
        """Return a mesh with the model's first texture."""
        return cls(vertices, normals, uvs, triangles, np.zeros(len(triangles), np.int64))


def merge(meshes: list[Mesh]) -> Mesh:
    """Concatenate meshes."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uvs for mesh in meshes]),
        np.concatenate([m.triangles + o for m, o in zip(meshes, offsets, strict=True)]),
        np.concatenate([mesh.paint for mesh in meshes]),
        all(mesh.closed for mesh in meshes),
    )


def grid(xs: Floats, ys: Floats, us: Floats, vs: Floats, terrain: Terrain = FLAT) -> Mesh:
    """Return a rectangular grid with the heights of the terrain.

    Args:
        xs: x of the grid lines, m, map.
        ys: y of the grid lines, m, map.
        us: texture coordinates of `xs`.
        vs: texture coordinates of `ys`.
        terrain: heights and slopes.
    """
    x, y = (part.ravel() for part in np.meshgrid(xs, ys))
    u, v = np.meshgrid(us, vs)
    columns = len(xs)
    corner = (np.arange(len(ys) - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    lower = np.stack([corner, corner + 1, corner + columns + 1], axis=1)
    upper = np.stack([corner, corner + columns + 1, corner + columns], axis=1)
    upward = np.concatenate([-terrain.gradient(x, y), np.ones((x.size, 1))], axis=1)
    return Mesh.plain(
        np.stack([x, y, terrain.height(x, y)], axis=1),
        upward / np.linalg.norm(upward, axis=1, keepdims=True),
        np.stack([u.ravel(), v.ravel()], axis=1),
        np.concatenate([lower, upper]),
    )


def prism(start: Floats, end: Floats, radii: tuple[float, float], sides: int) -> Mesh:
    """Return a bar between two points [3], m, closed at its end; the texture's v runs along it."""
    along = unit(end - start)
    side = unit(np.cross(along, (1.0, 0.0, 0.0) if abs(along[0]) < 0.9 else (0.0, 1.0, 0.0)))
    angle = np.linspace(0.0, 2.0 * math.pi, sides + 1)
    around = np.outer(np.cos(angle), side) + np.outer(np.sin(angle), np.cross(along, side))
    turns, count = np.linspace(0.0, 1.0, sides + 1), sides + 1
    ends = [start + radii[0] * around, end + radii[1] * around]
    uvs = [np.stack([turns, np.full(count, v)], axis=1) for v in (0.0, 1.0)]
    first = np.arange(sides)
    walls = [
        np.stack([first, first + 1, first + count + 1], axis=1),
        np.stack([first, first + count + 1, first + count], axis=1),
    ]
    wall = Mesh.plain(
        np.concatenate(ends),
        np.concatenate([around, around]),
        np.concatenate(uvs),
        np.concatenate(walls),
    )
    fan = np.stack([np.zeros(sides - 2, int), first[1:-1], first[2:]], axis=1)
    lid = Mesh.plain(ends[1], np.tile(along, (count, 1)), np.full((count, 2), 0.5), fan)
    return merge([wall, lid])


def sphere(centre: Floats, radius: float) -> Mesh:
    """Return a sphere of 320 triangles."""
    points, faces = icosahedron()
    for _ in range(2):
        corners = points[faces]
        middles = unit(corners + np.roll(corners, -1, axis=1))
        a, b, c = (corners[:, i] for i in range(3))
        ab, bc, ca = (middles[:, i] for i in range(3))
        quarters = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        points = np.concatenate([np.stack(three, axis=1) for three in quarters]).reshape(-1, 3)
        faces = np.arange(len(points)).reshape(-1, 3)
    uvs = np.stack([0.5 + 0.5 * points[:, 0], 0.5 + 0.5 * points[:, 2]], axis=1)
    return Mesh.plain(centre + radius * points, points, uvs, faces)


def cuboid(centre: Floats, size: tuple[float, float, float], turn_rad: float) -> Mesh:
    """Return a box, rotated about the vertical axis."""
    c, s = math.cos(turn_rad), math.sin(turn_rad)
    rotation = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    square = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    faces = []
    for axis in range(3):
        for way in (-0.5, 0.5):
            corners = np.insert(square, axis, way, axis=1) * size
            normal = np.zeros(3)
            normal[axis] = 2.0 * way
            faces.append(
                Mesh.plain(
                    centre + corners @ rotation.T,
                    np.tile(rotation @ normal, (4, 1)),
                    square + 0.5,
                    np.array([(0, 1, 2), (0, 2, 3)]),
                )
            )
    return merge(faces)


def upright_cone(centre: Floats, width: float, height: float, sides: int = 16) -> Mesh:
    """Return an upright cone."""
    angle = 2.0 * math.pi * np.arange(sides) / sides
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(sides)], axis=1)
    half = np.array([0.0, 0.0, 0.5 * height])
    base, tip = centre - half, centre + half
    rim = base + 0.5 * width * ring
    slant = unit(ring + np.array([0.0, 0.0, 0.5 * width / height]))
    first, following = np.arange(sides), (np.arange(sides) + 1) % sides
    # Each side has its own tip vertex, and so its own normal there.
    mantle = Mesh.plain(
        np.concatenate([rim, np.tile(tip, (sides, 1))]),
        np.concatenate([slant, unit(slant + slant[following])]),
        np.full((2 * sides, 2), 0.5),
        np.stack([first, following, first + sides], axis=1),
    )
    fan = np.stack([np.zeros(sides - 2, int), first[2:], first[1:-1]], axis=1)
    down = np.tile([0.0, 0.0, -1.0], (sides, 1))
    return merge([mantle, Mesh.plain(rim, down, np.full((sides, 2), 0.5), fan)])


_BEYOND_M = 200.0
_CELL_M = 2.5
_RIM_M = (5.0, 10.0, 16.0, 24.0, 34.0, 48.0, 66.0, 90.0, 120.0, 160.0)
"""Grid lines of sloping ground outside the texture; the spacing grows with distance, m."""
_STRIP = 6


def ground_meshes(extent: Extent, terrain: Terrain) -> list[Mesh]:
    """Return the ground in one or more parts."""
    rim, cell_m = ((), None) if terrain.is_flat else (_RIM_M, _CELL_M)
    tiny = 0.5 / max(extent.columns, extent.rows)
    xs, us = _cut(extent.west_m, extent.east_m, cell_m, rim, tiny)
    ys, vs = _cut(extent.south_m, extent.north_m, cell_m, rim, tiny)
    step = len(xs) - 1 if terrain.is_flat else _STRIP
    return [
        replace(grid(xs[i : i + step + 1], ys, us[i : i + step + 1], vs, terrain), closed=True)
        for i in range(0, len(xs) - 1, step)
    ]


def _cut(
    low: float, high: float, cell_m: float | None, rim: tuple[float, ...], tiny: float
) -> tuple[Floats, Floats]:
    """Return grid coordinates from rim to rim, m, and their texture coordinates, 0 to 1."""
    cells = 1 if cell_m is None else max(round((high - low) / cell_m), 1)
    inside, beyond = np.linspace(low, high, cells + 1), np.array([*rim, _BEYOND_M])
    places = np.concatenate([low - beyond[::-1], inside, high + beyond])
    painted = np.linspace(tiny, 1.0 - tiny, cells + 1)
    texture = np.interp(places, inside, painted)
    return places, texture


_GOLDEN = 0.5 * (1.0 + math.sqrt(5.0))


def unit(vectors: Floats) -> Floats:
    """Return unit vectors [..., 3] with the directions of `vectors`."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def icosahedron() -> tuple[Floats, Triangles]:
    """Return 12 unit vertices and 20 faces, counter-clockwise from outside."""
    a, b = 1.0, _GOLDEN
    flat = np.array([(-a, b, 0.0), (a, b, 0.0), (-a, -b, 0.0), (a, -b, 0.0)])
    vertices = np.concatenate([flat, np.roll(flat, 1, axis=1), np.roll(flat, 2, axis=1)])
    faces = [
        (i, j, k)
        for i in range(12)
        for j in range(i + 1, 12)
        for k in range(j + 1, 12)
        if max(math.dist(vertices[p], vertices[q]) for p, q in ((i, j), (j, k), (i, k))) < 2.1
    ]
    outward = [f if np.linalg.det(vertices[list(f)]) > 0.0 else (f[0], f[2], f[1]) for f in faces]
    return vertices / math.hypot(a, b), np.array(outward, dtype=np.int64)


@dataclass(frozen=True)
class RenderModel:
    """Mesh and textures, shown or hidden as a whole.

    Attributes:
        mesh: the mesh; its `paint` is an index into the textures.
        textures: one or more textures.
    """

    mesh: Mesh
    textures: tuple[Texture, ...]


def make_stage(models: list[RenderModel]) -> Stage:
    """Pack models; a texture of several models is stored once."""
    textures = list({id(t): t for model in models for t in model.textures}.values())
    number = {id(texture): index for index, texture in enumerate(textures)}
    meshes = [model.mesh for model in models]
    whole = merge(meshes)
    texels = pack(tuple(textures))
    paint = [
        np.array([number[id(t)] for t in model.textures], np.int64)[model.mesh.paint]
        for model in models
    ]
    return Stage(
        vertices=np.ascontiguousarray(whole.vertices),
        normals=np.ascontiguousarray(whole.normals),
        uvs=np.ascontiguousarray(whole.uvs),
        triangles=np.ascontiguousarray(whole.triangles),
        paint=np.concatenate(paint),
        vertex_range=np.cumsum([0] + [len(mesh.vertices) for mesh in meshes]),
        triangle_range=np.cumsum([0] + [len(mesh.triangles) for mesh in meshes]),
        boxes=np.array([_box(mesh) for mesh in meshes]),
        closed=np.array([mesh.closed for mesh in meshes]),
        texels=texels.values,
        levels=texels.levels,
        first_level=texels.first,
    )


def _box(mesh: Mesh) -> Floats:
    return np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)])
