"""Export of a controller as one C99 header with a test program, for machines without Python.

Each existing synapse is stored with its four weights next to each other. Absent synapses take
neither memory nor time, and a compiler can add four maps at once. tanh is a rational function,
fitted to tanh on [-7.9, 7.9] with minimal largest error by repeated weighted least squares and
constant outside. Evaluated in float32 it is within 3.5e-7 of tanh for every argument.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from string import Template
from textwrap import fill

import numpy as np
from numpy.typing import NDArray

from liquid_control.command.motors import MOTORS, MotorScaling
from liquid_control.errors import CellError
from liquid_control.liquid.reference import CfC
from liquid_control.liquid.weights import CfCWeights, Mode, synapses
from liquid_control.seeding import stream

HEADER = "controller.h"
TRIAL = "controller_test.c"
TRIAL_STEPS = 16

TANH_LIMIT = 7.9
TANH_ERROR = "3.5e-7"
TANH_NUMERATOR = (0.999999974, 0.134444471, 0.00357169051, 2.19033252e-05, 1.52595501e-08)
TANH_DENOMINATOR = (1.0, 0.467777693, 0.026164392, 0.000341173403, 8.53049515e-07)
"""P and Q of x P(x^2) / Q(x^2), lowest power first."""

WIDTH = 96


def controller_c(weights: CfCWeights, motors: MotorScaling, name: str) -> dict[str, str]:
    """Return `controller.h` and `controller_test.c` by file name.

    Args:
        weights: of the controller, mode `default`.
        motors: ranges of its outputs.
        name: name of the model, for the first line of the header.

    Raises:
        CellError: the weights have another mode, or their number of outputs is not that of motors.
    """
    if weights.mode is not Mode.DEFAULT:
        raise CellError(f"expected a CfC in mode 'default', got {weights.mode.value!r}")
    if weights.wiring.outputs != len(MOTORS):
        raise CellError(f"expected {len(MOTORS)} outputs, got {weights.wiring.outputs}")
    header = template(HEADER).substitute(_facts(weights, motors, name))
    return {HEADER: header, TRIAL: template(TRIAL).substitute(_trial(weights))}


def _facts(weights: CfCWeights, motors: MotorScaling, name: str) -> dict[str, object]:
    wiring = weights.wiring
    counts, sources, values = synapses(weights)
    places = wiring.inputs + 2 * wiring.neurons
    index, index_bytes = ("uint8_t", 1) if places <= 256 else ("uint16_t", 2)
    biases = np.concatenate([layer.bias for layer in weights.layers], axis=1).T
    return {
        "name": name,
        "digest": digest(weights.arrays()),
        "inputs": wiring.inputs,
        "neurons": wiring.neurons,
        "outputs": wiring.outputs,
        "synapses": len(sources),
        "time_unit": number(weights.time_unit_s),
        "motors": ", ".join(MOTORS) + "; m/s and rad/s",
        "scales": row(motors.scales),
        "offsets": row(motors.offsets),
        "index": index,
        "counts": wrapped(counts),
        "sources": wrapped(sources),
        "weights": rows(values),
        "biases": rows(biases),
        "bytes": len(sources) * (16 + index_bytes) + wiring.neurons * 18,
        "stack": 4 * places + 64,
        "limit": number(TANH_LIMIT),
        "tanh_error": TANH_ERROR,
        "numerator": _horner(TANH_NUMERATOR),
        "denominator": _horner(TANH_DENOMINATOR),
    }


def _trial(weights: CfCWeights) -> dict[str, object]:
    """Return a short sequence of irregular time steps and the states of the reference."""
    wiring = weights.wiring
    rng = stream(0, "export.c")
    x = rng.uniform(-1, 1, (TRIAL_STEPS, wiring.inputs)).astype(np.float32)
    dt = (weights.time_unit_s * rng.uniform(0.2, 5, TRIAL_STEPS)).astype(np.float32)
    cell = CfC(weights, np.float64)
    state, states = cell.init_state(), []
    for features, elapsed in zip(x, dt, strict=True):
        _, state = cell.step(features[np.newaxis], state, elapsed[np.newaxis])
        states.append(state[0])
    return {
        "steps": TRIAL_STEPS,
        "dts": row(dt),
        "features": rows(x),
        "expected": rows(np.array(states)),
    }


def template(name: str) -> Template:
    """Return a file of `export/templates`."""
    folder = resources.files("liquid_control.export") / "templates"
    return Template((folder / name).read_text(encoding="utf-8"))


def digest(arrays: Mapping[str, NDArray[np.float32]]) -> str:
    """Return the SHA-256 of arrays in their order, in hex."""
    content = hashlib.sha256()
    for array in arrays.values():
        content.update(np.ascontiguousarray(array).tobytes())
    return content.hexdigest()


def number(value: float) -> str:
    """Return a C constant that parses to the same float32."""
    text = f"{np.float32(value):.9g}"
    return f"{text}f" if any(mark in text for mark in ".e") else f"{text}.0f"


def row(values: Iterable[float]) -> str:
    """Return numbers as C constants with commas between them."""
    return ", ".join(number(float(value)) for value in values)


def rows(values: NDArray[np.floating]) -> str:
    """Return an array [R, C] as the initialisers of a C array, a row each."""
    return wrapped_rows(row(values_of_row) for values_of_row in values)


def wrapped_rows(texts: Iterable[str]) -> str:
    """Return rows of numbers as initialisers of a C array of arrays, in lines of limited width."""
    return "\n".join(_wrapped_text(f"{{{text}}},") for text in texts)


def wrapped(values: Sequence[int]) -> str:
    """Return integers as the initialisers of a C array, in lines of limited width."""
    return _wrapped_text(", ".join(str(value) for value in values))


def _wrapped_text(text: str) -> str:
    return fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _horner(coefficients: Sequence[float]) -> str:
    *lower, text = (number(value) for value in coefficients)
    for value in reversed(lower):
        text = f"{value} + y * ({text})"
    return text
