"""Radiance (texture times light) and range of each pixel's surface.

With corners a, b, c of a triangle in the optical frame and rows p = b x c, q = c x a, r = a x b
over a . p, a ray d = (dx, dy, 1) intersects it at depth z with barycentric coordinates
z (p . d, q . d, r . d). Hence 1/z = (p + q + r) . d, and an attribute divided by z is the sum of
the corners' values times p, q and r, times d.
"""

import math

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats
from liquid_control_sim.render.kernels.kernel_types import (
    Lens,
    Light,
    Pose,
    Shadow,
    Stage,
    compiled,
    inlined,
)
from liquid_control_sim.render.kernels.shadowing import hidden


@compiled
def shade(
    stage: Stage,
    lens: Lens,
    pose: Pose,
    light: Light,
    shadow: Shadow,
    points: Floats,
    surface: Floats,
    owner: NDArray[np.int32],
    radiance: NDArray[np.float32],
    range_m: NDArray[np.float32],
) -> None:
    """Compute radiance and range of each pixel.

    Args:
        stage: packed models.
        lens: projection of the camera.
        pose: pose of the optical frame.
        light: sun and sky.
        shadow: shadow maps.
        points: float64 [V, 5], result of `coverage.draw`.
        surface: float64 [6, 3], scratch.
        owner: int32 [H, W], result of `coverage.draw`.
        radiance: float32 [H, W, 3], overwritten; 0 without a surface.
        range_m: float32 [H, W], overwritten: distance along the ray, m, infinite for the sky.
    """
    last = -1
    for row in range(owner.shape[0]):
        dy = (row + 0.5 - lens.centre_y) / lens.focal
        for column in range(owner.shape[1]):
            number = owner[row, column]
            if number < 0:
                radiance[row, column] = 0.0
                range_m[row, column] = np.inf
                continue
            if number != last:
                span(stage, number, points, surface)
                last = number
            dx = (column + 0.5 - lens.centre_x) / lens.focal
            depth = 1.0 / (surface[0, 0] * dx + surface[0, 1] * dy + surface[0, 2])
            range_m[row, column] = depth * length(dx, dy, 1.0)
            lit = sunlit(surface, dx, dy, light.direction)
            if lit > 0.0 and shadow.contrast > 0.0:
                lit *= 1.0 - shadow.contrast * hidden(shadow, pose, dx, dy, depth)
            red, green, blue = sample(stage, number, surface, dx, dy, depth, lens.focal)
            radiance[row, column, 0] = red * (light.sky[0] + light.direct[0] * lit)
            radiance[row, column, 1] = green * (light.sky[1] + light.direct[1] * lit)
            radiance[row, column, 2] = blue * (light.sky[2] + light.direct[2] * lit)


@inlined
def span(stage: Stage, number: int, points: Floats, surface: Floats) -> None:
    """Fill `surface` [6, 3]: rows whose products with the ray are 1/z, and u, v, normal over z."""
    i, j, k = stage.triangles[number, 0], stage.triangles[number, 1], stage.triangles[number, 2]
    ax, ay, az = points[i, 0], points[i, 1], points[i, 2]
    bx, by, bz = points[j, 0], points[j, 1], points[j, 2]
    cx, cy, cz = points[k, 0], points[k, 1], points[k, 2]
    px, py, pz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    qx, qy, qz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
    rx, ry, rz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    scale = 1.0 / (ax * px + ay * py + az * pz)
    for row in range(6):
        a, b, c = scale, scale, scale
        if row > 2:
            a *= stage.normals[i, row - 3]
            b *= stage.normals[j, row - 3]
            c *= stage.normals[k, row - 3]
        elif row > 0:
            a *= stage.uvs[i, row - 1]
            b *= stage.uvs[j, row - 1]
            c *= stage.uvs[k, row - 1]
        surface[row, 0] = a * px + b * qx + c * rx
        surface[row, 1] = a * py + b * qy + c * ry
        surface[row, 2] = a * pz + b * qz + c * rz


@inlined
def sunlit(surface: Floats, dx: float, dy: float, sun: Floats) -> float:
    """Return the cosine between the interpolated normal and the sun, at least 0."""
    x = surface[3, 0] * dx + surface[3, 1] * dy + surface[3, 2]
    y = surface[4, 0] * dx + surface[4, 1] * dy + surface[4, 2]
    z = surface[5, 0] * dx + surface[5, 1] * dy + surface[5, 2]
    size = length(x, y, z)
    toward = x * sun[0] + y * sun[1] + z * sun[2]
    return toward / size if toward > 0.0 else 0.0


MOST_TAPS = 4
"""Samples along the longer side of a footprint; more would overflow the lanes."""
SHARPEST = 2.0
"""Square of the texels per pixel above which the next coarser level is used: halfway on a log
scale."""
_UNIT = 65536.0
"""Texture coordinates are integers in units of 1/65536 texel."""


@inlined
def sample(
    stage: Stage, number: int, surface: Floats, dx: float, dy: float, depth: float, focal: float
) -> tuple[float, float, float]:
    """Return the mean texture of a triangle over a pixel's footprint, RGB in [0, 1].

    The mean is taken over up to `MOST_TAPS` bilinear samples along the longer side of the
    footprint, at the level whose texels are as large as its shorter side.

    Args:
        stage: packed models and textures.
        number: index of the triangle.
        surface: result of `span`.
        dx: x of the pixel's ray (dx, dy, 1).
        dy: y of the pixel's ray.
        depth: depth of the intersection, m.
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
    """Return the sum of bilinear samples at equal steps along (du, dv) around (u, v), v up.

    The result contains red, blue and green in lanes of 16 bits, each 64 times its value: the four
    weights of a sample, with sum 64, multiply all three at once, and four samples can be added.
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
    """Return a bilinear sample in lanes; x and y in 1/65536 texel, inside the texture."""
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
