"""Argument types of the kernels and their compiler.

Division by zero gives infinity, as in NumPy. Kernels allocate no arrays: scratch space is passed
as arguments. This avoids reference counts of arrays, which would cost more than drawing a
triangle.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats
from liquid_control_sim.compiling import Compiler

Heights = NDArray[np.float32]


class Stage(NamedTuple):
    """Packed models.

    Attributes:
        vertices: float64 [V, 3], m, map.
        normals: float64 [V, 3], unit vectors, map.
        uvs: float64 [V, 2], texture coordinates.
        triangles: int64 [T, 3], indices of vertices.
        paint: int64 [T], indices of textures.
        vertex_range: int64 [M + 1], first vertex of each model, and their number.
        triangle_range: int64 [M + 1], first triangle of each model, and their number.
        boxes: float64 [M, 2, 3], minimum and maximum coordinates of each model, m.
        closed: bool [M], models whose triangles are visible from outside only.
        texels, levels, first_level: the textures, as in `textures.Texels`.
    """

    vertices: Floats
    normals: Floats
    uvs: Floats
    triangles: NDArray[np.int64]
    paint: NDArray[np.int64]
    vertex_range: NDArray[np.int64]
    triangle_range: NDArray[np.int64]
    boxes: Floats
    closed: NDArray[np.bool_]
    texels: NDArray[np.uint32]
    levels: NDArray[np.int64]
    first_level: NDArray[np.int64]


class Lens(NamedTuple):
    """Focal length and principal point, px, and depth of the near plane, m."""

    focal: float
    centre_x: float
    centre_y: float
    near: float


class Pose(NamedTuple):
    """Pose of the optical frame: position [3], m, and rotation [3, 3] to the map frame."""

    position: Floats
    rotation: Floats


class Light(NamedTuple):
    """Light on surfaces.

    Attributes:
        direction: float64 [3], unit vector to the sun, map.
        direct: float64 [3], RGB, direct light on a surface that faces the sun.
        sky: float64 [3], RGB, ambient light.
    """

    direction: Floats
    direct: Floats
    sky: Floats


class Shadow(NamedTuple):
    """Shadow maps of static and of swaying casters.

    A point (x, y, z) of the map frame is looked up where the sun's ray through it intersects the
    plane z = 0, at (x - z lean_x, y - z lean_y). It is in shadow if the height stored there
    exceeds z.

    Attributes:
        still, swaying: float32 [R, C], height of the highest caster towards the sun, m.
        corner: float64 [2], x and y of the north-west corner of the maps, m.
        lean: float64 [2], horizontal displacement of the sun's rays per metre of height.
        cell_m: size of a cell, m.
        bias_m: smallest height of a caster above a surface, m.
        sway_m: float64 [2], displacement of the shadows of swaying casters, m, map.
        contrast: 0 for no shadow to 1 for no direct light in shadow.
    """

    still: Heights
    swaying: Heights
    corner: Floats
    lean: Floats
    cell_m: float
    bias_m: float
    sway_m: Floats
    contrast: float


compiled = Compiler("render", Path(__file__).parent, error_model="numpy", _nrt=False)
inlined = compiled.inlined
