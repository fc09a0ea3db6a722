"""Affine bounds of a CfC neuron, h = tanh(a) (1 - s) + tanh(c) s with s = (1 + tanh(v)) / 2.

a, c and v depend on the same symbols, so their values fill a thin part of their box. The part is
enclosed in a parallelotope along its principal axes, which is cut into cells. On each cell the
deviation from a plane is bounded by its value at the middle and the ranges of its derivatives
(mean value theorem, Rudin 1976, theorem 5.10, along the line to the middle).
"""

import numpy as np

from liquid_control.certification.affine_forms import WIDENING, Form
from liquid_control.types import Floats

CELLS = (24, 12, 6)
"""Number of cells along the principal axes, the longest first."""
_ERROR = 1e-12
"""Larger than the rounding of the values and derivatives on a cell, which are below 4."""
_GRID = np.stack(
    np.meshgrid(*((np.arange(n) + 0.5) * 2.0 / n - 1.0 for n in CELLS), indexing="ij")
).reshape(3, -1)
_HALF = 1.0 / np.array(CELLS)


def neuron(a: Form, c: Form, v: Form) -> Form:
    """Return the states of neurons [B, K] as affine forms of the symbols of their arguments."""
    batch, rows = a.centre.shape
    centre = np.stack([a.centre, c.centre, v.centre], axis=2).reshape(-1, 3)
    axes, radii = _principal_axes(a, c, v)
    points = centre[:, :, None] + axes @ (radii[:, :, None] * _GRID)
    value, slopes = _value(points), axes * (radii * _HALF)[:, None, :]
    # Half widths of a cell's box in a, c and v.
    wide = np.abs(slopes).sum(axis=2)[:, :, None] * (1.0 + WIDENING) + _ERROR
    design = np.concatenate([points - centre[:, :, None], np.ones_like(points[:, :1])], axis=1)
    design = np.swapaxes(design, 1, 2)
    weight = np.linalg.pinv(design, rcond=1e-9) @ value[:, :, None]
    plane = weight[:, :3, 0]
    low, high = _derivatives(points - wide, points + wide)
    low, high = low - plane[:, :, None], high - plane[:, :, None]
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    along = np.swapaxes(slopes, 1, 2)
    reach = (np.abs(along @ middle) + np.abs(along) @ half).sum(axis=1)
    gap = value - (plane[:, None, :] @ (points - centre[:, :, None]))[:, 0]
    most, least = (gap + reach).max(axis=1), (gap - reach).min(axis=1)
    shift, error = 0.5 * (most + least), 0.5 * (most - least) * (1.0 + WIDENING) + _ERROR
    parts = plane.reshape(batch, rows, 3)
    moved = [part.shifted(-part.centre).scaled(parts[:, :, k]) for k, part in enumerate((a, c, v))]
    total = (moved[0] + moved[1] + moved[2]).shifted(shift.reshape(batch, rows))
    return Form(
        total.centre, total.symbols, total.error + error.reshape(batch, rows), total.starts
    )


def _principal_axes(a: Form, c: Form, v: Form) -> tuple[Floats, Floats]:
    """Return axes [N, 3, 3], in columns, longest first, and half lengths [N, 3] around arguments.

    The axes need not be exact or orthogonal to float precision: half lengths are those of the
    arguments in these axes, by the inverse of the axes.
    """
    count, symbols = a.centre.size, a.symbols.shape[2]
    spread = np.stack([part.symbols for part in (a, c, v)], axis=2).reshape(count, 3, symbols)
    errors = np.stack([part.error for part in (a, c, v)], axis=2).reshape(count, 3)
    shape = spread @ np.swapaxes(spread, 1, 2) + errors[:, :, None] ** 2 * np.eye(3)
    axes = np.linalg.eigh(shape)[1][:, :, ::-1]
    # Q^T Q = I + D with |D| below 1e-13, so coordinates by Q^T are off by less than 1e-12 of them.
    turned = np.swapaxes(axes, 1, 2)
    norms = np.sqrt(np.add.reduceat((turned @ spread) ** 2, a.starts, axis=2)).sum(axis=2)
    radii = norms + (np.abs(turned) @ errors[:, :, None])[:, :, 0]
    return axes, radii * (1.0 + 1e-10) + 3e-10 * radii.max(axis=1, keepdims=True) + 1e-300


def _value(points: Floats) -> Floats:
    """Return h at points (a, c, v), [N, 3, P]: [N, P]."""
    first, second, gate = (np.tanh(points[:, k]) for k in range(3))
    s = 0.5 * (1.0 + gate)
    return np.asarray(first * (1.0 - s) + second * s)


def _derivatives(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return the ranges of the derivatives by a, c and v over boxes, each [N, 3, P]."""
    bottom, top = np.tanh(low), np.tanh(high)
    # 1 - tanh^2 is largest where the argument is nearest to zero.
    near = np.where((low <= 0.0) & (high >= 0.0), 0.0, np.minimum(np.abs(bottom), np.abs(top)))
    far = np.maximum(np.abs(bottom), np.abs(top))
    least, most = 1.0 - far**2, 1.0 - near**2
    s0, s1 = 0.5 * (1.0 + bottom[:, 2]), 0.5 * (1.0 + top[:, 2])
    apart = bottom[:, 1] - top[:, 0], top[:, 1] - bottom[:, 0]
    ends = np.stack([d * m for d in apart for m in (0.5 * least[:, 2], 0.5 * most[:, 2])])
    lower = [least[:, 0] * (1.0 - s1), least[:, 1] * s0, ends.min(axis=0)]
    upper = [most[:, 0] * (1.0 - s0), most[:, 1] * s1, ends.max(axis=0)]
    return np.stack(lower, axis=1) - _ERROR, np.stack(upper, axis=1) + _ERROR
