"""Cast shadows: how high a caster stands between each place of the ground and the sun.

One map a flight, orthographic along the sun's rays onto the plane z = 0, so that its axes are
those of the painted ground. Trunks stand still, foliage sways: each has a map of its own, and the
second is read displaced by the sway.
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
"""About the penumbra of the sun's disc behind a crown 8 m high."""
BIAS_M = 0.15
"""A caster this little above a surface does not darken it, or every surface would shade itself."""
MOST_CELLS = 2048
_LOWEST_SUN = 0.05
_NOTHING = np.float32(-1e9)
_LEAF_M = 0.30
_FLECKS = 0.30
"""Grain of the gaps in foliage, and their share of a crown's shadow."""

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
    """Return the shadows that models throw.

    Args:
        stage: the models.
        casters: bool [M] each, those that stand still and those that sway and let flecks through.
        direction: float64 [3], unit, map, to the sun.
        ground: float64 [K, 3], points of the map, between which shadows are looked up.
        contrast: as in `Shadow`.
    """
    lean = direction[:2] / max(float(direction[2]), _LOWEST_SUN)
    fallen = ground[:, :2] - ground[:, 2:] * lean
    low, size = fallen.min(axis=0), np.ptp(fallen, axis=0)
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
    """Return bool [R, C], where light falls through the leaves: the lowest of smooth noise."""
    step = max(_LEAF_M / (3.0 * cell_m), 1.0)
    rows, columns = (math.ceil(n / step) + 1 for n in shape)
    tile = noise_tile()
    repeats = (-(-rows // len(tile)), -(-columns // len(tile)))
    coarse = np.ascontiguousarray(np.tile(tile, repeats)[:rows, :columns])
    fine = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine < np.quantile(tile, _FLECKS))
