"""Lipschitz bounds of a wired CfC over a region: by features, by elapsed time and by state.

A derivative of a neuron is J = (1 - s) p(A) + s q(C) with

    p(A) = wa (1 - A^2) - s m A,  q(C) = wc (1 - C^2) + (1 - s) m C,  m = wta t + wtb.

Over the ranges of A, C, s and t, taken as independent, the supremum of |J| is that of two
quadratics in one variable each for every s; pieces of the range of s make it sound. On a convex
region a function whose derivative is bounded by M changes by at most M |dz| (Rudin 1976,
Principles of Mathematical Analysis, theorem 9.19), and bounds of layers multiply.
"""

from dataclasses import dataclass

import numpy as np

from liquid_control.certification.cell import CellLayer, CertifiedCell, LayerRange, Region
from liquid_control.certification.intervals import Interval, gate_product
from liquid_control.types import Floats

PIECES = 64
"""Pieces of the range of a gate."""
GATE_MAXIMUM = 0.224
"""Bound of |v| s (1 - s) with s = sigma(v); the maximum, at |v| tanh(|v| / 2) = 1, is 0.22387."""
_WIDENING = 2.0**-36


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """Bounds of the derivatives of one step over a region.

    Attributes:
        entries: of each layer, bounds of the derivatives by its K inputs and its H own states,
            [H, K + H].
        features: of the commands by the features, [4, F].
        elapsed: of the commands by elapsed time, m/s and rad/s per second, [4].
        states: of the new state by the state before, [N, N].
    """

    entries: tuple[Floats, ...]
    features: Floats
    elapsed: Floats
    states: Floats


def sensitivity(cell: CertifiedCell, region: Region) -> Sensitivity:
    """Return bounds of the derivatives over a region; the region must be a box."""
    ticks = cell.ticks(region.dt_s)
    found = cell.ranges(region)
    entries = tuple(
        entry_bounds(layer, layer_range, ticks)
        for layer, layer_range in zip(cell.layers, found, strict=True)
    )
    count = len(cell.limits)
    states = np.zeros((cell.neurons, cell.neurons))
    by_features, by_ticks = np.eye(count), np.zeros(count)
    source = np.zeros((count, cell.neurons))
    for layer, layer_range, bounds in zip(cell.layers, found, entries, strict=True):
        inputs = bounds[:, : -layer.size]
        by_ticks = _elapsed(layer_range, ticks) + inputs @ by_ticks
        by_features = inputs @ by_features
        source = inputs @ source
        source[:, layer.own] += bounds[:, -layer.size :]
        states[layer.own] = source
    widened = 1.0 + _WIDENING
    return Sensitivity(
        entries,
        cell.scales[:, None] * by_features * widened,
        cell.scales * by_ticks / cell.time_unit_s * widened,
        states * widened,
    )


def entry_bounds(layer: CellLayer, found: LayerRange, ticks: Interval) -> Floats:
    """Return bounds of the derivatives of a layer, [H, K + H], for ranges with B = 1."""
    wa, wc, wta, wtb = (row[None] for row in layer.weight)
    ends = wta * ticks.lower[0, 0] + wtb, wta * ticks.upper[0, 0] + wtb
    mixed = Interval(np.minimum(*ends), np.maximum(*ends))
    steps = np.linspace(0.0, 1.0, PIECES + 1)[:, None]
    low, high = found.gate.lower, found.gate.upper
    edges = low + steps * (high - low)
    edges[0], edges[-1] = low, high
    gate = Interval(edges[:-1, :, None], edges[1:, :, None])
    bounds = [
        _largest(sign * wa, sign * wc, _signed(mixed, sign), gate, found) for sign in (1, -1)
    ]
    result = np.maximum(*bounds).max(axis=0)
    used = np.any(layer.weight != 0.0, axis=0)
    return np.where(used, np.maximum(result, 0.0) * (1.0 + _WIDENING) + _WIDENING, 0.0)


def _largest(wa: Floats, wc: Floats, mixed: Interval, gate: Interval, found: LayerRange) -> Floats:
    """Return the supremum of J over each piece of the gate's range, [P, H, K + H]."""
    rest = Interval(1.0 - gate.upper, 1.0 - gate.lower)
    first, second = (
        Interval(part.lower[:, :, None], part.upper[:, :, None])
        for part in (found.first, found.second)
    )
    scaled = _times(gate, mixed)
    p = _quadratic_supremum(wa, Interval(-scaled.upper, -scaled.lower), first)
    q = _quadratic_supremum(wc, _times(rest, mixed), second)
    p = np.where(p >= 0.0, rest.upper, rest.lower) * p
    q = np.where(q >= 0.0, gate.upper, gate.lower) * q
    return p + q


def _times(positive: Interval, other: Interval) -> Interval:
    """Return the product of an interval that is not negative with another one."""
    lower = np.where(other.lower < 0.0, positive.upper, positive.lower) * other.lower
    upper = np.where(other.upper > 0.0, positive.upper, positive.lower) * other.upper
    return Interval(lower, upper)


def _quadratic_supremum(height: Floats, slope: Interval, values: Interval) -> Floats:
    """Return the supremum of height (1 - y^2) + k y for k in `slope` and y in `values`.

    It is linear in k, so an end of `slope` has it; for fixed k it is at an end of `values` or at
    the vertex k / (2 height), where it is height + k^2 / (4 height).
    """
    result = np.full(np.broadcast_shapes(height.shape, slope.lower.shape), -np.inf)
    for k in slope:
        for y in values:
            result = np.maximum(result, height * (1.0 - y * y) + k * y)
        safe = np.where(height > 0.0, height, 1.0)
        vertex = k / (2.0 * safe)
        margin = _WIDENING
        inside = (vertex >= values.lower - margin) & (vertex <= values.upper + margin)
        top = safe + k * k / (4.0 * safe)
        result = np.where((height > 0.0) & inside, np.maximum(result, top), result)
    return result


def _elapsed(found: LayerRange, ticks: Interval) -> Floats:
    """Return bounds of |(C - A) s (1 - s) ta|, a layer's own change by time units, [H].

    With v = ta t + tb it is s (1 - s) |v - tb| / t, which bounds it where ta is large.
    """
    gate = gate_product(found.gate).upper
    direct = gate * found.slope.magnitude
    bounded = (GATE_MAXIMUM + gate * found.offset.magnitude) / ticks.lower
    heads = np.maximum(
        found.second.upper - found.first.lower, found.first.upper - found.second.lower
    )
    return np.asarray((heads * np.minimum(direct, bounded) * (1.0 + _WIDENING))[0])


def _signed(values: Interval, sign: int) -> Interval:
    return values if sign > 0 else Interval(-values.upper, -values.lower)


def local_region(
    cell: CertifiedCell, features: Floats, state: Floats, dt_s: float, radius: float
) -> Region:
    """Return the region around a point: features and states within a radius, one elapsed time."""
    return Region(
        Interval(features - radius, features + radius),
        Interval(state - radius, state + radius),
        (dt_s, dt_s),
    )
