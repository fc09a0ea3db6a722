"""Bound of a CfC neuron by a plane, for the checker of closed-loop certificates.

The state of a neuron is f(a, c, v) = tanh(a) (1 - s) + tanh(c) s with s = (1 + tanh(v)) / 2. Any
axes and any plane give a sound bound; here they come from float64 and are then taken as exact
numbers. Coordinates along the axes are bounded in exact integers. What f deviates from the plane
by is bounded cell by cell in float64, each range widened by `SLACK`, a thousand times more than
the rounding of some fifty operations on numbers below 4 (tanh within 2^-48). No code is shared
with the prover.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from liquid_control.certification.exact_step import P, units

if TYPE_CHECKING:
    from liquid_control.certification.exact_tube import ExactRows

Array = NDArray[np.float64]
CUTS = (24, 12, 6)
"""Cells along the three axes, the longest first."""
SLACK = 2.0**-36
DIGITS = 40
"""Binary digits of axes and planes after the point."""


def neuron(a: "ExactRows", c: "ExactRows", v: "ExactRows") -> "ExactRows":
    """Return rows of the neurons' states for rows of their arguments."""
    parts = [part.around_zero() for part in (a, c, v)]
    middles = np.stack([_floats(part.centre) for part in (a, c, v)], axis=1)
    axes = _dyadic(_axes([(_floats(p.symbols), _floats(p.error)) for p in parts]))
    lengths = np.stack([_length(parts, axes[:, :, k]) for k in range(3)], axis=1)
    # The inverse of the axes is their transpose within 1e-11.
    lengths = lengths * (1.0 + 1e-9) + 1e-9 * lengths.max(axis=1, keepdims=True) + 1e-60
    planes, lowest, highest = _planes(middles, axes, lengths)
    rows = parts[0].scaled(_units(planes[:, 0]))
    for part, slope in zip(parts[1:], planes[:, 1:].T, strict=True):
        rows = rows + part.scaled(_units(slope))
    shift = _units(0.5 * (lowest + highest))
    half = np.array([units(value, True) for value in 0.5 * (highest - lowest) + SLACK], object)
    return type(rows)(rows.centre + shift, rows.symbols, rows.error + half, rows.starts)


def _floats(values: NDArray[np.object_]) -> Array:
    return np.asarray((values >> (P - 80)).astype(np.float64) * 2.0**-80)


def _units(values: Array) -> NDArray[np.object_]:
    return np.array([units(value) for value in values.tolist()], object)


def _dyadic(values: Array) -> Array:
    return np.asarray(np.round(values * 2.0**DIGITS) * 2.0**-DIGITS)


def _axes(parts: list[tuple[Array, Array]]) -> Array:
    """Return principal axes of the arguments' symbols and errors, in columns, [K, 3, 3]."""
    spread = np.stack([symbols for symbols, _ in parts], axis=1)
    squares = np.stack([error for _, error in parts], axis=1) ** 2
    moments = np.einsum("kim,kjm->kij", spread, spread)
    moments[:, range(3), range(3)] += squares
    return np.flip(np.linalg.eigh(moments)[1], axis=2)


def _length(parts: list["ExactRows"], axis: Array) -> Array:
    """Return how far the arguments reach along an axis each [K, 3], rounded up, [K]."""
    rows = parts[0].scaled(_units(axis[:, 0]))
    for part, share in zip(parts[1:], axis[:, 1:].T, strict=True):
        rows = rows + part.scaled(_units(share))
    return _floats(rows.radius()) * (1.0 + 2.0**-40) + 2.0**-70


def _planes(middles: Array, axes: Array, lengths: Array) -> tuple[Array, Array, Array]:
    """Return slopes [K, 3] of planes, and the ranges of what f deviates from them by, [K]."""
    ticks = [(2.0 * np.arange(n) + 1.0) / n - 1.0 for n in CUTS]
    grid = np.array(np.meshgrid(*ticks, indexing="ij")).reshape(3, -1).T
    steps = axes * lengths[:, None, :]
    moved = np.einsum("kij,pj->kpi", steps, grid)
    at = middles[:, None, :] + moved
    t = np.tanh(at)
    gate = 0.5 + 0.5 * t[:, :, 2]
    value = t[:, :, 0] + (t[:, :, 1] - t[:, :, 0]) * gate
    full = np.concatenate([moved, np.ones((*value.shape, 1))], axis=2)
    slopes = np.einsum("kqp,kp->kq", np.linalg.pinv(full, rcond=1e-9), value)[:, :3]
    slopes = _dyadic(slopes)
    edges = steps / np.array(CUTS)
    reach = np.abs(edges).sum(axis=2)[:, None, :] + SLACK
    least, most = _slopes(at - reach, at + reach)
    centre = 0.5 * (least + most) - slopes[:, None, :]
    half = 0.5 * (most - least) + SLACK
    along = np.abs(np.einsum("kpi,kij->kpj", centre, edges)).sum(axis=2)
    along += np.einsum("kpi,kij->kp", half, np.abs(edges)) + SLACK
    gap = value - np.einsum("ki,kpi->kp", slopes, moved)
    return slopes, (gap - along).min(axis=1) - SLACK, (gap + along).max(axis=1) + SLACK


def _slopes(low: Array, high: Array) -> tuple[Array, Array]:
    """Return the ranges of the derivatives of f by a, c and v on boxes [K, P, 3]."""
    t0, t1 = np.tanh(low) - SLACK, np.tanh(high) + SLACK
    inner = np.maximum(np.maximum(t0, -t1), 0.0)
    outer = np.maximum(np.abs(t0), np.abs(t1))
    falls = np.maximum(1.0 - outer**2, 0.0), 1.0 - inner**2
    gates = np.clip(0.5 + 0.5 * t0[:, :, 2], 0.0, 1.0), np.clip(0.5 + 0.5 * t1[:, :, 2], 0.0, 1.0)
    gap = t0[:, :, 1] - t1[:, :, 0], t1[:, :, 1] - t0[:, :, 0]
    by_gate = [0.5 * g * fall[:, :, 2] for g in gap for fall in falls]
    least = [
        falls[0][:, :, 0] * (1.0 - gates[1]),
        falls[0][:, :, 1] * gates[0],
        np.minimum.reduce(by_gate),
    ]
    most = [
        falls[1][:, :, 0] * (1.0 - gates[0]),
        falls[1][:, :, 1] * gates[1],
        np.maximum.reduce(by_gate),
    ]
    return np.stack(least, axis=2) - SLACK, np.stack(most, axis=2) + SLACK
