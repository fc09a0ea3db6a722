"""What the kernels read: named tuples of arrays and numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats

Heights = NDArray[np.float32]


class Stage(NamedTuple):
    """Models, packed.

    Attributes:
        vertices: float64 [V, 3], m, map.
        normals: float64 [V, 3].
        uvs: float64 [V, 2].
        triangles: int64 [T, 3], into the vertices.
        paint: int64 [T], into the textures.
        vertex_range: int64 [M + 1], where each model's vertices begin.
        triangle_range: int64 [M + 1], where its triangles begin.
        boxes: float64 [M, 2, 3], lowest and highest coordinates.
        texels, levels, first_level: the textures, as `texture.Texels`.
    """

    vertices: Floats
    normals: Floats
    uvs: Floats
    triangles: NDArray[np.int64]
    paint: NDArray[np.int64]
    vertex_range: NDArray[np.int64]
    triangle_range: NDArray[np.int64]
    boxes: Floats
    texels: NDArray[np.uint32]
    levels: NDArray[np.int64]
    first_level: NDArray[np.int64]


class Lens(NamedTuple):
    """Focal length and principal point, px; nothing nearer than `near`, m, is drawn."""

    focal: float
    centre_x: float
    centre_y: float
    near: float


class Pose(NamedTuple):
    """Where the optical frame is: position [3], m, and rotation [3, 3] to the map."""

    position: Floats
    rotation: Floats


class Light(NamedTuple):
    """What falls on surfaces.

    Attributes:
        direction: float64 [3], unit, map, to the sun.
        direct: float64 [3], RGB, on a surface that faces the sun.
        sky: float64 [3], RGB, from everywhere.
    """

    direction: Floats
    direct: Floats
    sky: Floats


class Shadow(NamedTuple):
    """What hides the sun.

    A point (x, y, z) of the map is looked up where the sun's ray through it meets the plane z = 0,
    at (x - z lean_x, y - z lean_y). It lies in shadow if the height there is above z.

    Attributes:
        still, swaying: float32 [R, C], m, top of the highest caster on the way to the sun.
        corner: float64 [2], x and y of the maps' north-west corner, m.
        lean: float64 [2], how far the sun's rays run in x and y for each metre of height.
        cell_m: size of a cell, m.
        bias_m: how far above a surface a caster must be.
        sway_m: float64 [2], by how much the swaying casters' shadows are displaced, m, map.
        contrast: 0 for no shadow to 1, where all direct light is hidden.
    """

    still: Heights
    swaying: Heights
    corner: Floats
    lean: Floats
    cell_m: float
    bias_m: float
    sway_m: Floats
    contrast: float
