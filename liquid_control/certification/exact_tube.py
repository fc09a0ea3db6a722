"""Reach tubes in exact integers, for the checker of closed-loop certificates.

Numbers are integers in units of 2^-150 as in `exact_step`. A set is rows c + G s + e with symbols
s in unit balls and |e| within an error of each row. Products are rounded down, and one unit for
every symbol is added to the errors for it. No code is shared with the prover.
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.certification.exact_neuron import neuron
from liquid_control.certification.exact_step import (
    ONE,
    ExactCell,
    P,
    Pair,
    exp_of_minus,
    tanh,
    units,
)

Grid = NDArray[np.object_]
AXES, USED = 3, (0, 1, 3)
SIZE = 2 + 3 * AXES
KEPT = Fraction(4, 5)


def whole(values: Any, ceiling: bool = False) -> Grid:
    """Return an array of numbers in units, rounded down or up."""
    array = np.asarray(values, np.float64)
    flat = [units(value, ceiling) for value in array.ravel().tolist()]
    return np.array(flat, object).reshape(array.shape)


def exact(values: Any) -> Grid:
    """Return an array of numbers in units; raises ValueError where one is no whole unit."""
    low = whole(values)
    if np.any(low != whole(values, True)):
        raise ValueError("a constant is not a multiple of 2^-150")
    return low


def above(product: Grid) -> Grid:
    """Return products of two numbers in units, rounded up."""
    return np.asarray(-((-product) >> P), object)


class ExactRows:
    """Rows of a set: centre [K], symbols [K, M], error [K]; the first symbol of each block."""

    def __init__(self, centre: Grid, symbols: Grid, error: Grid, starts: Sequence[int]) -> None:
        self.centre, self.symbols, self.error, self.starts = centre, symbols, error, starts

    def norms(self) -> Grid:
        """Return an upper bound of the norm of each block, [K, blocks]."""
        squares = np.add.reduceat(self.symbols * self.symbols, list(self.starts), axis=1)
        return np.array([[math.isqrt(v) + 1 for v in row] for row in squares], object)

    def radius(self) -> Grid:
        """Return an upper bound of the deviation from the centre, [K]."""
        return np.asarray(self.norms().sum(axis=1) + self.error, object)

    def __getitem__(self, part: slice | list[int]) -> "ExactRows":
        return ExactRows(self.centre[part], self.symbols[part], self.error[part], self.starts)

    def __add__(self, other: "ExactRows") -> "ExactRows":
        return self._like(
            self.centre + other.centre, self.symbols + other.symbols, self.error + other.error
        )

    def __sub__(self, other: "ExactRows") -> "ExactRows":
        return self._like(
            self.centre - other.centre, self.symbols - other.symbols, self.error + other.error
        )

    def _like(self, centre: Grid, symbols: Grid, error: Grid) -> "ExactRows":
        return ExactRows(centre, symbols, error, self.starts)

    def mapped(self, matrix: Grid, offset: Grid) -> "ExactRows":
        """Return matrix @ rows + offset, the matrix in units."""
        slack = self.symbols.shape[1] + 2
        return self._like(
            ((matrix @ self.centre) >> P) + offset,
            (matrix @ self.symbols) >> P,
            above(abs(matrix) @ self.error) + slack,
        )

    def scaled(self, factor: Grid) -> "ExactRows":
        """Return the rows times one factor each, in units."""
        slack = self.symbols.shape[1] + 2
        return self._like(
            (factor * self.centre) >> P,
            (factor[:, None] * self.symbols) >> P,
            above(abs(factor) * self.error) + slack,
        )

    def around_zero(self) -> "ExactRows":
        """Return the rows less their centres."""
        return ExactRows(0 * self.centre, self.symbols, self.error, self.starts)

    def half(self) -> "ExactRows":
        """Return half of the rows."""
        return self.scaled(np.array([ONE // 2] * len(self.centre), object))

    def times(self, other: "ExactRows") -> "ExactRows":
        """Return the product, row by row."""
        a, b = self.centre, other.centre
        error = abs(a) * other.error + abs(b) * self.error + self.radius() * other.radius()
        symbols = a[:, None] * other.symbols + b[:, None] * self.symbols
        slack = self.symbols.shape[1] + 3
        return self._like((a * b) >> P, symbols >> P, above(error) + slack)

    def ends(self) -> list[Pair]:
        """Return the range of each row."""
        pairs = zip(self.centre.tolist(), self.radius().tolist(), strict=True)
        return [(centre - radius, centre + radius) for centre, radius in pairs]

    def within(self, bounds: Sequence[Pair]) -> "ExactRows":
        """Return the rows with other bounds where these are narrower than `KEPT` of their own."""
        centre, symbols, error = self.centre.copy(), self.symbols.copy(), self.error.copy()
        for k, ((low, high), radius) in enumerate(zip(bounds, self.radius(), strict=True)):
            half = (high - low + 1) // 2 + 1
            if half < KEPT * radius:
                centre[k], error[k], symbols[k] = (low + high) >> 1, half, 0
        return self._like(centre, symbols, error)

    def with_blocks(self, sizes: Sequence[int]) -> "ExactRows":
        """Return the rows with further blocks of symbols, all zero."""
        rows, known = self.symbols.shape
        more = np.full((rows, sum(sizes)), 0, object)
        starts = [known + sum(sizes[:k]) for k in range(len(sizes))]
        symbols = np.concatenate([self.symbols, more], axis=1)
        return ExactRows(self.centre, symbols, self.error, [*self.starts, *starts])

    def settled(self) -> "ExactRows":
        """Return the rows with their errors as symbols of their own."""
        rows = len(self.centre)
        wider = self.with_blocks([1] * rows)
        own = np.arange(rows)
        wider.symbols[own, own - rows] = self.error
        return ExactRows(wider.centre, wider.symbols, np.array([0] * rows, object), wider.starts)

    def reduced(self, limit: int) -> "ExactRows":
        """Return the rows with the oldest blocks as new symbols if there are over a limit."""
        rows, count = self.symbols.shape
        if count <= limit:
            return self
        later = [start for start in self.starts if start >= count + rows - limit]
        cut = later[0] if later else count
        old = [k for k, start in enumerate(self.starts) if start < cut]
        error = self.error + self.norms()[:, old].sum(axis=1)
        starts = [start - cut for start in self.starts if start >= cut]
        return ExactRows(self.centre, self.symbols[:, cut:], error, starts).settled()


def joined(*parts: ExactRows) -> ExactRows:
    """Return the rows of several sets as one."""
    return ExactRows(
        np.concatenate([part.centre for part in parts]),
        np.concatenate([part.symbols for part in parts]),
        np.concatenate([part.error for part in parts]),
        parts[0].starts,
    )


class ExactLoop:
    """The closed loop of a claim: its own reading of the constants, and one step of a set.

    Args:
        cell: the core.
        dynamics: constants of the reduced model.
        claim: with the times between frames and the factors on the sets.
    """

    def __init__(
        self, cell: ExactCell, dynamics: Mapping[str, Any], claim: Mapping[str, Any]
    ) -> None:
        self.cell = cell
        low, high = (Fraction(value) for value in claim["dt_s"])
        self.dt_s = low, high
        self.lags = [Fraction(value) for value in dynamics["lags_s"].values()]
        outer = float(claim["disturbance"])
        self.disturbance = _error_set(dynamics["disturbance"], outer)
        self.curvature = units(dynamics["curvature_per_m"] * outer, True)
        self.offset, self.gain = (exact(dynamics["features"][key]) for key in ("offset", "gain"))
        self.perception = _error_set(dynamics["perception_error"], float(claim["perception"]))
        commands = [cell.constants["commands"][name] for name in ("forward", "left", "yaw_rate")]
        self.scales = exact([command["scale"] for command in commands])
        self.offsets = exact([command["offset"] for command in commands])

    def step(self, before: ExactRows) -> ExactRows:
        """Return the set after one frame."""
        first = before.symbols.shape[1]
        sizes = [len(self.disturbance[1]), len(self.perception[1])]
        rows = before.with_blocks([1] * (2 + sum(sizes)))
        low, high = self.dt_s
        middle = units((low + high) / 2)
        elapsed = _symbol(rows, first, middle, units(high, True) - middle + 1)
        curvature = _symbol(rows, first + 1, 0, self.curvature)
        d = _placed(rows, first + 2, *self.disturbance)
        e = _placed(rows, first + 2 + sizes[0], *self.perception)
        h = rows[SIZE:]
        motors = h[[len(h.centre) - 4 + index for index in USED]].scaled(self.scales)
        u = ExactRows(motors.centre + self.offsets, motors.symbols, motors.error, motors.starts)
        u = u + e
        x = self._advance(rows[:SIZE], u, elapsed, curvature, d).settled()
        h, u, elapsed, curvature = (
            part.with_blocks([1] * SIZE) for part in (h, u, elapsed, curvature)
        )
        seen = joined(x, u, curvature).mapped(self.gain, self.offset)
        return self._core(x, seen, h, elapsed)

    def _advance(
        self, x: ExactRows, u: ExactRows, elapsed: ExactRows, curvature: ExactRows, d: ExactRows
    ) -> ExactRows:
        y, psi, w, p, v = x[0:1], x[1:2], x[2:5], x[5:8], x[8:11]
        share = joined(*(self._lag(elapsed, lag) for lag in self.lags))
        w1 = _towards(w, u, share[0:3])
        p1 = _towards(p, (w + w1).half(), share[3:6])
        v1 = _towards(v, (p + p1).half(), share[6:9])
        mean, forward = (v + v1).half(), v[0:1]
        psi1 = psi + elapsed.times(mean[2:3] - curvature.times(forward) + d[0:1])
        drift = forward.times((psi + psi1).half()) + mean[1:2] + d[1:2]
        return joined(y + elapsed.times(drift), psi1, w1, p1, v1)

    def _lag(self, elapsed: ExactRows, lag: Fraction) -> ExactRows:
        """Return 1 - exp(-t / T), between its chord and a tangent."""
        low, high = self.dt_s
        ends = [_risen(t / lag) for t in (low, high)]
        slope = Fraction(ends[1][0] - ends[0][0], ONE) / (high - low)
        chord = Fraction(min(ends[0][0], ends[1][0] - units(slope * (high - low), True)), ONE)
        best = -float(lag) * math.log(max(float(lag * slope), 1e-300))
        touch = Fraction(min(max(best, float(low)), float(high)))
        least, most = (Fraction(end, ONE) for end in _risen(touch / lag))
        gaps = [
            most + rate * (t - touch) - chord - slope * (t - low)
            for t in (low, high)
            for rate in ((1 - least) / lag, (1 - most) / lag)
        ]
        top = max(*gaps, Fraction(0))
        line = elapsed.scaled(np.array([units(slope)], object))
        shift, error = units(chord - slope * low + top / 2), units(top / 2, True) + 4
        return ExactRows(line.centre + shift, line.symbols, line.error + error, line.starts)

    def _core(self, x: ExactRows, seen: ExactRows, h: ExactRows, elapsed: ExactRows) -> ExactRows:
        unit = Fraction(self.cell.constants["time_unit_s"])
        ticks = elapsed.scaled(np.array([units(1 / unit)], object))
        ticks = ExactRows(ticks.centre, ticks.symbols, ticks.error + 2, ticks.starts)
        last = units(self.dt_s[1] / unit, True)
        before, known, start = seen, x, 0
        for layer in self.cell.layers:
            size = len(layer)
            inputs = joined(before, h[start : start + size])
            z = inputs.ends()
            rows = [np.array([neuron.rows[k] for neuron in layer], object) for k in range(4)]
            bias = [np.array([neuron.bias[k] for neuron in layer], object) for k in range(4)]
            a, c, ta, tb = (inputs.mapped(w, b) for w, b in zip(rows, bias, strict=True))
            v = (ta.times(ticks[[0] * size]) + tb).half()
            after = neuron(a, c, v).within(
                [_mixed(*r) for r in zip(a.ends(), c.ends(), v.ends(), strict=True)]
            )
            errors = np.array([neuron.rounding(z, last) for neuron in layer], object)
            before = ExactRows(after.centre, after.symbols, after.error + errors, after.starts)
            before, start = before.settled(), start + size
            h, ticks, known = (part.with_blocks([1] * size) for part in (h, ticks, known))
            known = joined(known, before)
        return known


def _towards(before: ExactRows, goal: ExactRows, share: ExactRows) -> ExactRows:
    """Return before + share (goal - before), also bounded as a mean of both."""
    bounds = []
    for start, end, part in zip(before.ends(), goal.ends(), share.ends(), strict=True):
        low = min((ONE - a) * start[0] + a * end[0] for a in part) >> P
        high = -(-max((ONE - a) * start[1] + a * end[1] for a in part) >> P)
        bounds.append((low, high))
    return (before + share.times(goal - before)).within(bounds)


def _mixed(a: Pair, c: Pair, half: Pair) -> Pair:
    """Return the range of tanh(a) (1 - s) + tanh(c) s with s = (1 + tanh(half)) / 2."""
    first, second, gate = tanh(a), tanh(c), tanh(half)
    s = (ONE + gate[0]) >> 1, -((-ONE - gate[1]) >> 1)
    low = min((ONE - g) * first[0] + g * second[0] for g in s) >> P
    high = -(-max((ONE - g) * first[1] + g * second[1] for g in s) >> P)
    return low, high


def _error_set(given: Mapping[str, Any], factor: float) -> tuple[Grid, Grid]:
    """Return centre [K] and half widths [K] of a set of intervals, the widths times a factor."""
    widths = np.array(given["map"]) * factor
    if int(given["boxes"]) != len(widths) or np.any(widths != np.diag(np.diag(widths))):
        raise ValueError("expected an interval for each row of an error set")
    return whole(given["centre"]), whole(np.abs(np.diag(widths)), True) + 1


def _placed(rows: ExactRows, first: int, centre: Grid, half: Grid) -> ExactRows:
    """Return intervals as rows of the symbols from `first` on."""
    symbols = np.full((len(half), rows.symbols.shape[1]), 0, object)
    own = np.arange(len(half))
    symbols[own, first + own] = half
    return ExactRows(centre, symbols, 0 * half, rows.starts)


def _symbol(rows: ExactRows, index: int, centre: int, radius: int) -> ExactRows:
    symbols = np.full((1, rows.symbols.shape[1]), 0, object)
    symbols[0, index] = radius
    return ExactRows(np.array([centre], object), symbols, np.array([0], object), rows.starts)


def _risen(ratio: Fraction) -> Pair:
    """Enclose 1 - exp(-ratio)."""
    least, most = exp_of_minus(units(ratio, True)), exp_of_minus(units(ratio))
    return ONE - most[1], ONE - least[0]
