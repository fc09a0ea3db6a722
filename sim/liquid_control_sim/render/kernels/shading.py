"""What a pixel's surface looks like: texture times light, and how far away it is.

With corners a, b, c of a triangle in the optical frame and rows p = b x c, q = c x a, r = a x b
over a . p, a ray d = (dx, dy, 1) meets it at depth z with z (p . d, q . d, r . d) its barycentric
coordinates. So 1/z = (p + q + r) . d, and an attribute over z is the corners' values times p, q
and r, times d.
"""

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats
from liquid_control_sim.render.kernels.jit import compiled, inlined
from liquid_control_sim.render.kernels.kernel_types import Lens, Light, Pose, Shadow, Stage
from liquid_control_sim.render.kernels.sampling import length, sample
from liquid_control_sim.render.kernels.shadowing import hidden


@compiled
def shade(
    stage: Stage,
    lens: Lens,
    pose: Pose,
    light: Light,
    shadow: Shadow,
    seen: Floats,
    surface: Floats,
    owner: NDArray[np.int32],
    radiance: NDArray[np.float32],
    range_m: NDArray[np.float32],
) -> None:
    """Give each pixel its colour and its distance.

    Args:
        stage: what was drawn.
        lens: of the camera.
        pose: of the optical frame.
        light: sun and sky.
        shadow: where the sun is hidden.
        seen: float64 [V, 5], as `coverage.draw` filled it.
        surface: float64 [6, 3], scratch.
        owner: int32 [H, W], as `coverage.draw` filled it.
        radiance: float32 [H, W, 3], overwritten; 0 where nothing is.
        range_m: float32 [H, W], overwritten: metres along the ray, infinite where nothing is.
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
                span(stage, number, seen, surface)
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
def span(stage: Stage, number: int, seen: Floats, surface: Floats) -> None:
    """Fill `surface` [6, 3]: rows that, times the ray, give 1/z, and u, v and normal over z."""
    i, j, k = stage.triangles[number, 0], stage.triangles[number, 1], stage.triangles[number, 2]
    ax, ay, az = seen[i, 0], seen[i, 1], seen[i, 2]
    bx, by, bz = seen[j, 0], seen[j, 1], seen[j, 2]
    cx, cy, cz = seen[k, 0], seen[k, 1], seen[k, 2]
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
