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

MOST_TAPS = 4
"""Samples along the longer side of a footprint; more would overflow the lanes."""
PARTS = (0.0, 1.0, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0)
"""Reciprocals by number of samples."""
SCALES = (0.0, *(1.0 / (255.0 * 64.0 * taps) for taps in range(1, MOST_TAPS + 1)))
"""Factors from lanes to mean values by number of samples."""
SHARPEST = 2.0
"""Square of the texels per pixel above which the next coarser level is used: halfway on a log
scale. `coarser_levels` depends on it."""
_UNIT = 65536.0
"""Texture coordinates are integers in units of 1/65536 texel."""


@compiled
def shade(
    stage: Stage,
    lens: Lens,
    pose: Pose,
    light: Light,
    shadow: Shadow,
    points: Floats,
    surface: Floats,
    spots: Floats,
    steps: NDArray[np.int64],
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
        spots: float64 [6, W], scratch: texture coordinates u and v, their change along the longer
            side of the footprint, cosine of the sun's direction, and depth.
        steps: int64 [2, W], scratch: level of the texture and number of samples.
        owner: int32 [H, W], result of `coverage.draw`.
        radiance: float32 [H, W, 3], overwritten; 0 without a surface.
        range_m: float32 [H, W], overwritten: distance along the ray, m, infinite for the sky.
    """
    columns = owner.shape[1]
    for row in range(owner.shape[0]):
        first = 0
        while first < columns:
            number, end = owner[row, first], first + 1
            while end < columns and owner[row, end] == number:
                end += 1
            if number < 0:
                radiance[row, first:end] = 0.0
                range_m[row, first:end] = np.inf
            else:
                span(stage, number, points, surface)
                footprints(
                    stage, number, lens, light, surface, row, first, end, spots, steps, range_m
                )
            first = end
        if shadow.contrast > 0.0:
            darken(lens, pose, shadow, row, owner, spots)
        paint(stage, light, row, owner, spots, steps, radiance)


@inlined
def footprints(
    stage: Stage,
    number: int,
    lens: Lens,
    light: Light,
    surface: Floats,
    row: int,
    first: int,
    end: int,
    spots: Floats,
    steps: NDArray[np.int64],
    range_m: NDArray[np.float32],
) -> None:
    """Compute range, light and footprint of the pixels of one triangle in one row.

    The footprint of a pixel is that of its ray's cone on the texture. It is sampled up to
    `MOST_TAPS` times along its longer side, at the level whose texels are as large as its shorter
    side. There are no branches: a wrong prediction would wait for the divisions before it.
    """
    dy = (row + 0.5 - lens.centre_y) / lens.focal
    texture = stage.paint[number]
    finest = stage.first_level[texture]
    coarsest = stage.first_level[texture + 1] - 1 - finest
    wide, high = float(stage.levels[finest, 2]), float(stage.levels[finest, 1])
    for column in range(first, end):
        dx = (column + 0.5 - lens.centre_x) / lens.focal
        depth = 1.0 / (surface[0, 0] * dx + surface[0, 1] * dy + surface[0, 2])
        u = depth * (surface[1, 0] * dx + surface[1, 1] * dy + surface[1, 2])
        v = depth * (surface[2, 0] * dx + surface[2, 1] * dy + surface[2, 2])
        pixel = depth / lens.focal
        ux = pixel * (surface[1, 0] - u * surface[0, 0])
        uy = pixel * (surface[1, 1] - u * surface[0, 1])
        vx = pixel * (surface[2, 0] - v * surface[0, 0])
        vy = pixel * (surface[2, 1] - v * surface[0, 1])
        across = (ux * wide) * (ux * wide) + (vx * high) * (vx * high)
        down = (uy * wide) * (uy * wide) + (vy * high) * (vy * high)
        steep = down > across
        longer, shorter = max(across, down), min(across, down)
        least = max(shorter, 1.0)
        taps = 1 + (longer > least) + (longer > 4.0 * least) + (longer > 9.0 * least)
        size = max(shorter, longer * (PARTS[taps] * PARTS[taps]))
        spots[0, column], spots[1, column], spots[5, column] = u, v, depth
        spots[2, column] = uy if steep else ux
        spots[3, column] = vy if steep else vx
        spots[4, column] = sunlit(surface, dx, dy, light.direction)
        steps[0, column] = finest + min(coarser_levels(size), coarsest)
        steps[1, column] = taps
        range_m[row, column] = depth * length(dx, dy, 1.0)


@inlined
def coarser_levels(size: float) -> int:
    """Return how often an area must be quartered until it is at most `SHARPEST` texels.

    The exponent of a float64 is read from its bits. 1 is subtracted from them first, because an
    exact power of two needs no further level.
    """
    bits = np.float64(size).view(np.int64)
    return max(int((bits - 1) >> 52) - 1022 >> 1, 0)


@inlined
def darken(
    lens: Lens,
    pose: Pose,
    shadow: Shadow,
    row: int,
    owner: NDArray[np.int32],
    spots: Floats,
) -> None:
    """Reduce the direct light of the pixels of a row that are in shadow."""
    dy = (row + 0.5 - lens.centre_y) / lens.focal
    for column in range(owner.shape[1]):
        if owner[row, column] >= 0 and spots[4, column] > 0.0:
            dx = (column + 0.5 - lens.centre_x) / lens.focal
            dark = hidden(shadow, pose, dx, dy, spots[5, column])
            spots[4, column] *= 1.0 - shadow.contrast * dark


@inlined
def paint(
    stage: Stage,
    light: Light,
    row: int,
    owner: NDArray[np.int32],
    spots: Floats,
    steps: NDArray[np.int64],
    radiance: NDArray[np.float32],
) -> None:
    """Sample the textures of the pixels of a row and multiply them by the light."""
    mask = np.uint64(0xFFFF)
    for column in range(owner.shape[1]):
        if owner[row, column] >= 0:
            level, taps = steps[0, column], steps[1, column]
            u, v, du, dv = (
                spots[0, column],
                spots[1, column],
                spots[2, column],
                spots[3, column],
            )
            lanes = along(stage.texels, stage.levels, level, taps, u, v, du, dv)
            scale, lit = SCALES[taps], spots[4, column]
            red, blue = np.int64(lanes & mask), np.int64((lanes >> np.uint64(16)) & mask)
            green = np.int64(lanes >> np.uint64(32))
            radiance[row, column, 0] = red * scale * (light.sky[0] + light.direct[0] * lit)
            radiance[row, column, 1] = green * scale * (light.sky[1] + light.direct[1] * lit)
            radiance[row, column, 2] = blue * scale * (light.sky[2] + light.direct[2] * lit)


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
    part = PARTS[taps]
    back = 0.5 - 0.5 * part
    x = int(_UNIT * (columns * (u - back * du) - 0.5))
    y = int(_UNIT * (rows * (1.0 - v + back * dv) - 0.5))
    right, down = int(_UNIT * columns * du * part), int(_UNIT * rows * -dv * part)
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
