"""Shadow maps: height of the casters between each point of the ground and the sun.

The maps are computed once per flight, by orthographic projection along the sun's rays onto the
plane z = 0: their axes are those of the ground. Trunks are static and foliage sways, so each has
its own map, and the second is sampled with the displacement of the sway.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Floats
from liquid_control_sim.render.ground_paint import noise_tile
from liquid_control_sim.render.kernels.kernel_types import Shadow, Stage
from liquid_control_sim.render.kernels.shadowing import cast

CELL_M = 0.08
"""About the width of the penumbra behind a crown at a height of 8 m."""
BIAS_M = 0.15
"""Smallest height of a caster above a surface; it prevents surfaces from shading themselves."""
MOST_CELLS = 2048
_LOWEST_SUN = 0.05
_NOTHING = np.float32(-1e9)
_LEAF_M = 0.30
_FLECKS = 0.30
"""Grain of the gaps in foliage, m, and their fraction of a crown's shadow."""

NO_SHADOW = Shadow(
    np.zeros((1, 1), np.float32),
    np.zeros((1, 1), np.float32),
    np.zeros(2),
    np.zeros(2),
    CELL_M,
    BIAS_M,
    np.zeros(2),
    0.0,
)


def cast_shadows(
    stage: Stage,
    casters: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    direction: Floats,
    ground: Floats,
    contrast: float,
) -> Shadow:
    """Return the shadow maps of models.

    Args:
        stage: packed models.
        casters: bool [M] each, static casters, and swaying casters with gaps.
        direction: float64 [3], unit vector to the sun, map.
        ground: float64 [K, 3], points that span the area of the maps, m, map.
        contrast: contrast of the shadows, as in `Shadow`.
    """
    lean = direction[:2] / max(float(direction[2]), _LOWEST_SUN)
    projected = ground[:, :2] - ground[:, 2:] * lean
    low, size = projected.min(axis=0), np.ptp(projected, axis=0)
    cell_m = max(CELL_M, float(size.max()) / MOST_CELLS)
    columns, rows = (math.ceil(v) for v in size / cell_m)
    still, swaying = (np.full((rows, columns), _NOTHING) for _ in casters)
    corner = np.array([low[0], low[1] + size[1]])
    shadow = Shadow(still, swaying, corner, lean, cell_m, BIAS_M, np.zeros(2), contrast)
    owner, spots = np.empty((rows, columns), np.int32), np.empty((3, 3))
    for chosen, heights in zip(casters, (still, swaying), strict=True):
        for model in np.flatnonzero(chosen):
            cast(stage, int(model), shadow, spots, heights, owner)
    swaying[_gaps(swaying.shape, cell_m)] = _NOTHING
    return shadow


def _gaps(shape: tuple[int, ...], cell_m: float) -> NDArray[np.bool_]:
    """Return the gaps in foliage, bool [R, C]: the lowest values of smooth noise."""
    step = max(_LEAF_M / (3.0 * cell_m), 1.0)
    rows, columns = (math.ceil(n / step) + 1 for n in shape)
    tile = noise_tile()
    repeats = (-(-rows // len(tile)), -(-columns // len(tile)))
    coarse = np.ascontiguousarray(np.tile(tile, repeats)[:rows, :columns])
    fine = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine < np.quantile(tile, _FLECKS))
