"""Which triangle each pixel's centre meets first.

A triangle with corners a, b, c in the optical frame lies in a plane with normal
n = (b - a) x (c - a); a pixel's ray d = (dx, dy, 1) meets it at depth z, 1/z = (n . d) / (n . a),
which is linear in the pixel's place. So no depth is interpolated along edges, clipped or not
(Olano and Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates").
"""

import math

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats
from liquid_control_sim.render.kernels.jit import compiled, inlined
from liquid_control_sim.render.kernels.kernel_types import Lens, Pose, Stage

Plane = tuple[float, float, float]
Nearness = NDArray[np.float32]
Owner = NDArray[np.int32]


@compiled
def draw(
    stage: Stage,
    shown: NDArray[np.bool_],
    lens: Lens,
    pose: Pose,
    seen: Floats,
    cut: Floats,
    nearness: Nearness,
    owner: Owner,
) -> None:
    """Find the triangle that each pixel sees.

    Args:
        stage: what can be drawn.
        shown: bool [M], which models are.
        lens: of the camera.
        pose: of the optical frame.
        seen: float64 [V, 5], overwritten: optical coordinates and pixel place of each vertex.
        cut: float64 [4, 2], scratch.
        nearness: float32 [H, W], overwritten: 1 / depth, 0 where nothing is.
        owner: int32 [H, W], overwritten: the triangle, -1 where nothing is.
    """
    nearness[:] = 0.0
    owner[:] = -1
    for model in range(len(shown)):
        if shown[model] and may_see(stage.boxes, model, lens, pose, owner.shape):
            project(stage, model, lens, pose, seen)
            for number in range(stage.triangle_range[model], stage.triangle_range[model + 1]):
                draw_triangle(stage.triangles, number, lens, seen, cut, nearness, owner)


@compiled
def may_see(boxes: Floats, model: int, lens: Lens, pose: Pose, shape: tuple[int, int]) -> bool:
    """Return whether no edge of the picture has all corners of a model's box beyond it."""
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
def rotated(x: float, y: float, z: float, rotation: Floats) -> tuple[float, float, float]:
    """Return a direction of the map in the optical frame."""
    return (
        x * rotation[0, 0] + y * rotation[1, 0] + z * rotation[2, 0],
        x * rotation[0, 1] + y * rotation[1, 1] + z * rotation[2, 1],
        x * rotation[0, 2] + y * rotation[1, 2] + z * rotation[2, 2],
    )


@inlined
def project(stage: Stage, model: int, lens: Lens, pose: Pose, seen: Floats) -> None:
    """Fill `seen` for one model's vertices; those behind the near plane get no pixel place."""
    px, py, pz = pose.position[0], pose.position[1], pose.position[2]
    for i in range(stage.vertex_range[model], stage.vertex_range[model + 1]):
        x, y, z = rotated(
            stage.vertices[i, 0] - px,
            stage.vertices[i, 1] - py,
            stage.vertices[i, 2] - pz,
            pose.rotation,
        )
        seen[i, 0], seen[i, 1], seen[i, 2] = x, y, z
        if z >= lens.near:
            scale = lens.focal / z
            seen[i, 3], seen[i, 4] = lens.centre_x + scale * x, lens.centre_y + scale * y


@inlined
def draw_triangle(
    triangles: NDArray[np.int64],
    number: int,
    lens: Lens,
    seen: Floats,
    cut: Floats,
    nearness: Nearness,
    owner: Owner,
) -> None:
    """Fill one triangle, cut at the near plane where it crosses it."""
    i, j, k = triangles[number, 0], triangles[number, 1], triangles[number, 2]
    near = lens.near
    in_front = (seen[i, 2] >= near) + (seen[j, 2] >= near) + (seen[k, 2] >= near)
    if in_front == 3:
        x0, y0, x1, y1 = seen[i, 3], seen[i, 4], seen[j, 3], seen[j, 4]
        x2, y2 = seen[k, 3], seen[k, 4]
        rows, columns = owner.shape
        if holds_centre(x0, x1, x2, columns) and holds_centre(y0, y1, y2, rows):
            plane = nearness_plane(seen, i, j, k, lens)
            fill(x0, y0, x1, y1, x2, y2, plane, number, nearness, owner)
    elif in_front > 0:
        plane, corners = nearness_plane(seen, i, j, k, lens), 0
        for p, q in ((i, j), (j, k), (k, i)):
            corners = keep_in_front(seen, p, q, lens, cut, corners)
        for n in range(2, corners):
            x0, y0, x1, y1 = cut[0, 0], cut[0, 1], cut[n - 1, 0], cut[n - 1, 1]
            fill(x0, y0, x1, y1, cut[n, 0], cut[n, 1], plane, number, nearness, owner)


@compiled
def holds_centre(a: float, b: float, c: float, pixels: int) -> bool:
    """Return whether there is a pixel's centre between the least and the greatest of three."""
    low, high = min(a, b, c), max(a, b, c)
    return low < pixels and high > 0.0 and math.ceil(low - 0.5) < math.ceil(high - 0.5)


@inlined
def nearness_plane(seen: Floats, i: int, j: int, k: int, lens: Lens) -> Plane:
    """Return (a, b, c) of a triangle's 1/z = a x + b y + c over pixels; 0 if seen edge on."""
    ax, ay, az = seen[i, 0], seen[i, 1], seen[i, 2]
    bx, by, bz = seen[j, 0] - ax, seen[j, 1] - ay, seen[j, 2] - az
    cx, cy, cz = seen[k, 0] - ax, seen[k, 1] - ay, seen[k, 2] - az
    nx, ny, nz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
    away = nx * ax + ny * ay + nz * az
    scale = 0.0 if away == 0.0 else 1.0 / away
    slope_x, slope_y = nx * scale / lens.focal, ny * scale / lens.focal
    return slope_x, slope_y, nz * scale - slope_x * lens.centre_x - slope_y * lens.centre_y


@compiled
def keep_in_front(seen: Floats, p: int, q: int, lens: Lens, cut: Floats, corners: int) -> int:
    """Add vertex p, and where the edge from p to q meets the near plane, to a cut polygon."""
    depth, beyond = seen[p, 2] - lens.near, seen[q, 2] - lens.near
    if depth >= 0.0:
        cut[corners, 0], cut[corners, 1] = seen[p, 3], seen[p, 4]
        corners += 1
    if (depth >= 0.0) != (beyond >= 0.0):
        part, scale = depth / (depth - beyond), lens.focal / lens.near
        cut[corners, 0] = lens.centre_x + scale * (seen[p, 0] + part * (seen[q, 0] - seen[p, 0]))
        cut[corners, 1] = lens.centre_y + scale * (seen[p, 1] + part * (seen[q, 1] - seen[p, 1]))
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
    """Put a triangle where its linear quantity exceeds what stands there.

    A pixel belongs to it where its centre lies in it; of two triangles with a common edge through
    a centre, the one to the right or below has it.
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
