"""Kernels of shadow maps, which are filled once per flight and sampled for every pixel."""

from liquid_control.types import Floats
from liquid_control_sim.render.kernels.coverage import Owner, fill
from liquid_control_sim.render.kernels.kernel_types import (
    Heights,
    Pose,
    Shadow,
    Stage,
    compiled,
    inlined,
)


@inlined
def hidden(shadow: Shadow, pose: Pose, dx: float, dy: float, depth: float) -> float:
    """Return the fraction of the sun hidden from the surface point of a pixel, 0 to 1.

    The maps of static and of swaying casters are sampled, the latter with the displacement.
    """
    rotation, position = pose.rotation, pose.position
    x = position[0] + depth * (rotation[0, 0] * dx + rotation[0, 1] * dy + rotation[0, 2])
    y = position[1] + depth * (rotation[1, 0] * dx + rotation[1, 1] * dy + rotation[1, 2])
    z = position[2] + depth * (rotation[2, 0] * dx + rotation[2, 1] * dy + rotation[2, 2])
    column = (x - z * shadow.lean[0] - shadow.corner[0]) / shadow.cell_m
    row = (shadow.corner[1] - y + z * shadow.lean[1]) / shadow.cell_m
    still = covered(shadow.still, column, row, z + shadow.bias_m)
    aside, along = shadow.sway_m[0] / shadow.cell_m, shadow.sway_m[1] / shadow.cell_m
    swaying = covered(shadow.swaying, column - aside, row + along, z + shadow.bias_m)
    return 1.0 - (1.0 - still) * (1.0 - swaying)


@inlined
def covered(heights: Heights, column: float, row: float, z: float) -> float:
    """Return the fraction of the four cells around a point with casters above z, bilinear."""
    rows, columns = heights.shape
    x, y = column - 0.5, row - 0.5
    fraction = 0.0
    if 0.0 <= x < columns - 1 and 0.0 <= y < rows - 1:
        i, j = int(y), int(x)
        right, down = x - j, y - i
        upper = (heights[i, j] > z) * (1.0 - right) + (heights[i, j + 1] > z) * right
        lower = (heights[i + 1, j] > z) * (1.0 - right) + (heights[i + 1, j + 1] > z) * right
        fraction = upper + down * (lower - upper)
    return fraction


@compiled
def cast(
    stage: Stage, model: int, shadow: Shadow, spots: Floats, heights: Heights, owner: Owner
) -> None:
    """Raise a shadow map to the heights of a model, projected along the sun onto the plane z = 0.

    Args:
        stage: packed models.
        model: index of the model.
        shadow: corner, lean and cell size of the map.
        spots: float64 [3, 3], scratch.
        heights: float32 [R, C], modified.
        owner: int32 [R, C], overwritten where heights change.
    """
    lean, corner = shadow.lean, shadow.corner
    for number in range(stage.triangle_range[model], stage.triangle_range[model + 1]):
        for i in range(3):
            vertex = stage.triangles[number, i]
            z = stage.vertices[vertex, 2]
            x, y = stage.vertices[vertex, 0] - z * lean[0], stage.vertices[vertex, 1] - z * lean[1]
            spots[i, 0] = (x - corner[0]) / shadow.cell_m
            spots[i, 1] = (corner[1] - y) / shadow.cell_m
            spots[i, 2] = z
        bx, by, bz = (
            spots[1, 0] - spots[0, 0],
            spots[1, 1] - spots[0, 1],
            spots[1, 2] - spots[0, 2],
        )
        cx, cy, cz = (
            spots[2, 0] - spots[0, 0],
            spots[2, 1] - spots[0, 1],
            spots[2, 2] - spots[0, 2],
        )
        area = bx * cy - by * cx
        if area == 0.0:
            continue
        slope_x, slope_y = (bz * cy - by * cz) / area, (bx * cz - bz * cx) / area
        start = spots[0, 2] - slope_x * spots[0, 0] - slope_y * spots[0, 1]
        fill(
            spots[0, 0],
            spots[0, 1],
            spots[1, 0],
            spots[1, 1],
            spots[2, 0],
            spots[2, 1],
            (slope_x, slope_y, start),
            number,
            heights,
            owner,
        )
