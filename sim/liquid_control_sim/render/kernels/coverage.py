"""Nearest triangle at the centre of each pixel.

A triangle with corners a, b, c in the optical frame lies in a plane with normal
n = (b - a) x (c - a). A pixel's ray d = (dx, dy, 1) intersects it at depth z with
1/z = (n . d) / (n . a), which is linear in pixel coordinates: no depth is interpolated along
edges, clipped or not (Olano and Greer 1997, "Triangle scan conversion using 2D homogeneous
coordinates").
"""

import math

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats
from liquid_control_sim.render.kernels.kernel_types import Lens, Pose, Stage, compiled, inlined

Plane = tuple[float, float, float]
Nearness = NDArray[np.float32]
Owner = NDArray[np.int32]


@compiled
def draw(
    stage: Stage,
    shown: NDArray[np.bool_],
    lens: Lens,
    pose: Pose,
    points: Floats,
    cut: Floats,
    nearness: Nearness,
    owner: Owner,
) -> None:
    """Find the visible triangle of each pixel.

    Args:
        stage: packed models.
        shown: bool [M], models to draw.
        lens: projection of the camera.
        pose: pose of the optical frame.
        points: float64 [V, 5], overwritten: optical and pixel coordinates of each vertex.
        cut: float64 [4, 2], scratch.
        nearness: float32 [H, W], overwritten: 1 / depth, 0 without a surface.
        owner: int32 [H, W], overwritten: index of the triangle, -1 without a surface.
    """
    nearness[:] = 0.0
    owner[:] = -1
    for model in range(len(shown)):
        if shown[model] and may_see(stage.boxes, model, lens, pose, owner.shape):
            project(stage, model, lens, pose, points)
            one_sided = stage.closed[model] and is_outside(stage.boxes, model, pose)
            for number in range(stage.triangle_range[model], stage.triangle_range[model + 1]):
                draw_triangle(
                    stage.triangles, number, one_sided, lens, points, cut, nearness, owner
                )


@compiled
def may_see(boxes: Floats, model: int, lens: Lens, pose: Pose, shape: tuple[int, int]) -> bool:
    """Return False if all corners of a model's box are beyond the same edge of the picture."""
    behind, west, east, north, south = 0, 0, 0, 0, 0
    left, right = lens.centre_x, shape[1] - lens.centre_x
    upper, lower = lens.centre_y, shape[0] - lens.centre_y
    for corner in range(8):
        x = boxes[model, corner & 1, 0] - pose.position[0]
        y = boxes[model, corner >> 1 & 1, 1] - pose.position[1]
        z = boxes[model, corner >> 2, 2] - pose.position[2]
        u, v, depth = rotated(x, y, z, pose.rotation)
        behind += depth < 0.0
        west += lens.focal * u < -left * depth
        east += lens.focal * u > right * depth
        north += lens.focal * v < -upper * depth
        south += lens.focal * v > lower * depth
    return max(behind, west, east, north, south) < 8


@compiled
def is_outside(boxes: Floats, model: int, pose: Pose) -> bool:
    """Return whether the camera is outside a model's box."""
    outside = False
    for axis in range(3):
        place = pose.position[axis]
        outside |= place < boxes[model, 0, axis] or place > boxes[model, 1, axis]
    return outside


@compiled
def rotated(x: float, y: float, z: float, rotation: Floats) -> tuple[float, float, float]:
    """Rotate a vector from the map frame to the optical frame."""
    return (
        x * rotation[0, 0] + y * rotation[1, 0] + z * rotation[2, 0],
        x * rotation[0, 1] + y * rotation[1, 1] + z * rotation[2, 1],
        x * rotation[0, 2] + y * rotation[1, 2] + z * rotation[2, 2],
    )


@inlined
def project(stage: Stage, model: int, lens: Lens, pose: Pose, points: Floats) -> None:
    """Fill `points` for the vertices of a model; pixel coordinates need z >= near."""
    px, py, pz = pose.position[0], pose.position[1], pose.position[2]
    for i in range(stage.vertex_range[model], stage.vertex_range[model + 1]):
        x, y, z = rotated(
            stage.vertices[i, 0] - px,
            stage.vertices[i, 1] - py,
            stage.vertices[i, 2] - pz,
            pose.rotation,
        )
        points[i, 0], points[i, 1], points[i, 2] = x, y, z
        if z >= lens.near:
            scale = lens.focal / z
            points[i, 3], points[i, 4] = lens.centre_x + scale * x, lens.centre_y + scale * y


@inlined
def draw_triangle(
    triangles: NDArray[np.int64],
    number: int,
    one_sided: bool,
    lens: Lens,
    points: Floats,
    cut: Floats,
    nearness: Nearness,
    owner: Owner,
) -> None:
    """Fill one triangle, clipped at the near plane.

    A one-sided triangle that faces away is skipped: the front of its closed mesh hides it.
    """
    i, j, k = triangles[number, 0], triangles[number, 1], triangles[number, 2]
    near = lens.near
    in_front = (points[i, 2] >= near) + (points[j, 2] >= near) + (points[k, 2] >= near)
    if in_front == 3:
        x0, y0, x1, y1 = points[i, 3], points[i, 4], points[j, 3], points[j, 4]
        x2, y2 = points[k, 3], points[k, 4]
        rows, columns = owner.shape
        if one_sided and (x1 - x0) * (y2 - y0) >= (x2 - x0) * (y1 - y0):
            return
        if holds_centre(x0, x1, x2, columns) and holds_centre(y0, y1, y2, rows):
            plane = nearness_plane(points, i, j, k, lens)
            fill(x0, y0, x1, y1, x2, y2, plane, number, nearness, owner)
    elif in_front > 0:
        plane, corners = nearness_plane(points, i, j, k, lens), 0
        for p, q in ((i, j), (j, k), (k, i)):
            corners = keep_in_front(points, p, q, lens, cut, corners)
        for n in range(2, corners):
            x0, y0, x1, y1 = cut[0, 0], cut[0, 1], cut[n - 1, 0], cut[n - 1, 1]
            fill(x0, y0, x1, y1, cut[n, 0], cut[n, 1], plane, number, nearness, owner)


@compiled
def holds_centre(a: float, b: float, c: float, pixels: int) -> bool:
    """Return whether a pixel centre lies between the minimum and the maximum of three values."""
    low, high = min(a, b, c), max(a, b, c)
    return low < pixels and high > 0.0 and math.ceil(low - 0.5) < math.ceil(high - 0.5)


@inlined
def nearness_plane(points: Floats, i: int, j: int, k: int, lens: Lens) -> Plane:
    """Return (a, b, c) of a triangle's 1/z = a x + b y + c over pixels; zeros if edge-on."""
    ax, ay, az = points[i, 0], points[i, 1], points[i, 2]
    bx, by, bz = points[j, 0] - ax, points[j, 1] - ay, points[j, 2] - az
    cx, cy, cz = points[k, 0] - ax, points[k, 1] - ay, points[k, 2] - az
    nx, ny, nz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    away = nx * ax + ny * ay + nz * az
    scale = 0.0 if away == 0.0 else 1.0 / away
    slope_x, slope_y = nx * scale / lens.focal, ny * scale / lens.focal
    return slope_x, slope_y, nz * scale - slope_x * lens.centre_x - slope_y * lens.centre_y


@compiled
def keep_in_front(points: Floats, p: int, q: int, lens: Lens, cut: Floats, corners: int) -> int:
    """Append vertex p, and where edge p-q crosses the near plane, to a clipped polygon."""
    depth, beyond = points[p, 2] - lens.near, points[q, 2] - lens.near
    if depth >= 0.0:
        cut[corners, 0], cut[corners, 1] = points[p, 3], points[p, 4]
        corners += 1
    if (depth >= 0.0) != (beyond >= 0.0):
        part, scale = depth / (depth - beyond), lens.focal / lens.near
        cut[corners, 0] = lens.centre_x + scale * (
            points[p, 0] + part * (points[q, 0] - points[p, 0])
        )
        cut[corners, 1] = lens.centre_y + scale * (
            points[p, 1] + part * (points[q, 1] - points[p, 1])
        )
        corners += 1
    return corners


@compiled
def fill(
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    plane: Plane,
    number: int,
    highest: Nearness,
    owner: Owner,
) -> None:
    """Fill the pixels of a triangle in which its linear quantity exceeds the stored value.

    A triangle covers a pixel if it contains the pixel centre. If the common edge of two triangles
    passes through a centre, the pixel belongs to the triangle to the right or below.
    """
    if y1 < y0:
        x0, y0, x1, y1 = x1, y1, x0, y0
    if y2 < y0:
        x0, y0, x2, y2 = x2, y2, x0, y0
    if y2 < y1:
        x1, y1, x2, y2 = x2, y2, x1, y1
    rows, columns = owner.shape
    for row in range(max(math.ceil(y0 - 0.5), 0), min(math.ceil(y2 - 0.5), rows)):
        y = row + 0.5
        long = x0 + (y - y0) * ((x2 - x0) / (y2 - y0))
        if y < y1:
            short = x0 + (y - y0) * ((x1 - x0) / (y1 - y0))
        else:
            short = x1 + (y - y1) * ((x2 - x1) / (y2 - y1))
        first = max(math.ceil(min(long, short) - 0.5), 0)
        last = min(math.ceil(max(long, short) - 0.5), columns)
        start = plane[1] * y + plane[2]
        for column in range(first, last):
            value = np.float32(plane[0] * (column + 0.5) + start)
            if value > highest[row, column]:
                highest[row, column] = value
                owner[row, column] = number
