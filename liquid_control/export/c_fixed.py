"""Export of a controller in fixed point as one C99 header, for processors without an FPU.

Values between neurons are 16-bit fractions (Q15). Features reach from -4 to 4, so their weights
are multiplied by 4. The weights of each map of each neuron share a power of two, chosen so that
the largest uses all 16 bits (block floating point). Sums of products have 64 bits and are shifted
to Q16. tanh is a table with linear interpolation, within 1.5e-4; the sigmoid follows from it.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liquid_control.command.motors import MOTORS, MotorScaling
from liquid_control.errors import CellError
from liquid_control.export.c import digest, synapses, template, wrapped, wrapped_rows
from liquid_control.liquid.weights import CfCWeights

FIXED_HEADER = "controller_q15.h"

FEATURE_LIMIT = 4.0
ONE = 2**15
LARGEST = ONE - 1
SUM_BITS = 30
"""Fraction bits of a product of two Q15 values."""
ARGUMENT_BITS = 16
TANH_LIMIT = 8
TANH_KNOTS = 32
"""Table entries for an interval of 1."""
INT32_MAX = 2**31 - 1


def fixed_controller_c(weights: CfCWeights, motors: MotorScaling, name: str) -> str:
    """Return `controller_q15.h`.

    Args:
        weights: of the controller, mode `default`, as `controller_c` accepts.
        motors: ranges of its outputs.
        name: name of the model, for the first line.

    Raises:
        CellError: a weight, a bias or the time unit is outside of what fixed point represents.
    """
    wiring = weights.wiring
    counts, sources, values = synapses(weights)
    quantised, shifts = _quantised(values, counts, sources, wiring.inputs)
    biases = np.concatenate([layer.bias for layer in weights.layers], axis=1).T
    places = wiring.inputs + 2 * wiring.neurons
    index, index_bytes = ("uint8_t", 1) if places <= 256 else ("uint16_t", 2)
    factor, shift = _ticks(weights.time_unit_s)
    knots = np.arange(TANH_LIMIT * TANH_KNOTS + 1) / TANH_KNOTS
    table = np.minimum(np.rint(np.tanh(knots) * ONE), LARGEST).astype(int)
    return template(FIXED_HEADER).substitute(
        name=name,
        digest=digest(weights.arrays()),
        inputs=wiring.inputs,
        neurons=wiring.neurons,
        outputs=wiring.outputs,
        synapses=len(sources),
        motors=", ".join(MOTORS) + "; m/s and rad/s",
        scales=_row(_q16(motors.scales, "a motor's scale")),
        offsets=_row(_q16(motors.offsets, "a motor's offset")),
        index=index,
        counts=wrapped(counts),
        sources=wrapped(sources),
        weights=wrapped_rows(_row(row) for row in quantised),
        shifts=wrapped_rows(_row(row) for row in shifts),
        biases=wrapped_rows(_row(row) for row in _q16(biases, "a bias")),
        tanh=wrapped(table.tolist()),
        table=len(table),
        knots=TANH_KNOTS,
        limit=TANH_LIMIT << ARGUMENT_BITS,
        interval=ARGUMENT_BITS - int(math.log2(TANH_KNOTS)),
        ticks_factor=factor,
        ticks_shift=shift,
        bytes=len(sources) * (8 + index_bytes) + wiring.neurons * 22 + 2 * len(table),
        stack=2 * places + 96,
    )


def _quantised(
    values: NDArray[np.float32], counts: Sequence[int], sources: Sequence[int], inputs: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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


def _q16(values: NDArray[np.float32], what: str) -> NDArray[np.int64]:
    scaled = np.rint(values.astype(np.float64) * 2**ARGUMENT_BITS)
    if np.abs(scaled).max(initial=0.0) >= INT32_MAX:
        raise CellError(f"expected {what} below 32768 for fixed point, got {values.max():g}")
    return np.asarray(scaled, np.int64)


def _row(values: NDArray[np.int64]) -> str:
    return ", ".join(str(value) for value in values.tolist())
