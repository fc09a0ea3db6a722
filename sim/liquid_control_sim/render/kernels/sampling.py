"""Reads a texture as a pixel sees it: averaged over the pixel's footprint on the surface."""

import math

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats
from liquid_control_sim.render.kernels.jit import compiled, inlined
from liquid_control_sim.render.kernels.kernel_types import Stage

MOST_TAPS = 4
"""Samples along the longer side of a footprint; more would overflow the lanes."""
SHARPEST = 2.0
"""Square of the texels a pixel from which on the next coarser level is read: half way on a log
scale."""
_UNIT = 65536.0
"""Places in a texture are integers of 1/65536 texel."""


@inlined
def sample(
    stage: Stage, number: int, surface: Floats, dx: float, dy: float, depth: float, focal: float
) -> tuple[float, float, float]:
    """Return the texture of a triangle under a pixel, RGB in [0, 1].

    Up to `MOST_TAPS` bilinear samples along the footprint's longer side, at the level whose texels
    are as large as its shorter side.

    Args:
        stage: with the textures.
        number: of the triangle.
        surface: as `shading.span` fills it.
        dx: x of the pixel's ray (dx, dy, 1).
        dy: its y.
        depth: at which it meets the triangle, m.
        focal: focal length, px.
    """
    texture = stage.paint[number]
    level, coarsest = stage.first_level[texture], stage.first_level[texture + 1] - 1
    u = depth * (surface[1, 0] * dx + surface[1, 1] * dy + surface[1, 2])
    v = depth * (surface[2, 0] * dx + surface[2, 1] * dy + surface[2, 2])
    pixel = depth / focal
    ux = pixel * (surface[1, 0] - u * surface[0, 0])
    uy = pixel * (surface[1, 1] - u * surface[0, 1])
    vx = pixel * (surface[2, 0] - v * surface[0, 0])
    vy = pixel * (surface[2, 1] - v * surface[0, 1])
    rows, columns = stage.levels[level, 1], stage.levels[level, 2]
    across = (ux * columns) * (ux * columns) + (vx * rows) * (vx * rows)
    down = (uy * columns) * (uy * columns) + (vy * rows) * (vy * rows)
    if down > across:
        ux, vx, across, down = uy, vy, down, across
    slant = across / max(down, 1.0)
    taps = 1 + (slant > 1.0) + (slant > 4.0) + (slant > 9.0)
    size = max(down, across / (taps * taps))
    while size > SHARPEST and level < coarsest:
        size *= 0.25
        level += 1
    lanes = along(stage.texels, stage.levels, level, taps, u, v, ux, vx)
    scale, mask = 1.0 / (255.0 * 64.0 * taps), np.uint64(0xFFFF)
    red, blue = np.int64(lanes & mask), np.int64((lanes >> np.uint64(16)) & mask)
    return red * scale, np.int64(lanes >> np.uint64(32)) * scale, blue * scale


@inlined
def along(
    texels: NDArray[np.uint32],
    levels: NDArray[np.int64],
    level: int,
    taps: int,
    u: float,
    v: float,
    du: float,
    dv: float,
) -> np.uint64:
    """Return the sum of bilinear samples at even steps along (du, dv) around (u, v), v up.

    The result holds red, blue and green in lanes of 16 bits, each 64 times its value, so that a
    sample's four weights, 64 together, multiply all three at once and four samples can be added.
    """
    start, rows, columns = levels[level, 0], levels[level, 1], levels[level, 2]
    back = 0.5 - 0.5 / taps
    x = int(_UNIT * (columns * (u - back * du) - 0.5))
    y = int(_UNIT * (rows * (1.0 - v + back * dv) - 0.5))
    right, down = int(_UNIT * columns * du / taps), int(_UNIT * rows * -dv / taps)
    most_x, most_y = (columns - 1) << 16, (rows - 1) << 16
    lanes = np.uint64(0)
    for _ in range(taps):
        lanes += bilinear(
            texels, start, rows, columns, min(max(x, 0), most_x), min(max(y, 0), most_y)
        )
        x, y = x + right, y + down
    return lanes


@inlined
def bilinear(
    texels: NDArray[np.uint32], start: int, rows: int, columns: int, x: int, y: int
) -> np.uint64:
    """Return the texture at a place, in lanes; x and y in 1/65536 texel, within its edges."""
    column, row = x >> 16, y >> 16
    right, down = np.uint64((x >> 10) & 63), np.uint64((y >> 10) & 63)
    both = (right * down) >> np.uint64(6)
    i = np.uint64(start + row * columns + column)
    j = np.uint64(column < columns - 1)
    k = np.uint64((row < rows - 1) * columns)
    return (
        spread(texels[i]) * (np.uint64(64) - right - down + both)
        + spread(texels[i + j]) * (right - both)
        + spread(texels[i + k]) * (down - both)
        + spread(texels[i + j + k]) * both
    )


@inlined
def spread(texel: np.uint32) -> np.uint64:
    """Return the three bytes of a texel in lanes of 16 bits: red, blue, green."""
    bits = np.uint64(texel)
    return (bits & np.uint64(0xFF00FF)) | ((bits & np.uint64(0xFF00)) << np.uint64(24))


@compiled
def length(x: float, y: float, z: float) -> float:
    """Return the length of a vector; by square root, which every machine rounds alike."""
    return math.sqrt(x * x + y * y + z * z)
