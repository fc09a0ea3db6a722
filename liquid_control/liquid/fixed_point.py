"""The wired CfC in fixed point: integer weights and the step that exported C computes.

Values between neurons are 16-bit fractions (Q15). Features reach from -4 to 4 (Q13), so their
weights are multiplied by 4. The weights of each map of each neuron share a power of two, chosen so
that the largest uses all 16 bits (block floating point). Sums of products are exact in 64 bits, so
their order does not matter, and are shifted to Q16. tanh is a table with linear interpolation,
within 1.5e-4; the sigmoid follows from it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import CellError
from liquid_control.liquid.weights import CfCWeights, Mode, synapses
from liquid_control.liquid.wiring import Wiring

Integers = NDArray[np.int64]

FEATURE_LIMIT = 4.0
FEATURE_BITS = 13
"""Fraction bits of a feature."""
STATE_BITS = 15
"""Fraction bits of a state."""
ONE = 2**STATE_BITS
LARGEST = ONE - 1
SUM_BITS = 30
"""Fraction bits of a product of two Q15 values."""
ARGUMENT_BITS = 16
TANH_LIMIT = 8
TANH_KNOTS = 32
"""Table entries for an interval of 1."""
TANH_TABLE: Integers = np.minimum(
    np.rint(np.tanh(np.arange(TANH_LIMIT * TANH_KNOTS + 1) / TANH_KNOTS) * ONE), LARGEST
).astype(np.int64)
INT32_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class FixedWeights:
    """Weights of a wired CfC as integers.

    Attributes:
        wiring: synapses between inputs and neurons.
        counts: number of synapses of each neuron.
        sources: source of each synapse, as `synapses` counts them.
        weights: [S, 4], ff1, ff2, time_a and time_b, 16 bits.
        shifts: [N, 4], right shifts from sums of products to Q16.
        biases: [N, 4], Q16.
        ticks_factor: of microseconds, 31 bits.
        ticks_shift: right shift of the product to time units in Q16.
    """

    wiring: Wiring
    counts: tuple[int, ...]
    sources: tuple[int, ...]
    weights: Integers
    shifts: Integers
    biases: Integers
    ticks_factor: int
    ticks_shift: int

    @classmethod
    def of(cls, weights: CfCWeights) -> "FixedWeights":
        """Round the weights of a CfC in mode `default`.

        Raises:
            CellError: the mode is another one, or a weight, a bias or the time unit is outside of
                what fixed point represents.
        """
        if weights.mode is not Mode.DEFAULT:
            raise CellError(f"expected a CfC in mode 'default', got {weights.mode.value!r}")
        counts, sources, values = synapses(weights)
        quantised, shifts = _quantised(values, counts, sources, weights.wiring.inputs)
        biases = np.concatenate([layer.bias for layer in weights.layers], axis=1).T
        factor, shift = _ticks(weights.time_unit_s)
        return cls(
            weights.wiring,
            tuple(counts),
            tuple(sources),
            quantised,
            shifts,
            q16(biases, "a bias"),
            factor,
            shift,
        )

    def elapsed(self, dt_us: int) -> int:
        """Return microseconds as time units in Q16, at most 2^31 - 1."""
        return min((dt_us * self.ticks_factor) >> self.ticks_shift, INT32_MAX)

    def new_states(
        self, neurons: slice | NDArray[np.bool_], sums: Integers, elapsed: int
    ) -> tuple[Integers, Integers]:
        """Return new states and time gates from sums of products.

        Args:
            neurons: which of the N neurons.
            sums: their sums [n, 4], before shift and bias.
            elapsed: time units in Q16.

        Returns:
            States and gates, [n] each, Q15.
        """
        maps = shifted(sums, self.shifts[neurons]) + self.biases[neurons]
        first, second = fixed_tanh(maps[:, 0]), fixed_tanh(maps[:, 1])
        rate = np.clip(maps[:, 2], -INT32_MAX, INT32_MAX)
        gates = (ONE + fixed_tanh((((rate * elapsed) >> ARGUMENT_BITS) + maps[:, 3]) >> 1)) >> 1
        return (first * (ONE - gates) + second * gates + ONE // 2) >> STATE_BITS, gates


class FixedCfC:
    """Wired CfC in fixed point, one sample at a time; `controller_q15.h` gives the same bits."""

    def __init__(self, weights: FixedWeights) -> None:
        self.weights = weights

    def init_state(self) -> Integers:
        """Return the state before the first step, zeros [N]."""
        return np.zeros(self.weights.wiring.neurons, np.int64)

    def step(self, inputs: Integers, state: Integers, dt_us: int) -> tuple[Integers, Integers]:
        """Advance by one step.

        Args:
            inputs: features [I], Q13.
            state: [N], Q15.
            dt_us: microseconds since the previous step.

        Returns:
            The new state [N] and the time gates [N], Q15.
        """
        fixed, wiring = self.weights, self.weights.wiring
        elapsed = fixed.elapsed(dt_us)
        values = np.concatenate([inputs, state, np.zeros_like(state)])
        after = values[wiring.inputs + wiring.neurons :]
        ends = np.cumsum(fixed.counts)
        starts, sources = ends - fixed.counts, np.asarray(fixed.sources)
        gates = np.zeros_like(state)
        for own in wiring.slices:
            sums = np.array(
                [
                    values[sources[start:end]] @ fixed.weights[start:end]
                    for start, end in zip(starts[own], ends[own], strict=True)
                ]
            )
            after[own], gates[own] = fixed.new_states(own, sums, elapsed)
        return after.copy(), gates


def fixed_tanh(x: Integers) -> Integers:
    """Return tanh of Q16 arguments, Q15, as `lcq_tanh` of the exported C does."""
    limit, interval = TANH_LIMIT << ARGUMENT_BITS, ARGUMENT_BITS - int(math.log2(TANH_KNOTS))
    size = np.minimum(np.abs(np.clip(x, -limit, limit)), limit)
    at = np.minimum(size >> interval, len(TANH_TABLE) - 2)
    low = TANH_TABLE[at]
    part = (TANH_TABLE[at + 1] - low) * (size & ((1 << interval) - 1)) + (1 << (interval - 1))
    value = np.where(size == limit, TANH_TABLE[-1], low + (part >> interval))
    return np.asarray(np.where(x < 0, -value, value))


def fixed_features(features: NDArray[np.float32]) -> Integers:
    """Return features as Q13; those beyond 4 saturate, halves are rounded away from zero."""
    scaled = np.clip(features.astype(np.float32) * np.float32(2**FEATURE_BITS), -LARGEST, LARGEST)
    return rounded(scaled)


def rounded(values: NDArray[np.float32]) -> Integers:
    """Round float32 values to integers, halves away from zero, as the exported C does."""
    half = np.where(values < 0, np.float32(-0.5), np.float32(0.5))
    return np.trunc(values + half).astype(np.int64)


def shifted(sums: Integers, shifts: Integers) -> Integers:
    """Shift sums right, rounded to the nearest, halves up."""
    half = np.where(shifts > 0, np.int64(1) << np.maximum(shifts - 1, 0), 0)
    return (sums + half) >> shifts


def q16(values: NDArray[np.float32], what: str) -> Integers:
    """Return values as Q16.

    Raises:
        CellError: a value does not fit; `what` names it.
    """
    scaled = np.rint(values.astype(np.float64) * 2**ARGUMENT_BITS)
    if np.abs(scaled).max(initial=0.0) >= INT32_MAX:
        raise CellError(f"expected {what} below 32768 for fixed point, got {values.max():g}")
    return np.asarray(scaled, np.int64)


def _quantised(
    values: NDArray[np.float32], counts: Sequence[int], sources: Sequence[int], inputs: int
) -> tuple[Integers, Integers]:
    """Return weights [S, 4] as 16-bit integers, and the shifts [N, 4] from sums to Q16."""
    scaled = values.astype(np.float64)
    scaled[np.asarray(sources) < inputs] *= FEATURE_LIMIT
    quantised = np.zeros(scaled.shape, np.int64)
    shifts = np.zeros((len(counts), 4), np.int64)
    for neuron, rows in enumerate(np.split(np.arange(len(sources)), np.cumsum(counts)[:-1])):
        largest = np.abs(scaled[rows]).max(axis=0, initial=0.0)
        exponents = np.ceil(np.log2(np.maximum(largest, 2.0**-ARGUMENT_BITS))).astype(int)
        shifts[neuron] = SUM_BITS - ARGUMENT_BITS - exponents
        if (shifts[neuron] < 0).any():
            raise CellError(
                f"expected weights below {2 ** (SUM_BITS - ARGUMENT_BITS):g} for fixed point, got "
                f"{largest.max():g} times the range of its source"
            )
        units = np.rint(scaled[rows] * 2.0 ** (15 - exponents))
        quantised[rows] = np.clip(units, -LARGEST, LARGEST)
    return quantised, shifts


def _ticks(time_unit_s: float) -> tuple[int, int]:
    """Return factor and shift from microseconds to time units in Q16; the factor has 31 bits."""
    if time_unit_s < 1e-6:
        raise CellError(f"expected a time unit of 1 us or more, got {time_unit_s:g} s")
    exact = 2.0**ARGUMENT_BITS / (time_unit_s * 1e6)
    shift = 31 - math.ceil(math.log2(exact))
    return min(round(exact * 2.0**shift), INT32_MAX), shift
