"""Bounds of a step of a wired CfC in exact integers, for the checker of certificates.

A number is an integer in units of 2^-150, in which every float32 is exact; sums are exact,
products are rounded outwards, and tanh is enclosed within 2^-80. `weights.npz` and `model.yaml`
are read here without the classes of models, and no code is shared with the prover.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

P = 150
ONE = 1 << P
COMMANDS = ("forward", "left", "up", "yaw_rate")
INPUT_SIZES = {"cruise_speed": 1, "range": 1, "attitude": 2, "mount": 2}
MAX_BOXES, PIECES = 20_000, 64
Pair = tuple[int, int]
Matrix = list[list[int]]


def units(value: float | Fraction, up: bool = False) -> int:
    """Return a number in units, rounded down or up."""
    scaled = Fraction(value) * ONE
    return math.ceil(scaled) if up else math.floor(scaled)


def up(product: int) -> int:
    """Return a product of two numbers in units, rounded up."""
    return -((-product) >> P)


def mul(a: Pair, b: Pair) -> Pair:
    """Return the range of a product."""
    products = (a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1])
    return min(products) >> P, up(max(products))


def exp_of_minus(y: int) -> Pair:
    """Enclose exp(-y), y >= 0: Taylor series of y / 2^k below 1/8, squared k times, 130 bits."""
    if y > 70 * ONE:
        return 0, 1 << (P - 100)
    work, k = 130, max(0, y.bit_length() - P + 3)
    small = y >> (P - work + k)
    term = total = 1 << work
    for n in range(1, 26):
        term = -((term * small) >> work) // n
        total += term
    for _ in range(k):
        total = (total * total) >> work
    value, error = total << (P - work), 1 << (P - 84)
    return max(0, value - error), value + error


def _tanh_at(x: int) -> Pair:
    low, high = exp_of_minus(2 * abs(x))
    least, most = ((ONE - high) << P) // (ONE + high), -((-(ONE - low) << P) // (ONE + low))
    return (max(least, 0), most) if x >= 0 else (-most, min(-least, 0))


def tanh(x: Pair) -> Pair:
    """Return the range of tanh."""
    return _tanh_at(x[0])[0], _tanh_at(x[1])[1]


class NeuronRange(NamedTuple):
    """Ranges of one neuron: tanh(ff1), tanh(ff2), gate, ta, tb and the new state."""

    a: Pair
    c: Pair
    s: Pair
    ta: Pair
    tb: Pair
    state: Pair

    @property
    def gate_product(self) -> Pair:
        """Range of s (1 - s)."""
        ends = [g * (ONE - g) for g in self.s]
        most = ONE * ONE // 4 if self.s[0] <= ONE // 2 <= self.s[1] else max(ends)
        return max(0, min(ends) >> P), max(0, up(most))


class ExactNeuron(NamedTuple):
    """Four rows of weights and their biases, in units."""

    rows: Matrix
    bias: list[int]

    def range(self, z: Sequence[Pair], t: Pair) -> NeuronRange:
        """Return the ranges over a box of inputs and elapsed times."""
        maps = []
        for row, bias in zip(self.rows, self.bias, strict=True):
            terms = [
                (w * ends[w < 0], w * ends[w > 0]) for w, ends in zip(row, z, strict=True) if w
            ]
            low, high = (
                (bias << P) + sum(e[0] for e in terms),
                (bias << P) + sum(e[1] for e in terms),
            )
            maps.append((low >> P, up(high)))
        v = mul(maps[2], t)
        half = tanh(((v[0] + maps[3][0]) >> 1, -((-v[1] - maps[3][1]) >> 1)))
        s = (ONE + half[0]) >> 1, -((-ONE - half[1]) >> 1)
        a, c = tanh(maps[0]), tanh(maps[1])
        low = min((ONE - g) * a[0] + g * c[0] for g in s) >> P
        high = up(max((ONE - g) * a[1] + g * c[1] for g in s))
        return NeuronRange(a, c, s, maps[2], maps[3], (low, high))

    def slopes(self, found: NeuronRange, t: Pair) -> list[Pair]:
        """Return the ranges of the derivatives by each input, then by elapsed time."""
        a, c, s = found.a, found.c, found.s
        first = mul((ONE - s[1], ONE - s[0]), _one_minus_square(a))
        second = mul(s, _one_minus_square(c))
        mixed = mul((c[0] - a[1], c[1] - a[0]), found.gate_product)
        result = []
        for wa, wc, wta, wtb in zip(*self.rows, strict=True):
            m = mul((wta, wta), t)
            parts = (
                mul((wa, wa), first),
                mul((wc, wc), second),
                mul((m[0] + wtb, m[1] + wtb), mixed),
            )
            result.append((sum(part[0] for part in parts), sum(part[1] for part in parts)))
        return [*result, mul(mixed, found.ta)]

    def rounding(self, z: Sequence[Pair], ticks: int) -> int:
        """Return a bound of the error of a step in float32."""
        reach = [max(abs(low), abs(high)) for low, high in z]
        sums = [
            up(sum(abs(w) * r for w, r in zip(row, reach, strict=True))) + abs(bias)
            for row, bias in zip(self.rows, self.bias, strict=True)
        ]
        count = 2 * max(sum(w != 0 for w in row) for row in self.rows) + 8
        gamma, tanh_error = Fraction(count, 2**24 - count), Fraction(ONE, 2**21)
        heads = gamma * max(sums[0], sums[1]) + tanh_error
        gates = gamma * (Fraction(sums[2] * ticks, ONE) + sums[3]) / 4 + tanh_error
        return math.ceil(heads + 2 * gates + Fraction(ONE, 2**20))


def _one_minus_square(y: Pair) -> Pair:
    big = max(abs(y[0]), abs(y[1]))
    small = 0 if y[0] <= 0 <= y[1] else min(abs(y[0]), abs(y[1]))
    return max(0, (ONE * ONE - big * big) >> P), max(0, up(ONE * ONE - small * small))


def state_is_below(neuron: ExactNeuron, z: Sequence[Pair], t: Pair, sign: int, limit: int) -> bool:
    """Prove that `sign` times the new state is at most `limit` on a box, by branch and bound."""

    def signed(box: Sequence[Pair]) -> Pair:
        low, high = neuron.range(box[:-1], box[-1]).state
        return (low, high) if sign > 0 else (-high, -low)

    stack, count = [[*z, t]], 0
    while stack:
        box, count = stack.pop(), count + 1
        if count > MAX_BOXES:
            return False
        if signed(box)[1] <= limit:
            continue
        slopes = neuron.slopes(neuron.range(box[:-1], box[-1]), box[-1])
        for j, (low, high) in enumerate(slopes):
            if low >= 0 or high <= 0:
                end = box[j][(low >= 0) == (sign > 0)]
                box[j] = end, end
        middle = [(low + high) >> 1 for low, high in box]
        steps = [
            max(abs(slope[0]), abs(slope[1])) * max(one[1] - mid, mid - one[0])
            for slope, one, mid in zip(slopes, box, middle, strict=True)
        ]
        centre = signed([(m, m) for m in middle])
        if centre[0] > limit:
            return False
        if min(signed(box)[1], centre[1] + up(sum(steps))) <= limit:
            continue
        j = steps.index(max(steps))
        cut = math.isqrt(box[j][0] * box[j][1]) if j == len(box) - 1 else middle[j]
        stack += [[*box[:j], part, *box[j + 1 :]] for part in ((box[j][0], cut), (cut, box[j][1]))]
    return True


def _peak(height: int, slopes: Pair, values: Pair) -> int:
    """Return an upper bound of height (1 - y^2) + k y for k and y in their ranges."""
    bounds = []
    for k in slopes:
        tops = [height * (ONE * ONE - y * y) + k * y * ONE for y in values]
        bounds.append(-((-max(tops)) >> (2 * P)))
        if height > 0 and values[0] * 2 * height <= k * ONE <= values[1] * 2 * height:
            bounds.append(height - ((-k * k) // (4 * height)))
    return max(bounds)


def _entry(w: Sequence[int], found: NeuronRange, t: Pair) -> int:
    """Return a bound of the magnitude of one derivative: the largest over `PIECES` of s.

    Pieces within an eighth whose own bound is smaller are not looked at.
    """
    if not any(w):
        return 0
    timed, width = mul((w[2], w[2]), t), found.s[1] - found.s[0]
    m = timed[0] + w[3], timed[1] + w[3]

    def over(first: int, last: int, sign: int) -> int:
        s = found.s[0] + width * first // PIECES, found.s[0] - (-width * last // PIECES)
        rest = ONE - s[1], ONE - s[0]
        signed = m if sign > 0 else (-m[1], -m[0])
        own, other = mul(s, signed), mul(rest, signed)
        p = _peak(sign * w[0], (-own[1], -own[0]), found.a)
        q = _peak(sign * w[1], other, found.c)
        return up(p * rest[p >= 0]) + up(q * s[q >= 0])

    best, part = 0, PIECES // 8
    eighths = [(over(k, k + part, g), k, g) for k in range(0, PIECES, part) for g in (1, -1)]
    for bound, start, sign in sorted(eighths, reverse=True):
        if bound > best:
            best = max(best, *(over(k, k + 1, sign) for k in range(start, start + part)))
    return best


def _elapsed(found: NeuronRange, t: Pair) -> int:
    """Return a bound of |(C - A) s (1 - s) ta|; |v| s (1 - s) is below 0.224 for v = ta t + tb."""
    gate, slope, offset = (
        max(map(abs, pair)) for pair in (found.gate_product, found.ta, found.tb)
    )
    bounded = -((-(units(Fraction(224, 1000), True) + up(gate * offset)) << P) // t[0])
    heads = max(found.c[1] - found.a[0], found.a[1] - found.c[0])
    return up(heads * min(up(gate * slope), bounded))


class ExactStep(NamedTuple):
    """Bounds of one step: new states, errors in float32, and derivatives, a row a neuron."""

    states: list[Pair]
    errors: list[int]
    by_features: Matrix
    by_states: Matrix
    by_ticks: list[int]


def apply(matrix: Matrix, vector: Sequence[int]) -> list[int]:
    """Return the product of a matrix and a vector, rounded up."""
    return [up(sum(a * b for a, b in zip(row, vector, strict=True))) for row in matrix]


class ExactCell:
    """The cell of a model folder: neurons by layer and the constants of the claims."""

    def __init__(self, folder: Path) -> None:
        settings = yaml.safe_load((folder / "model.yaml").read_text(encoding="utf-8"))
        core, features = settings["core"], settings["features"]
        others = 6 + sum(INPUT_SIZES[name] for name in features.get("inputs", ()))
        self.constants: dict[str, Any] = {
            "time_unit_s": core["time_unit_s"],
            "dt_s": [0.001, 1.0],
            "feature_limits": [1.0 + 2.0**-16] * features["image"] + [3.0] * others,
            "commands": {name: settings["motors"][name] for name in COMMANDS},
        }
        self.layers: list[list[ExactNeuron]] = []
        with np.load(folder / "weights.npz") as arrays:
            for index in range(len(core["wiring"]["layers"])):
                weight, bias = (
                    arrays[f"cfc.{index}.{part}"].tolist() for part in ("weight", "bias")
                )
                columns = zip(zip(*weight, strict=True), zip(*bias, strict=True), strict=True)
                self.layers.append(
                    [
                        ExactNeuron(
                            [[units(w) for w in row] for row in rows], [units(b) for b in biases]
                        )
                        for rows, biases in columns
                    ]
                )

    def ticks(self, dt_s: Sequence[float]) -> Pair:
        """Return elapsed times, s, in the time units of the cell."""
        low, high = (Fraction(dt) / Fraction(self.constants["time_unit_s"]) for dt in dt_s)
        return units(low), units(high, True)

    def step(self, x: list[Pair], h: list[Pair], dt_s: Sequence[float]) -> ExactStep:
        """Bound one step over boxes of features and states and a range of elapsed times."""
        t, before, out = self.ticks(dt_s), x, ExactStep([], [], [], [], [])
        features = [[ONE * (i == j) for j in range(len(x))] for i in range(len(x))]
        states, timed, errors = [[0] * len(h) for _ in x], [0] * len(x), [0] * len(x)
        for layer in self.layers:
            start, size = len(out.states), len(layer)
            z = before + h[start : start + size]
            found = [neuron.range(z, t) for neuron in layer]
            own = [neuron.rounding(z, t[1]) for neuron in layer]
            columns = [list(zip(*neuron.rows, strict=True)) for neuron in layer]
            entries = [[_entry(w, r, t) for w in ws] for ws, r in zip(columns, found, strict=True)]
            inputs = [row[:-size] for row in entries]
            features = _transposed([apply(inputs, column) for column in _transposed(features)])
            states = _transposed([apply(inputs, column) for column in _transposed(states)])
            for row, entry in zip(states, entries, strict=True):
                row[start : start + size] = entry[-size:]
            timed = [a + _elapsed(r, t) for a, r in zip(apply(inputs, timed), found, strict=True)]
            errors = [a + e for a, e in zip(apply(inputs, errors), own, strict=True)]
            before = [(r.state[0] - e, r.state[1] + e) for r, e in zip(found, own, strict=True)]
            out.states.extend(before)
            out.errors.extend(errors)
            out.by_features.extend(features)
            out.by_states.extend(states)
            out.by_ticks.extend(timed)
        return out


def _transposed(rows: Matrix) -> Matrix:
    return [list(column) for column in zip(*rows, strict=True)]
