"""Export of a controller in fixed point as one C99 header, for processors without an FPU.

`liquid_control.liquid.fixed_point` has the numbers and the same step in NumPy.
"""

import math

import numpy as np
from numpy.typing import NDArray

from liquid_control.command.motors import MOTORS, MotorScaling
from liquid_control.export.c import digest, template, wrapped, wrapped_rows
from liquid_control.liquid.fixed_point import (
    ARGUMENT_BITS,
    TANH_KNOTS,
    TANH_LIMIT,
    TANH_TABLE,
    FixedWeights,
    q16,
)
from liquid_control.liquid.weights import CfCWeights

FIXED_HEADER = "controller_q15.h"


def fixed_controller_c(weights: CfCWeights, motors: MotorScaling, name: str) -> str:
    """Return `controller_q15.h`.

    Args:
        weights: of the controller, mode `default`, as `controller_c` accepts.
        motors: ranges of its outputs.
        name: name of the model, for the first line.

    Raises:
        CellError: a weight, a bias or the time unit is outside of what fixed point represents.
    """
    wiring, fixed = weights.wiring, FixedWeights.of(weights)
    places = wiring.inputs + 2 * wiring.neurons
    index, index_bytes = ("uint8_t", 1) if places <= 256 else ("uint16_t", 2)
    stored = len(fixed.sources)
    return template(FIXED_HEADER).substitute(
        name=name,
        digest=digest(weights.arrays()),
        inputs=wiring.inputs,
        neurons=wiring.neurons,
        outputs=wiring.outputs,
        synapses=stored,
        motors=", ".join(MOTORS) + "; m/s and rad/s",
        scales=_row(q16(motors.scales, "a motor's scale")),
        offsets=_row(q16(motors.offsets, "a motor's offset")),
        index=index,
        counts=wrapped(fixed.counts),
        sources=wrapped(fixed.sources),
        weights=wrapped_rows(_row(row) for row in fixed.weights),
        shifts=wrapped_rows(_row(row) for row in fixed.shifts),
        biases=wrapped_rows(_row(row) for row in fixed.biases),
        tanh=wrapped(TANH_TABLE.tolist()),
        table=len(TANH_TABLE),
        knots=TANH_KNOTS,
        limit=TANH_LIMIT << ARGUMENT_BITS,
        interval=ARGUMENT_BITS - int(math.log2(TANH_KNOTS)),
        ticks_factor=fixed.ticks_factor,
        ticks_shift=fixed.ticks_shift,
        bytes=stored * (8 + index_bytes) + wiring.neurons * 22 + 2 * len(TANH_TABLE),
        stack=2 * places + 96,
    )


def _row(values: NDArray[np.int64]) -> str:
    return ", ".join(str(value) for value in values.tolist())
